"""Rewards of short strings: a motif, a random network, and a number that nothing foretells. Not of language."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.noise import hashed
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, UserError


def motif(*, letters: str) -> Reward:
    """The number of places where these letters stand one after the other, overlaps included."""
    if not letters:
        raise UserError("a motif has one letter or more")
    return each(lambda problem, output: float(sum(output.startswith(letters, i) for i in range(len(output)))))


def unforeseeable(*, seed: int = 0) -> Reward:
    """A hash of the whole output, as if uniform on [0, 1): outputs that differ in one letter have nothing in common.

    No value of a half-made output says more than the mean, 1/2, so nothing can steer towards it; picking the best of
    N finished ones gets N/(N + 1).
    """
    return each(lambda problem, output: hashed("unforeseeable", seed, str(output)) / 2**63)


def random_network(*, alphabet: str, length: int, width: int = 64, gain: float = 1.5, seed: int = 0) -> Reward:
    """A fixed network of random weights on strings, Σ_j v_j tanh(w_j · onehot + b_j)/√width: a stand-in for a measured
    activity, which depends on all letters at once and prefers no natural string.

    v ~ N(0, 1), w ~ N(0, gain²/length), b ~ N(0, 1). UserError for a string of another length or letter.
    """
    draws = torch.Generator().manual_seed(seed)
    v = torch.randn(width, generator=draws, dtype=torch.float64) / width**0.5
    w = torch.randn(length, len(alphabet), width, generator=draws, dtype=torch.float64) * gain / length**0.5
    b = torch.randn(width, generator=draws, dtype=torch.float64)
    places = torch.arange(length)

    def reward(problems: Sequence[Problem], outputs: Sequence[str]) -> Float[Tensor, "N"]:
        texts = [str(output) for output in outputs]
        if wrong := [text for text in texts if len(text) != length or not set(text) <= set(alphabet)]:
            raise UserError(f"{wrong[0]!r} is no string of {length} letters of {alphabet!r}")
        tokens = torch.tensor([[alphabet.index(letter) for letter in text] for text in texts])
        return (w[places, tokens].sum(dim=1) + b).tanh() @ v

    return reward
