"""The mathematics reward: is a completion's answer equal to the gold answer? Not a judge of the reasoning.

Where the answer stands is a matter of `rewards.answers`. Whether two answers are equal is decided by the first of
`RULES` that has something to say, and if none has, by Math-Verify, in a process beside (`mathematics_child`), so that
an expression which takes for ever costs its row and nothing else, on any thread. `docs/math.md` has the rules in words.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.rewards.answers import answer, anything, marked_answer, mathematical
from rlft.rewards.notation import LONGEST, lettered, words
from rlft.rewards.plain_numbers import Number, equal, same_colons
from rlft.rewards.reading import SAME, Reading, read, read_gold
from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.types import Problem, Reward, UserError
from rlft.verifiers.known import Known

__all__ = ["RULES", "Verdict", "compared", "judged", "marked_answer", "math"]

_verifier = Child(SCRIPTS / "mathematics_child.py")
_NAN = float("nan")


# A score, 1, 0 or NaN, and the name of the rule that gave it.
Decision = tuple[float, str]


@dataclass(frozen=True)
class Verdict:
    """1, 0 or NaN, and why: the rule that decided, the gold answer, the completion's, what marked it, what they are."""

    score: float
    rule: str
    gold: Reading | None = None
    given: Reading | None = None
    mark: str = ""
    values: tuple[str, str] | None = None

    def __str__(self) -> str:
        if self.gold is None or self.given is None:
            return self.rule
        gold_value, value = self.values or (self.gold.value, self.given.value)
        gold, given = (" ".join(reading.span.split()) for reading in (self.gold, self.given))
        read = f"'{given}' ({self.mark}) is {value or '?'}" if given else "nothing"
        return f"{read}, gold '{gold}' is {gold_value or '?'}: {self.rule}"


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
    read_ = [None if gold is None else _read(str(gold), output) for gold, output in pairs]
    decisions = [None if row is None else _decided(row[0], row[1], number) for row in read_]
    asked = [(r[0].expression, r[1].expression) for r, d in zip(read_, decisions, strict=True) if r and not d]
    replies = _verified(list(dict.fromkeys(asked)), seconds)
    verdicts = []
    for row, decision in zip(read_, decisions, strict=True):
        if row is None:
            verdicts.append(Verdict(_NAN, "no gold answer"))
        elif decision is not None:
            verdicts.append(Verdict(*decision, *row))
        else:
            score, rule, values = replies[row[0].expression, row[1].expression]
            verdicts.append(Verdict(score, rule, *row, values))
    return verdicts


def _read(gold: str, output: str) -> tuple[Reading, Reading, str]:
    wanted = _gold(gold)
    span = answer(output, wanted.several, anything if wanted.wordy else mathematical)
    return wanted, read(span.text), span.mark


@lru_cache(maxsize=4096)
def _gold(gold: str) -> Reading:
    """A gold answer is marked like a completion's, or all of its text, or, in a text of words, the last expression."""
    marked = marked_answer(gold)
    whole = read_gold(gold if marked is None else marked)
    running = whole.prose and not (whole.wordy or whole.number or whole.phrase in SAME) and len(words(whole.flat)) > 2
    return read_gold(answer(gold).text) if running else whole


# Rules: a decision, or None, which leaves it to the next.


def no_answer(gold: Reading, given: Reading) -> Decision | None:
    """A completion without an answer is wrong."""
    return None if given.span.strip() else (0.0, "no answer")


def choices(gold: Reading, given: Reading) -> Decision | None:
    """A letter of a choice counts whether or not its text stands behind it: `(B) 42` is B, and no product."""
    wanted, found = lettered(gold.span), lettered(given.span)
    if wanted is None or found is None or not (wanted[1] or found[1]):
        return None
    same = wanted[0] == found[0]
    # Two texts behind one letter have to be compared.
    return None if same and wanted[1] and found[1] else (float(same), "choices")


def too_long(gold: Reading, given: Reading) -> Decision | None:
    """No answer has thousands of characters; to parse one would take its row's whole time."""
    return (0.0, "too long for an answer") if len(given.span) > LONGEST else None


def same_text(gold: Reading, given: Reading) -> Decision | None:
    """What is written alike is equal, whatever it means."""
    return (1.0, "same text") if gold.key == given.key and gold.key else None


def plain_numbers(gold: Reading, given: Reading) -> Decision | None:
    """Two numbers that are written out; of an equation that ends in one, that one."""
    number = given.number or given.result
    if gold.number is None or number is None or (gold.number.letter and not number.unit):
        return None
    if equal(gold.number, number):
        return (1.0, "plain numbers")
    if gold.number.comma or number.comma:  # 1,5 may be a list
        return None
    return (0.0, "plain numbers")


def times_and_ratios(gold: Reading, given: Reading) -> Decision | None:
    """Numbers with colons, which Math-Verify would divide: 0:30 is not 0:45. A ratio equals its fraction."""
    a, b = gold.colons, given.colons
    if a and b:
        return (float(same_colons(a, b)), "times and ratios")
    if not (a or b):
        return None
    colons, number = (a, given.number) if a else (b, gold.number)
    ratio = (
        colons is not None and len(colons.parts) == 2 and colons.parts[1] and (number is not None and number.fraction)
    )
    same = ratio and colons is not None and number is not None and colons.parts[0] / colons.parts[1] == number.value
    return (float(bool(same)), "times and ratios")


def bases(gold: Reading, given: Reading) -> Decision | None:
    """Digits with a base, which Math-Verify skips: 101_2 is not 101_3. A base that one side lacks is not missed."""
    if gold.base and given.base:
        return (float(gold.base == given.base), "bases")
    if not (gold.base or given.base):
        return None
    (digits, _), other = (gold.base, given) if gold.base else (given.base or ("", ""), gold)
    return (float(digits == other.key.lower()), "bases")


def lists(gold: Reading, given: Reading) -> Decision | None:
    """Lists and sets of plain numbers hold the same ones, in any order. One of several is not the answer."""
    if not (gold.items or given.items) or gold.bracketed or given.bracketed:
        return None
    wanted, found = gold.numbers(len(given.items)), given.numbers(len(gold.items))
    if wanted is None or found is None:
        return None
    both = (wanted, found), (found, wanted)
    same = all(any(equal(*((x, y) if a is wanted else (y, x))) for y in b) for a, b in both for x in a)
    return (float(same), "lists of numbers")


def worded(gold: Reading, given: Reading) -> Decision | None:
    """An answer in words is the same words, whatever their case. Against mathematics it cannot be judged."""
    if gold.phrase and gold.phrase == given.phrase:
        return (1.0, "same words")
    if not gold.wordy:
        return None
    if given.wordy or not mathematical(given.span):
        return (0.0, "other words")
    return (_NAN, "words against mathematics")


RULES: tuple[Callable[[Reading, Reading], Decision | None], ...] = (
    no_answer,
    same_text,
    choices,
    too_long,
    plain_numbers,
    times_and_ratios,
    bases,
    lists,
    worded,
)


def _decided(gold: Reading, given: Reading, number: bool) -> Decision | None:
    if number and (refused := _number_only(gold, given.number or given.result)):
        return refused
    return next((decision for rule in RULES if (decision := rule(gold, given))), None)


def _number_only(gold: Reading, given: Number | None) -> Decision | None:
    if gold.number is None:
        return (_NAN, "the gold answer is no number")
    unfinished = given is None or (given.fraction and given.value.denominator == 1)
    return (0.0, "not a number that is written out") if unfinished else None


_Asked = tuple[str, str]
_Verified = tuple[float, str, tuple[str, str] | None]
_known = Known[tuple[str, str, float], _Verified]()


def _verified(questions: list[_Asked], seconds: float) -> dict[_Asked, _Verified]:
    """Math-Verify's decisions."""
    asked = [(*question, seconds) for question in questions]
    found = _known.of(asked, lambda new: _decisions([(gold, given) for gold, given, _ in new], seconds))
    return dict(zip(questions, found, strict=True))


def _decisions(questions: list[_Asked], seconds: float) -> list[_Verified]:
    """The same, asked. What takes too long is 0, if the gold answer alone can be read in time."""
    found: dict[_Asked, _Verified] = {}
    late = []
    for question, reply in zip(questions, _verifier.ask_all(questions, seconds=seconds), strict=True):
        if isinstance(reply, Unanswered):
            late.append(question)
        else:
            equal, rule, *values = reply
            found[question] = (_NAN if equal is None else float(equal), rule, (values[0], values[1]))
    alone = [(gold, None) for gold, _ in late]
    for question, reply in zip(late, _verifier.ask_all(alone, seconds=seconds), strict=True):
        readable = not isinstance(reply, Unanswered) and reply[0] is not None
        found[question] = (0.0 if readable else _NAN, f"no verdict within {seconds:g} seconds", None)
    return [found[question] for question in questions]
