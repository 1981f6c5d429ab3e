"""Strings of a few letters from a Markov chain whose likelihood is known exactly. Not a model of any genome.

The smallest stand-in for DNA: what a generator trained on them draws can be judged by the true log-likelihood of each
string, which no reward on the letters needs to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.noise import hashed, uniform
from rlft.types import Problem, UserError

ALPHABET = "ACGT"
_TEST = 5  # one string in so many is for testing
# The chance of the next letter (column) after each letter (row), in alphabetical order: ACGT again and again, mostly.
_NEXT = ((0.1, 0.6, 0.2, 0.1), (0.1, 0.1, 0.6, 0.2), (0.2, 0.1, 0.1, 0.6), (0.6, 0.2, 0.1, 0.1))


class Strings:
    """Problems with no input, whose answer is a string of `length` letters: the first uniform, the next by the chain.

    Without end. A hash of a string says which split it belongs to, one in five to `test`, and what falls into the other
    split is drawn again, so no string is in both. Likelihoods are the chain's, of all strings.
    """

    name = "strings"
    size = None

    def __init__(self, split: str = "train", length: int = 16):
        if split not in ("train", "test"):
            raise UserError(f"strings have the splits 'train' and 'test', not {split!r}")
        if length < 4:
            raise UserError(f"strings have 4 letters or more, or a split may be empty; got {length}")
        self.split, self.length = split, length

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        answer = self._drawn([index])[0]
        return Problem(index=index, input=None, answer=answer, task=self.name, split=self.split)

    def data(self, count: int) -> Int[Tensor, "M L"]:
        """The answers of the first `count` problems as tokens 0 … 3, for training."""
        return tokens_of(self._drawn(range(count)))

    def log_prob(self, strings: Sequence[str]) -> Float[Tensor, "N"]:
        """log p of each string under the chain, in nats, float64."""
        tokens, table = tokens_of(strings), torch.tensor(_NEXT, dtype=torch.float64)
        return -torch.tensor(4.0).double().log() + table[tokens[:, :-1], tokens[:, 1:]].log().sum(dim=1)

    def naturalness(self, problems: Sequence[Problem], outputs: Sequence[str]) -> dict[str, float]:
        """`source/log_prob`, the mean of `log_prob`; `distinct`, different strings over all strings. A measure."""
        distinct = len({str(output) for output in outputs}) / len(outputs)
        return {"source/log_prob": float(self.log_prob(outputs).mean()), "distinct": distinct}

    def _drawn(self, indices: Sequence[int]) -> list[str]:
        """The strings of these indices; those of the other split are drawn again."""
        found: dict[int, str] = {}
        attempt, missing = 0, list(indices)
        while missing:
            drawn = zip(missing, self._attempt(missing, attempt), strict=True)
            found |= {index: string for index, string in drawn if split_of(string) == self.split}
            attempt, missing = attempt + 1, [index for index in missing if index not in found]
        return [found[index] for index in indices]

    def _attempt(self, indices: Sequence[int], attempt: int) -> list[str]:
        keys = torch.tensor([hashed("strings", self.split, self.length, index, attempt) for index in indices])
        u = uniform(keys, self.length)
        reached = torch.tensor(_NEXT, dtype=torch.float64).cumsum(dim=1)[:, :-1]
        tokens = [(u[:, 0] * 4).long()]
        for place in range(1, self.length):
            tokens.append((reached[tokens[-1]] < u[:, place, None]).sum(dim=1))
        return ["".join(ALPHABET[token] for token in row) for row in torch.stack(tokens, dim=1).tolist()]


def split_of(string: str) -> str:
    """The split a string belongs to."""
    return "test" if hashed("strings split", string) % _TEST == 0 else "train"


def tokens_of(strings: Sequence[Any]) -> Int[Tensor, "M L"]:
    """Strings as tokens 0 … 3. UserError for another letter, or strings of different lengths."""
    texts = [str(string) for string in strings]
    wrong = [text for text in texts if not set(text) <= set(ALPHABET) or len(text) != len(texts[0])]
    if wrong:
        raise UserError(f"{wrong[0]!r} is no string of {len(texts[0])} letters of {ALPHABET}")
    return torch.tensor([[ALPHABET.index(letter) for letter in text] for text in texts])
