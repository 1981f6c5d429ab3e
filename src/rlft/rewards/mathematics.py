"""The mathematics reward: is a completion's answer equal to the gold answer? Not a judge of the reasoning.

Where the answer stands is a matter of `rewards.answers`. Whether two answers are equal is decided by the first of
`RULES` that has something to say, and if none has, by Math-Verify, in a process beside (`mathematics_child`), so that an
expression which takes for ever costs its row and nothing else, on any thread. `docs/math.md` has the rules in words.
"""

from __future__ import annotations

import importlib.util
import math as numeric
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.rewards.answers import Span, answer, anything, marked_answer, mathematical
from rlft.rewards.child import Child, Unanswered
from rlft.rewards.notation import words
from rlft.rewards.plain_numbers import Number, equal, same_colons
from rlft.rewards.reading import SAME, Reading, read, read_gold
from rlft.types import Problem, Reward, UserError

__all__ = ["RULES", "Verdict", "compared", "judged", "marked_answer", "math"]

_verifier = Child(Path(__file__).with_name("mathematics_child.py"))
_NAN = float("nan")


@dataclass(frozen=True)
class Verdict:
    """1, 0 or NaN, and why: the rule that decided, the two spans, and what was read in them."""

    score: float
    rule: str
    gold: str = ""
    given: str = ""
    gold_value: str = ""
    given_value: str = ""
    mark: str = ""

    def __str__(self) -> str:
        read = f"read as {self.gold_value or '?'} and {self.given_value or '?'}: " if self.gold else ""
        found = f"{self.given!r} ({self.mark}) against {self.gold!r}, " if self.mark else ""
        return f"{found}{read}{self.rule}"


def math(*, seconds: float = 5.0, number: bool = False) -> Reward:
    r"""1 where the completion's answer equals the gold answer, else 0.

    The gold answer is a number, LaTeX, or a text that ends in `#### 42` or has a `\boxed{42}`. Exact numbers must be
    equal; where a decimal takes part, to six decimals and a relative error of 1e-6. NaN: no gold answer, one that
    Math-Verify cannot read, or words where the completion has mathematics. A comparison that takes more than `seconds`
    of processor time is 0. With `number` only a number that is written out counts, not `9-2` for 7 nor a list with 7.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise UserError("the reward math needs math-verify: pip install 'rlft[tasks]'")
    return _Mathematics(seconds, number)


class _Mathematics:
    """The reward; `explain` says how it came to a verdict."""

    def __init__(self, seconds: float, number: bool):
        self.seconds, self.number = seconds, number

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        pairs = [(problem.answer, str(outputs[row])) for row, problem in enumerate(problems)]
        return column([verdict.score for verdict in judged(pairs, self.seconds, self.number)])

    def explain(self, problem: Problem, output: Any) -> str:
        return str(judged([(problem.answer, str(output))], self.seconds, self.number)[0])


def compared(gold: str, output: str, seconds: float, number: bool = False) -> float:
    """1, 0 or NaN for one gold answer and one completion."""
    return judged([(gold, output)], seconds, number)[0].score


def judged(pairs: Sequence[tuple[Any, str]], seconds: float, number: bool = False) -> list[Verdict]:
    """Verdicts of gold answers and completions; what is left to Math-Verify is asked in one go, each question once."""
    verdicts: list[Verdict | None] = []
    questions: dict[int, tuple[str, str]] = {}
    spans: dict[int, tuple[Reading, Span]] = {}
    for row, (gold, output) in enumerate(pairs):
        if gold is None:
            verdicts.append(Verdict(_NAN, "no gold answer"))
            continue
        wanted = _gold(str(gold))
        span = answer(output, wanted.several, anything if wanted.wordy else mathematical)
        given = read(span.text)
        spans[row] = wanted, span
        verdict = _decided(wanted, given, number)
        verdicts.append(verdict and _described(verdict, wanted, given))
        if verdict is None:
            questions[row] = (wanted.expression, given.expression)
    replies = _verified(list(dict.fromkeys(questions.values())), seconds)
    for row, question in questions.items():
        verdicts[row] = replies[question]
    return [
        _located(verdict, *spans[row]) if row in spans else verdict for row, verdict in enumerate(verdicts) if verdict
    ]


@lru_cache(maxsize=4096)
def _gold(gold: str) -> Reading:
    """A gold answer is marked like a completion's, or all of its text, or, in a text of words, the last expression."""
    marked = marked_answer(gold)
    whole = read_gold(gold if marked is None else marked)
    running = whole.prose and not (whole.wordy or whole.number or whole.phrase in SAME) and len(words(whole.flat)) > 2
    return read_gold(answer(gold).text) if running else whole


def _described(verdict: Verdict, gold: Reading, given: Reading) -> Verdict:
    return replace(verdict, gold_value=gold.value, given_value=given.value)


def _located(verdict: Verdict, gold: Reading, span: Span) -> Verdict:
    return replace(verdict, gold=gold.span, given=span.text, mark=span.mark if span.texts else "nothing")


# Rules: a verdict, or None, which leaves it to the next. ---------------------------------------------------------------


def no_answer(gold: Reading, given: Reading) -> Verdict | None:
    """A completion without an answer is wrong."""
    return None if given.span.strip() else Verdict(0.0, "no answer")


def same_text(gold: Reading, given: Reading) -> Verdict | None:
    """What is written alike is equal, whatever it means."""
    return Verdict(1.0, "same text") if gold.key == given.key and gold.key else None


def plain_numbers(gold: Reading, given: Reading) -> Verdict | None:
    """Two numbers that are written out; of an equation that ends in one, that one."""
    number = given.number or given.result
    if gold.number is None or number is None or (gold.number.letter and not number.unit):
        return None
    if equal(gold.number, number):
        return Verdict(1.0, "plain numbers")
    if gold.number.comma or number.comma:  # 1,5 may be a list
        return None
    return Verdict(0.0, "plain numbers")


def times_and_ratios(gold: Reading, given: Reading) -> Verdict | None:
    """Numbers with colons, which Math-Verify would divide: 0:30 is not 0:45. A ratio equals its fraction."""
    a, b = gold.colons, given.colons
    if a and b:
        return Verdict(float(same_colons(a, b)), "times and ratios")
    if not (a or b):
        return None
    colons, number = (a, given.number) if a else (b, gold.number)
    ratio = (
        colons is not None and len(colons.parts) == 2 and colons.parts[1] and (number is not None and number.fraction)
    )
    same = ratio and colons is not None and number is not None and colons.parts[0] / colons.parts[1] == number.value
    return Verdict(float(bool(same)), "times and ratios")


def lists(gold: Reading, given: Reading) -> Verdict | None:
    """Lists and sets of plain numbers hold the same ones, in any order. One of several is not the answer."""
    if not (gold.items or given.items) or gold.bracketed or given.bracketed:
        return None
    wanted, found = gold.numbers(), given.numbers()
    if wanted is None or found is None:
        return None
    both = (wanted, found), (found, wanted)
    same = all(any(equal(*((x, y) if a is wanted else (y, x))) for y in b) for a, b in both for x in a)
    return Verdict(float(same), "lists of numbers")


def worded(gold: Reading, given: Reading) -> Verdict | None:
    """An answer in words is the same words, whatever their case. Against mathematics it cannot be judged."""
    if gold.phrase and gold.phrase == given.phrase:
        return Verdict(1.0, "same words")
    if not gold.wordy:
        return None
    if given.wordy or not mathematical(given.span):
        return Verdict(0.0, "other words")
    return Verdict(_NAN, "words against mathematics")


RULES: tuple[Callable[[Reading, Reading], Verdict | None], ...] = (
    no_answer,
    same_text,
    plain_numbers,
    times_and_ratios,
    lists,
    worded,
)


def _decided(gold: Reading, given: Reading, number: bool) -> Verdict | None:
    if number and (refused := _number_only(gold, given.number or given.result)):
        return refused
    return next((verdict for rule in RULES if (verdict := rule(gold, given))), None)


def _number_only(gold: Reading, given: Number | None) -> Verdict | None:
    if gold.number is None:
        return Verdict(_NAN, "the gold answer is no number")
    unfinished = given is None or given.fraction and given.value.denominator == 1
    return Verdict(0.0, "not a number that is written out") if unfinished else None


_known: dict[tuple[str, str, float], Verdict] = {}


def _verified(questions: list[tuple[str, str]], seconds: float) -> dict[tuple[str, str], Verdict]:
    """Math-Verify's verdicts. What takes too long is 0, if the gold answer alone can be read in time."""
    if len(_known) > 65536:
        _known.clear()
    new = [question for question in questions if (*question, seconds) not in _known]
    late = []
    for question, reply in zip(new, _verifier.ask_all(new, seconds=seconds), strict=True):
        if isinstance(reply, Unanswered):
            late.append(question)
        else:
            score, rule, gold, given = reply
            _known[(*question, seconds)] = Verdict(_NAN if score is None else float(score), rule, "", "", gold, given)
    alone = [(gold, None) for gold, _ in late]
    for question, reply in zip(late, _verifier.ask_all(alone, seconds=seconds), strict=True):
        readable = not isinstance(reply, Unanswered) and reply[0] is not None
        _known[(*question, seconds)] = Verdict(0.0 if readable else _NAN, f"no verdict within {seconds:g} seconds")
    return {question: _known[(*question, seconds)] for question in questions}
