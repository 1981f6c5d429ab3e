"""Masked diffusion over 16 letters that a Markov chain has written, and rewards of what it writes."""

from __future__ import annotations

import functools
from typing import Literal

from torch import Tensor

from rlft.models.token_denoiser import strings_base
from rlft.policies.stepwise.masked import Masked
from rlft.policies.stepwise.reveal_rules import in_random_order
from rlft.rewards.strings import motif, random_network, unforeseeable
from rlft.tasks.strings import ALPHABET, Strings
from rlft.worlds import World

LENGTH = 16
Liked = Literal["strings", "motif", "hash"]


def liked(by: Liked = "strings", iterations: int = 1500) -> World:
    """Strings that a random network likes, that hold a rare motif, or that have a high hash."""
    train, test = Strings("train"), Strings("test")
    base = strings_base(_taught(), len(ALPHABET), iterations=iterations)
    rewards = {
        "strings": lambda: random_network(alphabet=ALPHABET, length=LENGTH),
        "motif": lambda: motif(letters="GAT"),
        "hash": unforeseeable,
    }
    policy = Masked(base, alphabet=ALPHABET, length=LENGTH, steps=LENGTH, rule=in_random_order())
    natural = [test.naturalness]
    return World(policy, train, test, rewards[by](), measures=natural, watched=natural)


@functools.cache
def _taught() -> Tensor:
    """The strings that the base model has seen."""
    return Strings("train").data(10_000)
