"""What was asked before and answered, by content, so that nothing is asked twice. Asks nothing itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, final

Asked = TypeVar("Asked")
Found = TypeVar("Found")


@final
class Known(Generic[Asked, Found]):
    """Remembers answers to questions that are told apart by their `repr`.

    settled  whether an answer would be the same again; the others are asked anew
    most     answers that are kept; with more all are forgotten

    May be shared by threads, of which two may then find the same.
    """

    def __init__(self, settled: Callable[[Found], bool] = lambda found: True, most: int = 65536):
        self.settled, self.most = settled, most
        self._kept: dict[str, Found] = {}

    def of(self, asked: Sequence[Asked], find: Callable[[list[Asked]], Sequence[Found]]) -> list[Found]:
        """The answer to each; `find` gives those to the questions that are new, which it gets once each."""
        if len(self._kept) > self.most:
            self._kept = {}
        kept, keys = self._kept, [_key(one) for one in asked]
        new = {key: one for key, one in zip(keys, asked, strict=True) if key not in kept}
        found = dict(zip(new, find(list(new.values())), strict=True))
        answers = [found[key] if key in found else kept[key] for key in keys]
        kept |= {key: answer for key, answer in found.items() if self.settled(answer)}
        return answers


def _key(asked: object) -> str:
    """Texts of a model may be long and are no keys to keep."""
    return hashlib.sha256(repr(asked).encode("utf-8", "replace")).hexdigest()
