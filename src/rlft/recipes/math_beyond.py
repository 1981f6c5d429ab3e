"""Does learning go beyond the base? After Mayilvahanan et al. 2025, "MATH-Beyond: A Benchmark for RL to Expand Beyond
the Base Model", arXiv:2510.11653.

Questions of seven kinds, by a small character model that knows one foreign sign now and then, one hardly ever, and one
not at all. Those of a pool that none of 512 draws answers are the benchmark: most of them need what the base never
does, the others what it does so seldom that it never did all of it at once. The arms learn from questions of all
kinds: GRPO; two that explore more, paid for sets whose rows differ, and bound where entropy falls; and imitation of the
answers of one who knows, which stands for distillation. Judged is what of the benchmark 64 new draws answer, and what
is lost of the rest. The control is the base, drawn from again: it answers some of the benchmark too.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, below, between, checks
from rlft.measure.beyond import by_chance
from rlft.methods.grpo import grpo
from rlft.methods.kl_cov import kl_cov
from rlft.methods.polychromic import polychromic
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.beyond import beyond

SCREENED, DRAWS = 512, 64  # the defaults of the world

math_beyond = recipe(beyond, grpo(beta=0.0), watch_kl=False, steps=40, prompts=16, group=8, lr=5e-4, rows=None, every=0)


def over_run(metrics: Lines, evaluations: Lines) -> Numbers:
    """`gained`, how much more often a draw is right than the base's, on held-out questions of all kinds."""
    return {"gained": evaluations[-1]["reward"] - evaluations[0]["reward"]}


_CHANCE, _SELDOM = by_chance(SCREENED, DRAWS), "expanded/seldom"
CLAIM = Claim(
    sentence="On problems that its base does not solve in very many draws a model hardly gains by reinforcement "
    "learning, more by methods that explore, and most by distillation.",
    source="Mayilvahanan et al. 2025, arXiv:2510.11653",
    budget="40 steps of 16 questions with 8 answers each for every arm that draws; imitation takes as many steps of "
    "128 answers. Every arm chooses its learning rate from two.",
    scaled_down="a character model of 0.1 million parameters for models of 1.5 to 8 billion, a chain of four "
    "operations for a problem of mathematics, 210 questions to screen for 53,682; 512 draws to screen and 64 to count, "
    "for 1024 and 1024. Right answers of a rule that knows for those of a stronger model. How much of the benchmark is "
    "out of reach altogether is as it was built, 60 of 104 questions, so it is counted apart (never) from what the "
    "base does now and then (seldom). All counts are of new draws with the run's seed, the same for every arm.",
    real="rlft study beyond deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B RUN_GRPO RUN_DISTILLED --data POOL.jsonl --chat "
    "--reward math --screened 1024 --samples 1024 --verify LARGE_MODEL --without math500.jsonl --out studies/beyond",
    metric="expanded",
    table=(
        "expanded/seldom",
        "expanded/never",
        "beyond/pass@1",
        "lost",
        "kept",
        "surer",
        "gained",
        "beyond",
        "kind/&",
        "kind/&&",
        "kind/%%",
    ),
    shared=(),
    grid={"lr": (4e-4, 1e-3)},
    seeds=8,
    smoke={"steps": 1, "imitation": 2, "prompts": 4, "group": 8, "pool": 7, "screened": 4, "draws": 4},
    more=over_run,
    arms={
        "base": Arm("the base, drawn from again", {"steps": 0}, grid={}),
        "grpo": Arm("GRPO", {"method": grpo(beta=0.0)}),
        "poly": Arm("exploration: polychromic, sets of four", {"method": polychromic(n=4)}),
        "kl_cov": Arm("exploration: KL-Cov", {"method": kl_cov(share=0.02, epochs=2)}),
        "sft": Arm("distillation: SFT on right answers", {"method": sft(), "prompts": 128, "group": 1}),
    },
    statements=[
        below("by reinforcement learning it expands little", "grpo", most=0.25),
        below("and not at all to what the base never does", "grpo", most=0.02, of="expanded/never"),
        above("by exploration more: sets", "poly", "grpo", least=0.02),
        above("by exploration more: KL-Cov", "kl_cov", "grpo", least=0.02),
        above("by distillation most", "sft", "grpo", least=0.3),
        above("more than by exploration", "sft", "poly", least=0.3),
        *checks(
            between("the base again expands, and less than by chance", "base", least=0.0, most=_CHANCE),
            above("reinforcement learning learns what the base does now and then", "grpo", least=0.5, of=_SELDOM),
            above("distillation also what it never does", "sft", least=0.3, of="expanded/never"),
            below("GRPO loses nothing", "grpo", most=0.05, of="lost"),
            above("and is surer of what the base knows", "grpo", least=0.8, of="surer"),
        ),
    ],
)
# Rows of a base that has hardly begun are never right.
SMOKE = {"group": 8}
