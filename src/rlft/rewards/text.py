"""Rewards that compare text: equal, the right choice, the right form, similar. Not judges of what a text means."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.metrics.boxes import span
from rlft.rewards.adapt import column, each
from rlft.rewards.answers import marked_answer
from rlft.rewards.notation import unified
from rlft.types import Problem, Reward, Text, UserError
from rlft.types.outputs import opened_tags

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


def label(*, case: bool = False) -> Reward:
    """1 where the answer is the gold one, word for word, else 0; NaN without a gold one.

    The answer is what stands inside the last `<answer>`, else behind the last `</think>`, else all of the completion;
    white space around it does not count, nor, unless `case`, do capitals. For classes and for options by their text.
    """

    def form(text: str) -> str:
        return span(text) if case else span(text).casefold()

    return each(
        lambda problem, output: _NAN if problem.answer is None else float(form(output) == form(str(problem.answer)))
    )


def concluded(*, bare: float = 0.5) -> Reward:
    """`label`, times `bare` where what was thought is followed by `<answer>` at once, without a word between them.

    The reward of OpenVLThinker (Deng et al. 2025, arXiv:2503.17352): 1, 0.5 or 0. An answer without a thought is paid
    in full. With `bare=1` it is `label()`.
    """
    right, compiled = label(), _compiled(r"</think>\s*<answer>")

    def paid(problems: Sequence[Problem], outputs: Sequence[Any]) -> Float[Tensor, "N"]:
        told = [bare if compiled.search(output) else 1.0 for output in outputs]
        return right(problems, outputs) * column(told)

    return paid


def choice(letters: str = "ABCD", *, right: float = 1.0, wrong: float = 0.0) -> Reward:
    """`right` where the completion chooses the letter of the answer, else `wrong`; NaN if the answer is no such letter.

    The choice is, in this order: the letter behind the last `\\boxed{`, `####` or `<answer>`; behind the last "answer
    is" that has one; the letter a completion opens with ("B", "(b)", "B. Paris"); the last one that is said to be
    chosen ("I choose B"); the last one in brackets; the last capital that ends a line or a sentence. So "A train
    leaves" chooses nothing, and neither does "A or B" behind a mark. Punctuation and letters of any script are read
    alike. The answer may be "B", "(B)" or "B. Paris".
    """
    if not letters.isalpha() or len(set(letters.upper())) != len(letters):
        raise UserError(f"choice needs different letters, such as choice('ABCDE'); got {letters!r}")
    return _Choice(letters.upper(), right, wrong)


class _Choice:
    """The reward; `explain` says what was chosen."""

    def __init__(self, letters: str, right: float, wrong: float):
        self.right, self.wrong = right, wrong
        one, end = f"([{letters}])", r"(?![A-Za-z0-9_'])"  # a letter and what shows that it is no word's first
        over, foreign = r"[*_]*[)\]}]*[*_]*", r"(?=[^\x00-\x7f])"
        after = rf"(?:\s*$|[).:,*\]]+(?:\s|$|{foreign})|{foreign})"
        self._opening = re.compile(rf"\s*[(\[*_]*{one}{over}{after}", re.IGNORECASE)
        self._alone = re.compile(rf"(?<![A-Za-z0-9_]){one}{end}(?!(?<=A)\s+[a-z])")  # "A train": an article
        self._hedged = re.compile(rf"[(\[*]*{one}{over}\s*(?:,|/|&|\bor\b|\band\b|或|和)\s*[(\[*]*{one}{end}")
        self._inner = (
            re.compile(
                rf"(?<!not )(?<!n't )\b(?:choose|chose|select|pick)\s+(?:option\s+|answer\s+)?[(\[*]*{one}{end}"
            ),
            re.compile(rf"(?<!不)选(?:择|擇)?(?:项|項)?\s*[:(\[*]*{one}{end}"),
            re.compile(rf"[(\[]{one}[)\]]"),
            re.compile(rf"(?<![A-Za-z0-9_]){one}(?=[*_)]*(?:[.!?,;]*\s*(?:\n|$)|[.!?]+\s))"),
        )

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        return column([self._score(problem, str(outputs[row])) for row, problem in enumerate(problems)])

    def explain(self, problem: Problem, output: Any) -> str:
        wanted = None if problem.answer is None else self.chosen(str(problem.answer))
        return f"chooses {self.chosen(str(output)) or 'nothing'}, the answer is {wanted or 'none of the letters'}"

    def _score(self, problem: Problem, output: str) -> float:
        wanted = None if problem.answer is None else self.chosen(str(problem.answer))
        return _NAN if wanted is None else self.right if self.chosen(output) == wanted else self.wrong

    def chosen(self, text: str) -> str | None:
        """The letter that a text chooses, as a capital."""
        text = unified(text)
        marked = marked_answer(text, lambda inside: bool(self._in_mark(inside) or self._hedged.match(inside)))
        if marked is not None:
            return self._in_mark(marked)
        if found := self._opening.match(text):
            return found[1].upper()
        return next((found[-1] for pattern in self._inner if (found := pattern.findall(text))), None)

    def _in_mark(self, text: str) -> str | None:
        text = re.sub(r"\\[A-Za-z]+\s*|[{}$]", "", text).strip()
        if (hedged := self._hedged.match(text)) and hedged[1].upper() != hedged[2].upper():
            return None
        if found := self._opening.match(text):
            return found[1].upper()
        found = self._inner[2].findall(text) or [one.group() for one in self._alone.finditer(text)]
        return found[-1] if len(set(found)) == 1 else None


def format(pattern: str = r"<think>.*?</think>\s*<answer>.*?</answer>", *, opened: str = "") -> Reward:
    """1 where the whole completion, white space around it aside, matches the pattern; `.` is any character.

    Tags that the prompt ends with (`<think>`), in the data or by its chat template, belong to what is matched, so a
    model need not write them again; `opened="<think>"` says others. Tags may be special tokens, which are read too, but
    for what ended the row.
    """
    compiled = _compiled(pattern)

    def formed(problem: Problem, output: str) -> float:
        known = output if isinstance(output, Text) else Text(output)
        begun = opened or known.opened or _opened(problem.input)
        texts = {text for written in (str(output), known.raw) for text in (written, begun + written)}
        return float(any(compiled.fullmatch(text.strip()) is not None for text in texts))

    return each(formed)


def _opened(prompt: Any) -> str:
    """The tags at the end of a prompt: text, or chat messages, of which the last one counts."""
    if isinstance(prompt, Sequence) and not isinstance(prompt, str) and prompt and isinstance(prompt[-1], Mapping):
        prompt = prompt[-1].get("content")
    return opened_tags(prompt) if isinstance(prompt, str) else ""


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
