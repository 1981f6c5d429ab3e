"""Reg-GRPO and difficulty-aware augmentation on noisy clips. After Park et al. 2025, "DeepVideo-R1", arXiv:2506.07464.

The clips are text, a stand-in until the library has video: each step of a walk is filmed in three frames, some of them
wrong, and the question is where the walk ends. The policy is a small character model that had a careless teacher; it
may write down every place on the way, and the reward sees the last alone. A few dozen clips come round again and again.
With augmentation a clip that was hard at its last plain visit gets the first places of the walk as a hint, an easy one
more noisy frames. Several updates of one batch are where the two objectives can differ; with one they have the same
direction but for the length of a row, which is the control. Held-out clips are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Any, Literal

from rlft.collect.augment import Difficulty
from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement
from rlft.measure.text import text_measures
from rlft.methods.grpo import grpo
from rlft.methods.reg_grpo import reg_grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.runs.drive import Run
from rlft.tasks.augmented import Augmented, unchanged
from rlft.tasks.clips import Clips, hinted, noisier
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime, Text

# Raised when the base would come out otherwise.
VERSION = 1
_TOKENS = 10
_NOISE = 0.5  # frames of an easy clip that are spoilt, for each unit of -D


def deepvideo_r1(
    method: Method = reg_grpo(epochs=4),
    augment: Literal["none", "hard", "easy", "both"] = "none",
    steps: int = 60,
    prompts: int = 12,
    group: int = 6,
    lr: float = 1e-4,
    clips: int = 120,
    window: int = 10,
    rows: int | None = None,
    imitation: int = 350,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Where a walk ends, seen in noisy frames.

    Args:
        augment: hints for clips that are hard, noise for clips that are easy, both or none.
        steps: steps in all.
        prompts: clips in a step.
        group: answers to each.
        lr: learning rate.
        clips: clips to train on, over and over.
        window: steps whose mean reward a clip is compared with.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base model, 64 right answers each; a hundred with careless ones follow.
        seed: of everything random but the base.
    """
    plain, difficulty = Clips(size=clips), Difficulty(window)
    easier = told if augment in ("hard", "both") else unchanged
    harder = spoilt if augment in ("easy", "both") else unchanged
    trainer = Trainer(
        base(imitation, critic=method.critic),
        replace(method, collect=difficulty) if augment != "none" else method,
        Augmented(plain, difficulty.of, easier, harder) if augment != "none" else plain,
        plain.reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        measures=[text_measures],
        runtime=runtime,
    )
    return Run(trainer, steps, Clips(split="test"), samples=2, measures=[text_measures, followed])


def told(problem: Problem, difficulty: float) -> Problem:
    """The share D of the walk as a hint."""
    return hinted(problem, round(difficulty * len(problem.answer)))


def spoilt(problem: Problem, ease: float) -> Problem:
    """More noisy frames."""
    return noisier(problem, _NOISE * ease)


def followed(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """`followed`, what the reward does not see: the share of rows whose every place is right."""
    right = sum(str(output) == problem.answer for problem, output in zip(problems, outputs, strict=True))
    return {"followed": right / len(outputs)}


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 right answers and 100 of careless ones."""

    def build() -> Language:
        tokenizer = character_tokenizer("0123456789.=")
        model = small_llama(len(tokenizer), width=64, layers=2, context=48)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        stream = Stream(Clips(noise=0.1), seed=0)
        imitate(policy, lambda step: stream.take(64), steps=imitation, lr=6e-3)
        imitate(policy, lambda step: [careless(problem) for problem in stream.take(64)], steps=100, lr=1e-3)
        return policy

    return cached_language(f"deepvideo-r1-{VERSION}-{imitation}", build, max_new_tokens=_TOKENS, critic=critic)


def careless(problem: Problem) -> Problem:
    """The problem with an answer that loses its way and goes on from there: at one of the first three places in 24, at
    one further on in 5."""
    off, places = 0, []
    for place, right in enumerate(problem.answer):
        draw, often = hashed("careless", problem.task, problem.index, problem.visit, place), 24 if place < 3 else 5
        off += draw // often % 9 + 1 if draw % often == 0 else 0
        places.append(str((int(right) + off) % 10))
    return replace(problem, answer="".join(places))


def over_the_run(metrics: Lines, evaluations: Lines) -> Numbers:
    """Means over all steps: `flat`, the share of groups whose rewards are equal, and of groups with changed prompts."""
    keys = {"flat": "groups/flat", "hard": "augment/hard", "easy": "augment/easy"}
    return {name: mean(line.get(key, 0.0) for line in metrics) if metrics else 0.0 for name, key in keys.items()}


def _arm(text: str, method: Method, **more: Any) -> Arm:
    return Arm(text, {"method": method, **more})


CLAIM = Claim(
    sentence="Fitting the group-normalised log-ratio of a row to its advantage is better than GRPO's clipped "
    "surrogate, and hints for hard problems and noise for easy ones bring back the advantages that vanish.",
    source="Park et al. 2025, arXiv:2506.07464",
    arms={
        "grpo": _arm("GRPO", grpo(beta=0.0, epochs=4)),
        "reg": _arm("Reg-GRPO", reg_grpo(epochs=4)),
        "grpo-augmented": _arm("GRPO, hints and noise", grpo(beta=0.0, epochs=4), augment="both"),
        "reg-augmented": _arm("DeepVideo-R1: Reg-GRPO, hints and noise", reg_grpo(epochs=4), augment="both"),
        "reg-hints": _arm("Reg-GRPO, hints only", reg_grpo(epochs=4), augment="hard"),
        "reg-noise": _arm("Reg-GRPO, noise only", reg_grpo(epochs=4), augment="easy"),
        "grpo-once": _arm("GRPO, one update a batch", grpo(beta=0.0)),
        "reg-once": _arm("Reg-GRPO, one update a batch", reg_grpo()),
    },
    metric="reward",
    statements=(
        Statement("DeepVideo-R1 beats GRPO", "reward", "reg-augmented", "grpo", least=0.02),
        Statement("Reg-GRPO beats GRPO when a batch is used four times", "reward", "reg", "grpo", least=0.02),
        Statement("augmentation helps Reg-GRPO", "reward", "reg-augmented", "reg", least=0.02),
        Statement("augmentation helps GRPO", "reward", "grpo-augmented", "grpo", least=0.02),
        Statement("augmentation leaves fewer groups flat", "flat", "reg-augmented", "reg", most=-0.02),
        Statement("so it does under GRPO", "flat", "grpo-augmented", "grpo", most=-0.02),
        Statement(
            "with one update a batch the objectives agree",
            "reward",
            "reg-once",
            "grpo-once",
            -0.03,
            0.03,
            claimed=False,
        ),
        Statement("hints alone leave fewer groups flat", "flat", "reg-hints", "reg", most=-0.01, claimed=False),
        Statement("the walk is followed, not guessed", "followed", "reg-augmented", least=0.2, claimed=False),
    ),
    budget="60 steps of 12 clips with 6 answers each, in four updates of the whole batch, or in one for the arms "
    "called once; augmentation draws nothing more. Every arm chooses its learning rate from the same three.",
    scaled_down="text for video: digits in place of frames, a walk in place of a scene, and a character model of 0.1 "
    "million parameters in place of Qwen2-VL. The hint is the beginning of the true walk, not the best of several "
    "traces sampled with the answer in sight. A clip's difficulty is that of its last plain visit. 120 clips to train "
    "on; held-out accuracy is that of 625 others, two answers each, drawn at temperature 1.",
    real="rlft train --model Qwen/Qwen2.5-3B-Instruct --data TRAIN.jsonl --reward math --method reg_grpo "
    "--method.epochs 4 --group 8; augmentation is collect.augment.Difficulty and tasks.augmented.Augmented from Python",
    table=("followed", "flat", "hard", "easy", "train/slope", "train/drift", "cost/updates"),
    grid={"lr": (5e-5, 1e-4, 2e-4)},
    smoke={"steps": 2, "imitation": 25, "prompts": 4},
    more=over_the_run,
    curve="groups/flat",
)
