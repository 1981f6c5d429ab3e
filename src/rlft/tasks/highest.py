"""The highest of many entries that are read page by page, digits and letters apart. Not a reasoning benchmark."""

from __future__ import annotations

from rlft.noise import hashed
from rlft.rewards.text import exact
from rlft.types import Problem, Reward, UserError

DIGITS, LETTERS = "0123456789", "abcdefghij"
_SPLITS = ("train", "test")


class Highest:
    """The prompt `:`, and pages such as `1c0f` in `columns["pages"]`, for `environments.pages.Pages`.

    There are `shortest` to `longest` pages, each with `each` digits and as many letters in any order. The answer is the
    highest digit and the latest letter of all, `3h`, each of which stands on one page only, anywhere; the reward is 1
    for exactly that, else 0. Splits are two halves of all problems, by a hash; there is no end of them.
    """

    size = None

    def __init__(self, shortest: int = 4, longest: int = 12, each: int = 2, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"highest has the splits {', '.join(_SPLITS)}; not {split!r}")
        if not 1 <= shortest <= longest or each < 1:
            raise UserError(f"there are 1 <= shortest <= longest pages of entries; got {shortest}, {longest}, {each}")
        self.shortest, self.longest, self.each, self.split = shortest, longest, each, split
        self.name = f"highest-{shortest}-{longest}-{each}"
        self.reward: Reward = exact()

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        attempt = 0
        while True:
            answer, pages = self._made(hashed(self.name, self.split, index, attempt))
            if hashed(*pages) % 2 == _SPLITS.index(self.split):
                return Problem(index, ":", answer, {"pages": pages}, task=self.name, split=self.split)
            attempt += 1

    def _made(self, draw: int) -> tuple[str, list[str]]:
        count = self.shortest + draw % (self.longest - self.shortest + 1)
        digits, letters = (self._entries(kind, count * self.each, draw) for kind in (DIGITS, LETTERS))
        pages = []
        for page in range(count):
            here = slice(page * self.each, (page + 1) * self.each)
            entries = list(enumerate(digits[here] + letters[here]))
            entries.sort(key=lambda entry: hashed(draw, "order", page, entry[0]))
            pages.append("".join(entry for _, entry in entries))
        return max(digits) + max(letters), pages

    def _entries(self, kind: str, count: int, draw: int) -> list[str]:
        """One that is highest, and the others below it."""
        top = 1 + hashed(draw, kind, "top") % (len(kind) - 1)
        entries = [kind[hashed(draw, kind, place) % top] for place in range(count)]
        entries[hashed(draw, kind, "place") % count] = kind[top]
        return entries
