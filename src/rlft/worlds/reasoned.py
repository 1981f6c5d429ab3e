"""Things in a picture listed and their prices added up before the answer is given; a reasoner that only reads captions.

    <think> green 1 disc 2 yellow 5 square 5</think>5<answer>5</answer>

What is thought is a caption, added up at every word, and then the number is written down.
The first traces to imitate are a program's, which adds right but reads a caption with mistakes in it; those with a
right answer are kept. The base has seen many captions and bare answers. It can think before it answers but seldom
does, and its captions are then mostly wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from rlft.metrics.boxes import span
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.text import concluded, label
from rlft.tasks.priced import NAMES, PRICE_WORDS, QUESTION, price, priced, worth
from rlft.tasks.shapes import Shapes, asked_again
from rlft.tasks.tagged import right
from rlft.training.stream import Stream
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.looking import taught
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise.
VERSION = 5
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
WORDS = (*PRICE_WORDS, *_TAGS, "what is there?", "think: ")
_TOKENS = 26
_THOUGHT = re.compile(r"<think>(.*?)</think>")


def reasoned(
    pictures: int = 256,
    held_out: int = 512,
    mistakes: float = 0.3,
    imitation: int = 1000,
    looks: int = 1000,
    critic: bool = False,
) -> World:
    """What the things in a picture are worth, thought over first or not.

    Args:
        pictures: problems to learn from, over and over.
        held_out: held-out problems.
        mistakes: how often the captions that the reasoner reads name a thing wrongly; as often they leave one out.
        imitation: supervised steps of the base model, 32 questions each; fewer where they are less than 320.
        looks: supervised steps of its tower, 64 pictures each.
    """
    policy = base(imitation, looks, critic)
    task = Shapes("reasoned", priced(), size=pictures)
    test = Shapes("reasoned", priced(), "test", held_out)
    return World(policy, Captioned(task, mistakes), test, concluded(), label(), [told])


def told(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Shares of all answers: `thinks`, there is a thought in it; `caption`, it names all that is there and nothing
    else, in whatever order; `follows`, the answer is what it says. And `tokens` in the mean."""
    thinks, seen, follows = [], [], []
    for problem, output in zip(problems, outputs, strict=True):
        thought = _THOUGHT.search(output)
        names = captioned(thought[1]) if thought else []
        thinks.append(thought is not None)
        seen.append(thinks[-1] and sorted(names) == sorted(one["label"] for one in problem.columns["things"]))
        follows.append(thinks[-1] and span(output) == str(worth(names)))
    count = len(outputs)
    tokens = sum(len(output.tokens) for output in outputs) / count
    return {
        "thinks": sum(thinks) / count,
        "caption": sum(seen) / count,
        "follows": sum(follows) / count,
        "tokens": tokens,
    }


class Captioned:
    """Those problems of a task that the reasoner solves from captions with mistakes, and his traces to imitate.

    Of four captions of a picture the first that leads to the right answer is taken; where none does the problem is
    left out. `whole` is the task that they are of.
    """

    def __init__(self, whole: Shapes, mistakes: float):
        assert whole.size is not None
        self.whole, self.mistakes, self.name, self.split = whole, mistakes, whole.name, whole.split
        self.kept = [index for index in range(whole.size) if self._trace(whole.at(index)) is not None]
        self.size = len(self.kept)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        problem = self.whole.at(self.kept[index])
        return replace(problem, index=index, demonstration=self._trace(problem))

    def _trace(self, problem: Problem) -> str | None:
        said = (trace(misread(problem, self.mistakes, sight)) for sight in range(4))
        return next((one for one in said if span(one) == problem.answer), None)


def misread(problem: Problem, mistakes: float, sight: int) -> list[str]:
    """A caption of the picture: of its things each is left out, and each that is named is named wrongly, so often."""
    draw = random.Random(hashed("misread", *problem.key, sight))
    names = [one["label"] for one in problem.columns["things"] if draw.random() >= mistakes]
    return [" ".join(draw.choice(NAMES)) if draw.random() < mistakes else name for name in names]


def trace(names: Sequence[str]) -> str:
    """What a reasoner writes who takes these things to be there."""
    thought, number = "", 0
    for word in " ".join(names).split():
        number += price(word)
        thought += f" {word} {number}"
    return f"<think>{thought}</think>{number}<answer>{number}</answer>"


def captioned(thought: str) -> list[str]:
    """The things that a thought names, as `trace` writes one: every other word, two words each."""
    words = thought.split()[::2]
    return [" ".join(words[place : place + 2]) for place in range(0, len(words), 2)]


def base(imitation: int, looks: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of lessons."""
    stream = Stream(Shapes("lessons-reasoned", priced()), seed=0)
    questions = batch(imitation)

    def lessons(step: int) -> list[Problem]:
        drawn = enumerate(stream.take(questions), questions * step)
        return [lesson(place, problem) for place, problem in drawn]

    name = f"reasoned-{VERSION}-{imitation}"
    given = {"tokens": _TOKENS, "looks": looks, "evened": min(looks, 8), "critic": critic}
    return taught(name, WORDS, Lessons(lessons, imitation, lr=2e-3), **given)


def lesson(place: int, problem: Problem) -> Problem:
    """What the base is taught of a picture, in the twentieths of all lessons:

    8  what is there, a caption
    6  a trace where it is asked for; a fourth of its caption's things is left out, and a fourth of the others wrong
    5  the question as it is, and the number alone
    1  the question as it is, and such a trace
    """
    return _LESSONS[place % len(_LESSONS)](problem)


def _begun(problem: Problem) -> Problem:
    """The question, and a trace that is more often wrong than right."""
    return replace(problem, demonstration=trace(misread(problem, 0.25, 0)))


def _thoughtful(problem: Problem) -> Problem:
    """The same where a trace is asked for."""
    return asked_again(_begun(problem), f"think: {QUESTION}")


def _captioned(problem: Problem) -> Problem:
    """The question what there is, and its answer."""
    names = "".join(f" {one['label']}" for one in problem.columns["things"])
    return replace(asked_again(problem, "what is there?"), answer=names)


_LESSONS = [_captioned, _thoughtful, right, _captioned, _thoughtful] * 3 + [
    _captioned,
    _captioned,
    right,
    right,
    _begun,
]
