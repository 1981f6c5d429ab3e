"""A character model that half knows how to add, taught by reward alone. This is `make demo`.

The base is a Llama of 0.8 million parameters that has imitated sums for a little while and is cached. The test split
shares no pair of numbers with the training split, so a rise there is addition and not memory.
"""

from __future__ import annotations

from pathlib import Path

from rlft.cache import cached
from rlft.measure.text import text_measures
from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language import Language
from rlft.policies.pretrain import imitate
from rlft.runs import Run
from rlft.tasks.arithmetic import Arithmetic
from rlft.tasks.stream import Stream
from rlft.trainer import Trainer
from rlft.types import Method, Runtime

# Raised when the base would come out otherwise.
VERSION = 1


def arithmetic(
    method: Method = grpo(beta=0.0),
    steps: int = 60,
    prompts: int = 32,
    group: int = 16,
    lr: float = 5e-4,
    rows: int | None = None,
    imitation: int = 300,
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
        imitation: supervised steps of the base model: fewer leave it weaker.
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
    """The cached model after `imitation` batches of 64 sums, answers given."""

    def build() -> Language:
        tokenizer = character_tokenizer("0123456789+=")
        policy = Language(small_llama(len(tokenizer), context=32), tokenizer, max_new_tokens=5)
        stream = Stream(Arithmetic(), seed=0)
        imitate(policy, lambda step: stream.take(64), steps=imitation)
        return policy

    def load(path: Path) -> Language:
        return Language.load(path, max_new_tokens=5, critic=critic)

    return cached(f"arithmetic-{VERSION}-{imitation}", build, lambda policy, path: policy.save(path), load)
