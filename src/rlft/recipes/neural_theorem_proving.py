"""Proofs learned from references, then from a prover, and mended by automatic tactics. After Rao et al. 2025, "Neural
Theorem Proving: Generating and Structuring Proofs for Formal Verification" (ProofSeek), arXiv:2504.17017.

A small model writes Coq tactics for lemmas of propositions and inequalities. It has read proofs of other lemmas in many
manners, in which a goal is now and then left to `tauto`, and is right one time in three. `sft` imitates references,
which a search finds and in which every step is written out; `sft-rl` does so for a fourth of its updates and is then
paid for proofs that check; `match` is paid as in the paper's notebook, 2 for a proof and 2 more for the reference's
very text; `rl` is paid from the start. Each is measured as it writes, and with its failed proofs mended. Whether a
text is a proof is said by a checker in this process that takes what Coq takes; in `coq`, held-out proofs are Coq's.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.methods.sft_grpo import sft_grpo
from rlft.recipes import recipe
from rlft.worlds.proved import proved

STEPS = 120
TWO_STAGES = sft_grpo(taught=STEPS // 4, size=64)

neural_theorem_proving = recipe(
    proved,
    TWO_STAGES,
    watch_kl=False,
    steps=STEPS,
    prompts=16,
    group=8,
    lr=4e-4,
    rows=None,
    problems=None,
    samples=8,
)

_IMITATING: dict[str, Any] = {"method": sft(), "prompts": 64, "group": 1}

CLAIM = Claim(
    sentence="SFT teaches a model a prover's language, reinforcement learning against the prover makes more of its "
    "proofs check, and heuristics that mend failed proofs add to both.",
    source="Rao et al. 2025, arXiv:2504.17017",
    budget="120 updates for every arm, of the same 512 lemmas: 64 references to imitate in each, or 8 attempts at each "
    "of 16 lemmas; in two stages 30 and 90. The arms that it is compared with, SFT and the one "
    "paid for text, choose their learning rate from two; those paid for proofs alone have the pilot's.",
    scaled_down="a Llama of 0.17 million parameters for DeepSeek-Math 7B; lemmas of four propositions and three "
    "numbers for miniF2F and rules of access; Coq for Isabelle, `tauto` and `lia` for sledgehammer and its kin, at "
    "most eight tries for each proof. No KL. The checker is one in this process, exact for this part of Coq's "
    "language. Held-out numbers are those of 256 lemmas as deep as those learned from (`same`, depth 2 and 3) and of "
    "128 deeper ones (`deeper`, depth 4), eight attempts each at temperature 1; `+` is with failed proofs mended, "
    "`mended` what this adds, `alone` what the tactics prove without a model, `new` the share of proofs that are not "
    "the reference, `ways` how many different proofs there are among eight attempts.",
    real="rlft train --model deepseek-ai/deepseek-math-7b-rl --data lemmas.jsonl --answer-field proof --eval-data "
    "held_out.jsonl --reward \"coq(imports='Require Import Lia.', workers=8)\" --method sft_grpo --method.taught 300 "
    "--group 6 --lora 64 --lr 1e-5 --max-new-tokens 1024",
    metric="same",
    table=("same@8", "same+", "same/new", "same/ways", "deeper", "deeper@8", "deeper+", "same/alone"),
    shared=("updates",),
    seeds=6,
    grid={"lr": (2e-4, 4e-4)},
    smoke={"steps": 2, "imitation": 4, "prompts": 2, "group": 4, "lemmas": 4, "held_out": 3, "tries": 1},
    arms={
        "base": Arm("the base", {"steps": 0}, grid={}),
        "sft": Arm("SFT on references", _IMITATING, seeds=16),
        "sft-rl": Arm("SFT, then GRPO on proofs that check", grid={}, seeds=16),
        "match": Arm("the same, paid for the reference's text too", {"paid": "matched"}, seeds=8),
        "rl": Arm("GRPO on proofs that check from the start", {"method": grpo(beta=0.0)}, grid={}),
        "coq": Arm("SFT, then GRPO; held-out proofs checked by Coq", grid={}, data="prover", seeds=5),
    },
    statements=[
        above("RL adds to SFT", "sft-rl", "sft", least=0.1),
        above("RL adds to SFT where lemmas are deeper", "sft-rl", "sft", least=0.05, of="deeper"),
        above("heuristics add to SFT", "sft", least=0.1, of="same/mended"),
        above("heuristics add to RL", "sft-rl", least=0.05, of="same/mended"),
        *checks(
            between("alone the heuristics prove a part", "base", least=0.1, most=0.4, of="same/alone"),
            above("RL finds a proof in eight attempts more often than SFT", "sft-rl", "sft", least=0.05, of="same@8"),
            below(
                "once failed proofs are mended little is left of what RL adds", "sft-rl", "sft", most=0.05, of="same+"
            ),
            above("who is paid for the text too proves less", "sft-rl", "match", least=0.0),
            above("and finds a proof in eight attempts less often", "sft-rl", "match", least=0.0, of="same@8"),
            above("of his proofs fewer are new", "sft-rl", "match", least=0.1, of="same/new"),
            between("Coq says the same of every proof", "coq", "sft-rl", least=0, most=0),
            between("and of every one that was mended", "coq", "sft-rl", least=0, most=0, of="same+"),
        ),
    ],
)
# A base that has hardly begun proves what a single word proves.
SMOKE = {"method": grpo(beta=0.0)}
