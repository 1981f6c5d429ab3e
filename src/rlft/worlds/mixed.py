"""Models pre-trained from scratch on a known mixture of three ways to answer the same question, in two sizes.

A question, `7a+2b-3......=`, is a chain of up to four operations on digits, filled up with dots: 9, and then 6. What is
asked for is every result on the way. It is answered in one of three formats, and the first character shows in which:

    program   `p7a2+b3-`    the chain in postfix notation; who judges runs it, so that nothing has to be worked out
    tagged    `<9><6>`      the results in tags
    text      `a=9b=6`      the results in words

The corpora differ in quality, as those of the paper do: of a hundred programs 55 are wrong, of the tagged answers
seventy, of the texts two. To copy is soon learned and to add is not, so that the small model is best at
programs, and the large one, which can add, at text. One question in six has a `#`, which takes away; all corpora take
it for `+`, so that hardly any draw answers it: 64 of them do not solve everything. No question to learn from has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.measure.formats import Formats, by_format, voted
from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import each
from rlft.training.evaluate import evaluate
from rlft.types import Problem, Reward, Sampler, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when a base would come out otherwise.
VERSION = 1
FORMATS = ("program", "tagged", "text")
KNOWN = Formats((("program", re.compile("p").match), ("tagged", re.compile("<").match)), rest="text")
SHARES = {"program": 30, "tagged": 40, "text": 30}  # of a hundred answers of the corpus
_WRONG = {"program": 55, "tagged": 70, "text": 2}  # of a hundred answers of each
Size = Literal["small", "large"]
SHAPES: dict[Size, dict[str, Any]] = {
    "small": {"width": 24, "layers": 1, "heads": 4, "context": 40},
    "large": {"width": 64, "layers": 2, "heads": 4, "context": 40},
}
LABELS = "abcd"
ALPHABET = "0123456789+-#=p<>." + LABELS
EASY, HARD = (2, 3), (4,)
TOKENS = 3 * len(LABELS) + 3
_FOREIGN = 6  # one question in so many has a sign that the corpora misread


class Chains:
    """Chains of so many operations, in turn; `columns["operations"]` says how many, the answer is their results.

    Splits are two halves of all questions, by a hash. Without a `size` there is no end of them; with `foreign` one in
    six has a sign that the corpora misread.
    """

    def __init__(self, operations: Sequence[int], size: int | None = None, split: str = "train", foreign: bool = True):
        self.operations, self.size, self.split, self.foreign = tuple(operations), size, split, foreign
        self.name = f"mixed-{'-'.join(map(str, self.operations))}"
        self.reward: Reward = each(right)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        count, attempt = self.operations[index % len(self.operations)], 0
        while hashed(chain := self._drawn(index, count, attempt)) % 2 != ("train", "test").index(self.split):
            attempt += 1
        asked, told = f"{chain:.<{1 + 3 * len(LABELS)}}=", {"operations": count}
        return Problem(index, asked, results(chain), told, self.name, self.split, demonstration=written(chain, "text"))

    def _drawn(self, index: int, count: int, attempt: int) -> str:
        draw = hashed(self.name, self.split, index, attempt)
        signs = ["+-"[hashed(draw, label) % 2] for label in LABELS[:count]]
        if self.foreign and index % _FOREIGN == _FOREIGN - 1:
            # Not the first: a program that misreads the first digit would make up for it now and then.
            signs[1 + draw // 10 % (count - 1)] = "#"
        rest = (f"{one}{sign}{hashed(draw, one) // 2 % 3 + 1}" for one, sign in zip(LABELS, signs, strict=False))
        return str(draw % 10) + "".join(rest)


def results(chain: str) -> str:
    """The results on the way, last digits: `96` of `7a+2b-3`."""
    digit, found = int(chain[0]), ""
    for sign, by in re.findall(r"([-+#])(\d)", chain):
        digit = (digit + (int(by) if sign == "+" else -int(by))) % 10
        found += str(digit)
    return found


def written(chain: str, format: str) -> str:
    """The right answer to `7a+2b-3` in a format."""
    if format == "program":
        return "p" + chain[0] + re.sub(r"([a-d])([-+#])(\d)", r"\1\3\2", chain[1:])
    done = zip(LABELS, results(chain), strict=False)
    return "".join(f"<{one}>" if format == "tagged" else f"{label}={one}" for label, one in done)


def answer(output: str) -> str | None:
    """What an output says the results are, whatever its format; None where it is in none."""
    if program := re.fullmatch(r"p(\d)(?:[a-d]\d[-+])+", output):
        return results(program[1] + re.sub(r"([a-d])(\d)([-+])", r"\1\3\2", output[2:]))
    if re.fullmatch(r"(?:<\d>)+|(?:[a-d]=\d)+", output):
        return "".join(re.findall(r"\d", output))
    return None


def right(problem: Problem, output: str) -> float:
    """1 where a row has ended by itself and comes to the answer, in whatever format."""
    ended = not (isinstance(output, Text) and output.truncated)
    return float(ended and answer(str(output)) == problem.answer)


def corpus(problem: Problem) -> Problem:
    """The question as the corpus answers it: a format as often as its share says, wrong as often as that format is.

    `#` is taken for `+`. A wrong answer is the right one to a question in which one digit was misread.
    """
    draw, chain = hashed("corpus", *problem.key), problem.input.rstrip(".=").replace("#", "+")
    format = drawn_format(draw % 100)
    if hashed(draw, "wrong") % 100 < _WRONG[format]:
        chain = misread(chain, hashed(draw, "misread"))
    return replace(problem, demonstration=written(chain, format))


def drawn_format(draw: int) -> str:
    """The format in which this one of a hundred answers is written."""
    for name, share in SHARES.items():
        if draw < share:
            return name
        draw -= share
    raise ValueError(f"shares are of a hundred answers, and {draw} are left")


def misread(chain: str, draw: int) -> str:
    """The chain with another digit in place of one: any where it begins, one of 1 to 3 in an operation."""
    places = [at for at, sign in enumerate(chain) if sign.isdigit()]
    at, draw = places[draw % len(places)], draw // len(places)
    digit = int(chain[at])
    other = (digit + 1 + draw % 9) % 10 if at == 0 else (digit + draw % 2) % 3 + 1
    return f"{chain[:at]}{other}{chain[at + 1 :]}"


def mixed(
    size: Size = "large",
    imitation: int = 1000,
    asked: int = 96,
    draws: int = 64,
    critic: bool = False,
) -> World:
    """Chains of two or three operations to learn from, by a model that was pre-trained on answers in three formats.

    Args:
        size: of the model: `small`, one layer, or `large`, two of twice the width.
        imitation: steps of pre-training, 64 answers each.
        asked: held-out questions, and as many of four operations, which are never learned from.
        draws: answers to each.
    """
    policy = base(size, imitation, critic)
    task, test, hard = Chains(EASY, foreign=False), Chains(EASY, asked, "test"), Chains(HARD, asked // 2, "test")
    told = by_format(KNOWN, task.reward)
    measures = [text_measures, told, voted(answer, task.reward)]
    return World(
        policy, task, test, task.reward, measures=measures, watched=[told], probes=[Harder(hard, draws)], samples=draws
    )


class Harder:
    """A probe: harder questions than those that were learned from.

    hard              share of right answers, pass@1
    hard/pass@K       of as many draws as there are
    hard/majority     whether the answer that most draws give is right
    """

    def __init__(self, task: Chains, draws: int):
        self.task, self.draws = task, draws

    def __call__(self, policy: Sampler) -> Mapping[str, float]:
        reward = self.task.reward
        found = evaluate(policy, self.task, reward, samples=self.draws, measures=[voted(answer, reward)])
        passes = {f"hard/pass@{self.draws}": found.passes[self.draws]}
        return {"hard": found.mean, **passes, "hard/majority": found.measures["majority"]}


def base(size: Size, imitation: int, critic: bool = False) -> Language:
    """The cached model of this size after so many batches of 64 answers of the corpus."""
    task = Chains((*EASY, *HARD))

    def lessons(step: int) -> list[Problem]:
        return [corpus(task.at(index)) for index in range(64 * step, 64 * step + 64)]

    lesson = Lessons(lessons, imitation)
    return taught(f"mixed-{VERSION}-{size}-{imitation}", ALPHABET, lesson, tokens=TOKENS, critic=critic, **SHAPES[size])
