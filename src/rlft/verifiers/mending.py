"""Failed proofs mended by automatic tactics. After ProofAug (Liu et al. 2025, arXiv:2501.18310), as ProofSeek uses it.

What a prover takes of a proof stands. Where it refuses a sentence, this one and all that follows under its goal give
way to automatic tactics; if these do not do it, the step before gives way as well, then the one before that, up to the
statement itself. What stands behind, for other goals, is kept, and mended in turn. The prover checks each try as it
checks any text, so nothing passes that it would not take, and a proof that it takes is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from rlft.errors import UserError
from rlft.verifiers.proved import Proved

Task = TypeVar("Task")
Place = tuple[int, ...]
"""The blocks that are open, each by the number of the sentence that opened it."""


def mended(
    check: Callable[[Sequence[tuple[Task, str]]], list[Proved]],
    pairs: Sequence[tuple[Task, str]],
    tactics: Sequence[str],
    split: Callable[[str], list[str] | None],
    tries: int = 8,
) -> list[tuple[str, Proved]]:
    """For each task and text a text and what the prover says of it: the mended one if it is proved, else its own.

    check    a prover, which says how many of a text's sentences stand
    tactics  automatic ones, tried in this order on each goal that is left: tauto, lia
    split    the sentences of a text; None for one that is not to be mended
    tries    for each text, at most; all texts' are checked together
    """
    last = automatic(tactics)
    said = check(pairs)
    found = [(text, proved) for (_, text), proved in zip(pairs, said, strict=True)]
    going: dict[int, Generator[str, Proved, None]] = {}
    tried: dict[int, str] = {}
    for row, (text, proved) in enumerate(found):
        sentences = split(text) if proved.ok is False and proved.stands is not None else None
        if sentences is not None:
            going[row] = _tries(sentences, proved, last)
            tried[row] = next(going[row])
    for _ in range(tries):
        asked = list(tried)
        for row, proved in zip(asked, check([(pairs[row][0], tried[row]) for row in asked]), strict=True):
            if proved.ok:
                found[row] = (tried.pop(row), proved)
                continue
            try:
                tried[row] = going[row].send(proved)
            except StopIteration:
                del tried[row]
        if not tried:
            break
    return found


def automatic(tactics: Sequence[str]) -> str:
    """The sentence that proves all goals that are left, each by the first of the tactics that does, or is refused."""
    if not tactics or not all(tactic.strip() for tactic in tactics):
        raise UserError(f"a failed proof is mended by tactics such as tauto or lia; got {', '.join(tactics)!r}")
    return f"all: first [{' | '.join(f'solve [{tactic.strip()}]' for tactic in tactics)}]."


def _tries(sentences: list[str], proved: Proved, last: str) -> Generator[str, Proved, None]:
    """Texts to be tried, nearest first; each is answered with what the prover says of it."""
    places = _places(sentences, proved.stands or 0, last)
    while places:
        at = places.pop(0)
        text = _without(sentences, at, last)
        said = yield "\n".join(text)
        stands = said.stands or 0
        if at < stands and (stands < len(text) or text[-1] != last):  # its goal is proved, and another one is not
            sentences, places = text, _places(text, stands, last)


def _places(sentences: Sequence[str], stands: int, last: str) -> list[int]:
    """Where the automatic tactics may go in: where it fails, and before each step on the way there, backwards."""
    open_at = _blocks(sentences)
    stands = min(stands, len(sentences))
    here = open_at[stands]
    return [
        at
        for at in range(stands, -1, -1)
        if open_at[at] == here[: len(open_at[at])]
        and sentences[at - 1 : at] != [last]
        and (at == stands or not _mark(sentences[at]))
    ]


def _without(sentences: Sequence[str], at: int, last: str) -> list[str]:
    """The sentences with automatic tactics from `at` to the end of the block there; open braces are closed."""
    open_at = _blocks(sentences)
    here = open_at[at]
    end = next((k for k in range(at, len(sentences)) if open_at[k + 1][: len(here)] != here), len(sentences))
    kept = [*sentences[:at], last, *sentences[end:]]
    if end == len(sentences):
        kept += ["}", last] * sum(sentences[block].endswith("{") for block in here)
    return kept


def _blocks(sentences: Sequence[str]) -> list[Place]:
    """The blocks that are open before each sentence and at the end: of braces, and of bullets."""
    found: list[Place] = [()]
    for at, sentence in enumerate(sentences):
        here = found[-1]
        if sentence == "}":
            braces = [level for level, block in enumerate(here) if sentences[block].endswith("{")]
            here = here[: braces[-1]] if braces else here
        elif sentence.endswith("{"):
            here = (*here, at)
        elif _mark(sentence):
            inner = max((level + 1 for level, block in enumerate(here) if sentences[block].endswith("{")), default=0)
            same = [level for level in range(inner, len(here)) if sentences[here[level]] == sentence]
            here = (*(here[: same[0]] if same else here), at)
        found.append(here)
    return found


def _mark(sentence: str) -> bool:
    """Whether it opens or closes a block."""
    return sentence.endswith(("{", "}")) or not sentence.strip("-+*")
