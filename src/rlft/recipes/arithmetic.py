"""A character model that had a careless teacher, put right by reward alone. This is `make demo`.

The base is a Llama of 0.8 million parameters that has imitated right sums, and then a teacher who slips every second
time, so it answers more than half of them wrongly. It is built once and cached. The test split shares no pair of
numbers with the training split, so a rise there is addition and not memory.
"""

from __future__ import annotations

from dataclasses import replace

from rlft.measure.text import text_measures
from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.runs.drive import Run
from rlft.tasks.arithmetic import Arithmetic
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime

# Raised when the base would come out otherwise.
VERSION = 2


def arithmetic(
    method: Method = grpo(beta=0.0, minibatches=2),
    steps: int = 100,
    prompts: int = 32,
    group: int = 16,
    lr: float = 2e-4,
    rows: int | None = None,
    imitation: int = 800,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Two-digit sums by a small character model.

    Args:
        steps: steps in all.
        prompts: sums in a step.
        group: answers to each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base model on right sums, 64 each; a few careless ones follow.
        seed: of everything random but the base.
    """
    task = Arithmetic()
    trainer = Trainer(
        base(imitation, critic=method.critic),
        method,
        task,
        task.reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        watch_kl=True,
        measures=[text_measures],
        runtime=runtime,
    )
    return Run(trainer, steps, Arithmetic(split="test"), measures=[text_measures])


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 sums, answers given, and 100 batches with careless answers."""

    def build() -> Language:
        tokenizer = character_tokenizer("0123456789+=")
        policy = Language(small_llama(len(tokenizer), context=32), tokenizer, max_new_tokens=5)
        stream = Stream(Arithmetic(), seed=0)
        imitate(policy, lambda step: stream.take(64), steps=imitation)
        imitate(policy, lambda step: [careless(problem) for problem in stream.take(64)], steps=100, lr=1e-3)
        return policy

    return cached_language(f"arithmetic-{VERSION}-{imitation}", build, max_new_tokens=5, critic=critic)


def careless(problem: Problem) -> Problem:
    """The problem with its answer, or as often with a slip: off by one or by ten, in either direction."""
    draw = hashed("careless", problem.index, problem.visit)
    slip = (1, -1, 10, -10)[draw % 4] if draw // 4 % 2 else 0
    return replace(problem, answer=str(abs(int(problem.answer) + slip)))
