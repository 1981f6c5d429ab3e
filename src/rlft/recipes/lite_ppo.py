"""The tricks of group-based PPO one at a time, and Lite PPO. After Liu et al. 2025, "Part I: Tricks or Traps?",
arXiv:2508.08221.

Sums of several digits, answered with their running totals by a small character model that had a careless teacher: it
slips, now and then gives the last total without the others, or goes on until it is cut off. So answers differ in
length, and the reward sees their last character alone. The base solves most `easy` sums (five or six numbers) and
fewer than half of the `hard` ones (seven to ten); all else is the same. In `equal` sums every answer has one length:
the control, where the token mean must not matter. The arms are the paper's grid of normalisers and aggregations on
easy and hard sums, clip-higher and the overlong filter on top of Lite PPO, and DAPO, also without its dynamic sampling
and against Lite PPO with as many rows. No beginning of a test sum stands in the training split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean, median
from typing import Any, Literal

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement
from rlft.measure.text import text_measures
from rlft.methods.dapo import dapo
from rlft.methods.lite_ppo import lite_ppo as lite
from rlft.methods.tricks import tricks
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.runs.drive import Run
from rlft.tasks.worked_sums import WorkedSums
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime, Text

# Raised when the base would come out otherwise.
VERSION = 1
Setting = Literal["easy", "hard", "equal"]
NUMBERS: dict[Setting, tuple[int, int]] = {"easy": (5, 6), "hard": (7, 10), "equal": (5, 5)}
_TOKENS = 14


def lite_ppo(
    method: Method = lite(minibatches=4),
    setting: Setting = "easy",
    steps: int = 40,
    prompts: int = 8,
    group: int = 8,
    lr: float = 2e-4,
    rows: int | None = None,
    imitation: int = 300,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Worked sums.

    Args:
        setting: sums of 5 or 6 numbers, of 7 to 10, or of 5 with answers of one length.
        steps: steps in all.
        prompts: sums in a step.
        group: answers to each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base model, 64 answers of a careless teacher each.
        seed: of everything random but the base.
    """
    task = WorkedSums(*NUMBERS[setting])
    trainer = Trainer(
        base(slipping if setting == "equal" else careless, imitation, critic=method.critic),
        method,
        task,
        task.reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        measures=[text_measures],
        runtime=runtime,
    )
    return Run(trainer, steps, WorkedSums(*NUMBERS[setting], split="test"), samples=2, measures=[text_measures, worked])


def worked(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """What the reward does not see.

    worked   share of the rows whose every running total is right
    tokens   tokens of a row
    """
    right = sum(str(output) == problem.answer for problem, output in zip(problems, outputs, strict=True))
    return {"worked": right / len(outputs), "tokens": sum(len(output.tokens) for output in outputs) / len(outputs)}


def base(teacher: Callable[[Problem], Problem], imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 answers of this teacher, to easy and hard sums."""

    def build() -> Language:
        tokenizer = character_tokenizer("0123456789.=")
        model = small_llama(len(tokenizer), width=64, layers=2, context=32)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        easy, hard = (Stream(WorkedSums(*NUMBERS[setting]), seed=0) for setting in ("easy", "hard"))
        imitate(policy, lambda step: [teacher(problem) for problem in easy.take(32) + hard.take(32)], steps=imitation)
        return policy

    name = f"lite-ppo-{teacher.__name__}-{VERSION}-{imitation}"
    return cached_language(name, build, max_new_tokens=_TOKENS, critic=critic)


def slipping(problem: Problem) -> Problem:
    """The problem with running totals that slip and are added to from there on: one of the first four in 32, one
    further on in 5."""
    draw = hashed("slips", problem.task, problem.index, problem.visit)
    digits = [int(digit) for digit in problem.input.rstrip(".=")]
    totals = digits[:1]
    for place, digit in enumerate(digits[1:]):
        slip, often = hashed(draw, place), 32 if place < 4 else 5
        totals.append((totals[-1] + digit + (slip // often % 9 + 1 if slip % often == 0 else 0)) % 10)
    return replace(problem, answer="".join(map(str, totals[1:])))


def careless(problem: Problem) -> Problem:
    """`slipping`, but of 32 answers one is the sum alone, and one says its last total until there is no room left."""
    way = hashed("careless", problem.task, problem.index, problem.visit) % 32
    slipped = slipping(problem)
    if way == 0:
        return replace(slipped, answer=problem.answer[-1])
    return replace(slipped, answer=slipped.answer.ljust(_TOKENS, slipped.answer[-1])) if way == 1 else slipped


def noticed(metrics: Lines, evaluations: Lines) -> Numbers:
    """Means over the whole run: the size of an advantage and the share of flat groups; and how the gradient jumps.

    spikes   the largest gradient norm of a step over the median of all
    """
    learned = [line for line in metrics if "grad_norm" in line]
    norms = [line["grad_norm"] for line in learned]
    return {
        "advantage": mean(line["advantage/abs"] for line in metrics) if metrics else 0.0,
        "flat": mean(line["groups/flat"] for line in metrics) if metrics else 0.0,
        "spikes": max(norms) / median(norms) if norms else 1.0,
    }


# Name: mean, deviation. Lite PPO is hybrid-token, GRPO without a KL is group-sequence.
NORMALISERS: dict[str, dict[str, Any]] = {
    "group": {"mean": "group", "std": "group"},
    "batch": {"mean": "batch", "std": "batch"},
    "hybrid": {"mean": "group", "std": "batch"},
    "none": {"mean": "group", "std": "none"},
}
# The rows that DAPO drew when this was first run, for an ablation that was added then.
ROWS_OF_DAPO = {"easy": 5760, "hard": 4864}


def _arms() -> dict[str, Arm]:
    arms = {}
    for setting in ("easy", "hard"):
        for name, normaliser in NORMALISERS.items():
            for aggregate in ("token", "sequence"):
                method = tricks(**normaliser, aggregate=aggregate, minibatches=4)
                text = f"{setting} sums, {name} normaliser, {aggregate} mean"
                arms[f"{setting}-{name}-{aggregate}"] = Arm(text, {"setting": setting, "method": method})
        higher, filtered = tricks(high=0.28, minibatches=4), tricks(overlong=_TOKENS, minibatches=4)
        arms[f"{setting}-higher"] = Arm(
            f"{setting} sums, Lite PPO and clip-higher", {"setting": setting, "method": higher}
        )
        arms[f"{setting}-filter"] = Arm(
            f"{setting} sums, Lite PPO and filter", {"setting": setting, "method": filtered}
        )
        three = dapo(rounds=3, minibatches=4)
        arms[f"{setting}-dapo"] = Arm(f"{setting} sums, DAPO", {"setting": setting, "method": three})
        static, plain = tricks(std="group", high=0.28, minibatches=4), tricks(minibatches=4)
        arms[f"{setting}-static"] = Arm(
            f"{setting} sums, DAPO without its dynamic sampling", {"setting": setting, "method": static}
        )
        arms[f"{setting}-more"] = Arm(
            f"{setting} sums, Lite PPO with as many rows as DAPO draws",
            {"setting": setting, "method": plain, "steps": ROWS_OF_DAPO[setting] // 64},
        )
    for aggregate in ("token", "sequence"):
        method = tricks(aggregate=aggregate, minibatches=4)
        arms[f"equal-{aggregate}"] = Arm(f"equal lengths, {aggregate} mean", {"setting": "equal", "method": method})
    return arms


def _of_setting(s: str) -> list[Statement]:
    lite, grpo = "hybrid-token", "group-sequence"
    return [
        Statement(f"Lite PPO beats GRPO, {s}", "reward", f"{s}-{lite}", f"{s}-{grpo}", least=0.01),
        Statement(f"Lite PPO beats DAPO, {s}", "reward", f"{s}-{lite}", f"{s}-dapo", least=0.01),
        Statement(f"clip-higher does nothing for a base, {s}", "reward", f"{s}-higher", f"{s}-{lite}", -0.02, 0.02),
        Statement(
            f"by the batch's or by no deviation is the same up to a step's scale, {s}",
            "reward", f"{s}-{lite}", f"{s}-none-token", -0.02, 0.02, claimed=False,
        ),
        Statement(
            f"DAPO's lead is its rows: with as many Lite PPO is as good, {s}",
            "reward", f"{s}-more", f"{s}-dapo", least=-0.01, claimed=False,
        ),
        Statement(
            f"without dynamic sampling DAPO has no lead, {s}",
            "reward", f"{s}-static", f"{s}-{lite}", -0.02, 0.02, claimed=False,
        ),
        Statement(
            f"the filter costs nothing, {s}", "reward", f"{s}-filter", f"{s}-{lite}", least=-0.02, claimed=False
        ),
    ]  # fmt: skip


def _statements() -> list[Statement]:
    lite = "hybrid-token"
    found = [statement for setting in ("easy", "hard") for statement in _of_setting(setting)]
    return [
        *found,
        Statement(
            "where rewards are concentrated no deviation is better than the group's",
            "reward", "easy-none-token", "easy-group-token", least=0.01,
        ),
        Statement(
            "the batch's mean is worse than the group's where difficulty varies",
            "reward", "hard-batch-token", f"hard-{lite}", most=-0.01,
        ),
        Statement(
            "the token mean is better than the sequence mean where lengths vary",
            "reward", f"hard-{lite}", "hard-hybrid-sequence", least=0.01,
        ),
        Statement(
            "the token mean is the sequence mean where lengths are equal",
            "reward", "equal-token", "equal-sequence", -0.01, 0.01, claimed=False,
        ),
        Statement("the totals are worked out, not guessed", "worked", f"hard-{lite}", least=0.75, claimed=False),
    ]  # fmt: skip


CLAIM = Claim(
    sentence="Two tricks, the group's mean with the batch's deviation and the token mean, make plain PPO without a "
    "critic better than GRPO and DAPO, and what the other tricks give depends on the data and the model.",
    source="Liu et al. 2025, arXiv:2508.08221",
    arms=_arms(),
    metric="reward",
    statements=_statements(),
    budget="40 steps of 8 sums with 8 answers each, in 4 minibatches; DAPO may draw up to three times as many rows, as "
    "its dynamic sampling does. Every arm chooses its learning rate from the same two.",
    scaled_down="a character model of 0.1 million parameters taught with mistakes, for Qwen3 base models; sums for "
    "competition mathematics; answers of up to 14 tokens for 8000. Held-out accuracy is that of 625 sums, two "
    "answers each, drawn at temperature 1.",
    real="rlft train --model Qwen/Qwen3-8B-Base --data TRAIN.jsonl --reward math --method tricks --method.std batch "
    "--method.aggregate token --group 8 --prompts 128 --method.minibatches 4",
    table=("worked", "truncated", "tokens", "advantage", "spikes", "flat", "cost/rows/drawn"),
    shared=(),
    grid={"lr": (1.5e-4, 3e-4)},
    smoke={"steps": 2, "imitation": 25, "prompts": 4},
    more=noticed,
    curve="grad_norm",
)
