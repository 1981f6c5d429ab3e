"""Rewards that compare text: equal, the right choice, the right form, similar. Not judges of what a text means."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from rlft.rewards.adapt import each
from rlft.rewards.mathematics import marked_answer
from rlft.types import Problem, Reward, UserError

_NAN = float("nan")


def exact(*, strip: bool = True, case: bool = True) -> Reward:
    """1 where the completion is the answer, else 0; NaN without an answer.

    `strip` ignores white space around both, `case=False` the difference between upper and lower case.
    """

    def form(text: str) -> str:
        text = text.strip() if strip else text
        return text if case else text.casefold()

    def equal(problem: Problem, output: str) -> float:
        return _NAN if problem.answer is None else float(form(output) == form(str(problem.answer)))

    return each(equal)


def choice(letters: str = "ABCD") -> Reward:
    """1 where the completion chooses the letter of the answer, else 0; NaN if the answer is none of the letters.

    The choice is, in this order: the letter behind the last `\\boxed{`, `####`, `<answer>` or "answer is"; the letter a
    completion opens with ("B", "(b)", "B. Paris"); the last one in brackets; the last capital that ends a line or a
    sentence. So "A train leaves" chooses nothing. The answer may be "B", "(B)" or "B. Paris".
    """
    if not letters.isalpha() or len(set(letters.upper())) != len(letters):
        raise UserError(f"choice needs different letters, such as choice('ABCDE'); got {letters!r}")
    some = f"[{letters.upper()}]"
    alone = re.compile(rf"(?<!\w){some}(?![\w'’])", re.IGNORECASE)
    opening = re.compile(rf"\s*[(\[*]*({some})[)\]*]*(?:\s*$|[).:,\]*]+(?:\s|$))", re.IGNORECASE)
    inner = [re.compile(rf"[(\[]({some})[)\]]"), re.compile(rf"(?<!\w)({some})(?=[.,;!?*]*(?:\s*\n|\s*$))")]

    def chosen(text: str) -> str | None:
        if (marked := marked_answer(text)) is not None:
            found = opening.match(marked) or alone.search(marked)
            return found.group().strip(" ()[]*.:,").upper()[:1] if found else None
        if found := opening.match(text):
            return found.group(1).upper()
        return next((found[-1] for pattern in inner if (found := pattern.findall(text))), None)

    def right(problem: Problem, output: str) -> float:
        wanted = None if problem.answer is None else chosen(str(problem.answer))
        return _NAN if wanted is None else float(chosen(output) == wanted)

    return each(right)


def format(pattern: str = r"<think>.*?</think>\s*<answer>.*?</answer>") -> Reward:
    """1 where the whole completion, white space around it aside, matches the pattern; `.` is any character."""
    compiled = _compiled(pattern)
    return each(lambda problem, output: float(compiled.fullmatch(output.strip()) is not None))


def regex(pattern: str) -> Reward:
    """1 where the pattern is found somewhere in the completion; `.` is any character."""
    compiled = _compiled(pattern)
    return each(lambda problem, output: float(compiled.search(output) is not None))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise UserError(f"{pattern!r} is not a regular expression: {error}") from None


def similarity(*, unit: str = "characters") -> Reward:
    """1 - d / max(|a|, |b|), with d the Levenshtein distance of completion and answer; NaN without an answer.

    1 where they are equal (two empty texts too), 0 where nothing agrees. White space around both is ignored.
    """
    if unit not in ("characters", "words"):
        raise UserError(f"similarity counts unit='characters' or 'words'; got {unit!r}")

    def parts(text: str) -> Sequence[str]:
        return text.strip() if unit == "characters" else text.split()

    def similar(problem: Problem, output: str) -> float:
        if problem.answer is None:
            return _NAN
        a, b = parts(output), parts(str(problem.answer))
        return 1.0 - levenshtein(a, b) / max(len(a), len(b), 1)

    return each(similar)


def levenshtein(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The least number of insertions, deletions and substitutions between two sequences.

    Bit-parallel (Hyyrö 2003, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances"): a column
    of the table is two integers of |a| bits, the places where it rises and where it falls.
    """
    if not a:
        return len(b)
    places: dict[Hashable, int] = {}
    for place, item in enumerate(a):
        places[item] = places.get(item, 0) | 1 << place
    full, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = full, 0, len(a)
    for item in b:
        match = places.get(item, 0)
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        up, down = falls | ~(diagonal | rises) & full, rises & diagonal
        distance += bool(up & last) - bool(down & last)
        up, down = (up << 1 | 1) & full, down << 1 & full
        rises, falls = down | ~(diagonal | up) & full, up & diagonal
    return distance
