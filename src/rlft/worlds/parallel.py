"""Sentences and their translations from two files, line by line, and the short ones among them as a dictionary.

Nothing is tokenised, and no language is known: what a word is says `environments.lookup`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlft.environments.lookup import Entry, words_of
from rlft.noise import hashed
from rlft.types import Problem, UserError


class Parallel:
    """Translation from pairs: the source on a line of its own is the prompt, the target the answer.

    pairs      (source, target), as `aligned` reads them
    split      'train' or 'test': a hash of the source's words decides, so no sentence is in both
    held_out   the share of the test split
    name       of the task, and of its noise
    """

    def __init__(self, pairs: Sequence[Entry], split: str = "train", held_out: float = 0.1, name: str = "parallel"):
        if split not in ("train", "test"):
            raise UserError(f"this task has the splits train and test; not {split!r}")
        if not 0 < held_out < 1:
            raise UserError(f"held_out is the share of the test split, between 0 and 1; got {held_out}")
        self.name, self.split = name, split
        self.pairs = [pair for pair in pairs if (_place(pair[0]) < held_out) == (split == "test")]
        self.size = len(self.pairs)
        if not self.pairs:
            raise UserError(f"none of {len(pairs)} pairs is in the split {split!r}; give more, or another held_out")

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        source, target = self.pairs[index]
        return Problem(index, f" {source}\n", target, task=self.name, split=self.split)


def aligned(source: Path, target: Path) -> list[Entry]:
    """The lines of two files, pair by pair; a pair with an empty side, or that stood there before, is left out.

    `UserError` for a file that is missing, empty or no UTF-8, and for files of different lengths.
    """
    ours, theirs = _lines(source), _lines(target)
    if len(ours) != len(theirs):
        raise UserError(f"{source} has {len(ours)} lines and {target} {len(theirs)}; line by line they are pairs")
    both = ((" ".join(one.split()), " ".join(other.split())) for one, other in zip(ours, theirs, strict=True))
    return list(dict.fromkeys(pair for pair in both if all(pair)))


def tabbed(path: Path) -> list[Entry]:
    """A dictionary's entries: a headword, a tab and its translation in each line; other columns are not read."""
    rows = [line.split("\t") for line in _lines(path) if line.strip()]
    if short := [number for number, row in enumerate(rows, 1) if len(row) < 2]:
        raise UserError(f"{path}: entry {short[0]} has no tab; an entry is a headword, a tab and its translation")
    return list(dict.fromkeys((row[0].strip(), row[1].strip()) for row in rows))


def parted(pairs: Sequence[Entry], words: int) -> tuple[list[Entry], list[Entry]]:
    """Pairs whose source has at most so many words, without the full stop behind them, and all others."""
    short, long = [], []
    for pair in pairs:
        if len(words_of(pair[0])) <= words:
            short.append((pair[0].rstrip(". "), pair[1].rstrip(". ")))
        else:
            long.append(pair)
    return [entry for entry in dict.fromkeys(short) if all(entry)], long


def _place(source: str) -> float:
    """Where a sentence lies between 0 and 1, whatever its case and punctuation."""
    return hashed("parallel", *words_of(source)) / 2**63


def _lines(path: Path) -> list[str]:
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None
    if not text.strip():
        raise UserError(f"{path} is empty")
    return text.removesuffix("\n").split("\n")
