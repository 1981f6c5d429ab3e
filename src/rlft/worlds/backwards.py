"""Words written backwards by a character model whose teacher slipped at every second letter: success is rare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from rlft.measure.text import text_measures
from rlft.policies.language.policy import Language
from rlft.tasks.reversal import LETTERS, Reversal
from rlft.training.stream import Stream
from rlft.types import Policy
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
_SLIP = 0.5


def backwards(length: int = 8, slip: float = 0.15, imitation: int = 700, critic: bool = False) -> World:
    """Words written backwards.

    Args:
        length: letters of a word: the longer, the rarer is success.
        slip: share of wrong letters in the demonstrations.
        imitation: supervised steps of the base model, 64 words each, whose teacher slips at every second letter.
    """
    task, test = Reversal(length, slip), Reversal(length, slip, split="test")
    start = distance(base(length, imitation), test)
    policy = base(length, imitation, critic)
    return World(policy, task, test, task.reward, measures=[text_measures], probes=[start], problems=512, samples=4)


def base(length: int, imitation: int, critic: bool = False) -> Language:
    """The cached model."""
    stream = Stream(Reversal(length, _SLIP), seed=0)
    lessons = Lessons(lambda step: stream.take(64), imitation)
    shape = {"width": 48, "layers": 2, "context": 2 * length + 8}
    name = f"dr-po-{VERSION}-{length}-{imitation}"
    return taught(name, LETTERS + "=", lessons, tokens=length + 1, critic=critic, **shape)


def distance(start: Policy, task: Reversal, problems: int = 128) -> Callable[[Any], Mapping[str, float]]:
    """`kl_start`: KL(policy || start), nats a row, estimated on rows drawn from the start of words of its own."""
    asked = [task.at(index) for index in range(10**6, 10**6 + problems)]

    @torch.no_grad()
    def probe(policy: Any) -> dict[str, float]:
        rows = policy.sample(asked, 1, seed=1)
        return {"kl_start": float((rows.logp_old - start.log_prob(rows)).sum(1).mean())}

    return probe
