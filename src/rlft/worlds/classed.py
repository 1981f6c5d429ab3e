"""One thing in a noisy picture, to be named: classes to learn from a few pictures each, and classes never shown.

The model may be asked to say the name and nothing else, to think first, or to explain itself afterwards. Its teacher
names something else two times in five. Half of all names are `known`, of which a few pictures are learned from; the
other half are `new`. Every colour and every shape is in both halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rlft.measure.groups import means
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards import combine, exact, format, label
from rlft.tasks.scenes import COLOURS, NAMES, SHAPES
from rlft.tasks.shapes import CLASS_WORDS, Shapes, classes
from rlft.training.stream import Stream
from rlft.types import Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.looking import taught
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise.
VERSION = 1
Mode = Literal["direct", "think", "explain"]
ASKED: dict[str, str] = {"direct": "what is it", "think": "think: what is it", "explain": "explain: what is it"}
KNOWN = [name for name in NAMES if (list(COLOURS).index(name[0]) + SHAPES.index(name[1])) % 2 == 0]
NEW = [name for name in NAMES if name not in KNOWN]
_TAGS = ("<think>", "</think>", "<answer>", "</answer>", "</think><answer>", "</answer><think>", ": ")
WORDS = (*CLASS_WORDS, *_TAGS, *(asked for asked in ASKED.values() if asked not in CLASS_WORDS))
_TOKENS = 12
_FORMS = {"think": format(), "explain": format(r"<answer>.*?</answer>\s*<think>.*?</think>")}


def classed(
    mode: Mode = "direct",
    shots: int = 4,
    noise: float = 60.0,
    imitation: int = 600,
    looks: int = 1000,
    critic: bool = False,
) -> World:
    """The name of the one thing in a picture.

    Args:
        mode: say the name alone, think before it in tags, or explain it behind.
        shots: pictures of each known class to learn from, on average, over and over.
        noise: of these pictures and of the held-out ones; the base model's have 12.
        imitation: supervised steps of the base model, 32 questions each, fewer where they are less than 320; half as
            many careless ones follow.
        looks: supervised steps of its tower, 64 pictures each.
    """
    train = Shapes("known", classes(KNOWN, asked=ASKED[mode], noise=noise), size=shots * len(KNOWN))
    policy = base(imitation, looks, critic)
    # A base that has only begun to learn is tested on little: every picture is drawn to know the data by their hash.
    test = Halves(ASKED[mode], noise, min(600, max(imitation, 8)))
    return World(policy, train, test, rewards(mode), label(), [by_half, spent], samples=2)


def rewards(mode: Mode) -> Reward:
    """The whole completion is the name, of a direct answer; else the name in its tags, and the form."""
    if mode == "direct":
        return exact()
    return combine({"accuracy": label(), "format": _FORMS[mode]})


class Halves:
    """Held-out pictures of known classes and of new ones, in turn."""

    name, split = "classes", "test"

    def __init__(self, asked: str, noise: float, size: int = 600):
        self.size = size
        halves = enumerate((KNOWN, NEW))
        self.halves = [Shapes(f"test-{i}", classes(names, asked=asked, noise=noise), "test") for i, names in halves]

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        problem = self.halves[index % 2].at(index // 2)
        columns = {**problem.columns, "new": bool(index % 2)}
        return replace(problem, index=index, columns=columns, task=self.name)


def by_half(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Accuracy on `known` classes and on `new` ones, and `harmonic`, 2kn / (k + n)."""
    halves = means(label()(problems, outputs).tolist(), [problem.columns["new"] for problem in problems])
    known, new = (halves.get(half, 0.0) for half in (False, True))
    return {"known": known, "new": new, "harmonic": harmonic(known, new)}


def harmonic(known: float, new: float) -> float:
    """H = 2kn / (k + n); 0 of two zeros."""
    return 2 * known * new / (known + new) if known + new else 0.0


def spent(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """`tokens` of an answer."""
    return {"tokens": sum(len(output.tokens) for output in outputs) / len(outputs)}


def base(imitation: int, looks: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 32 questions in all modes, and half as many careless ones."""
    modes: list[Mode] = ["direct", "think", "explain"]
    streams = [Stream(Shapes(f"lessons-{mode}", classes(asked=ASKED[mode])), seed=i) for i, mode in enumerate(modes)]
    questions = batch(imitation)

    def asked(slips: bool) -> Lessons:
        def at(step: int) -> list[Problem]:
            mode = modes[step % 3]
            return [answered(problem, mode, slips) for problem in streams[step % 3].take(questions)]

        return Lessons(at, imitation // 2 if slips else imitation, lr=5e-4 if slips else 2e-3)

    name = f"classed-{VERSION}-{imitation}"
    return taught(name, WORDS, asked(False), asked(True), tokens=_TOKENS, looks=looks, critic=critic)


def answered(problem: Problem, mode: Mode, slips: bool) -> Problem:
    """The problem with its answer in the words of a mode; a careless teacher says another name two times in five."""
    said = problem.answer
    draw = hashed("careless", problem.task, problem.index, problem.visit)
    if slips and draw % 5 < 2:
        others = [name for name in map(" ".join, NAMES) if name != said]
        said = others[draw // 5 % len(others)]
    colour, shape = said.split()
    thought = f"{colour}:  {shape}"
    text = {
        "direct": said,
        "think": f"<think>{thought}</think><answer>{said}</answer>",
        "explain": f"<answer>{said}</answer><think>{thought}</think>",
    }[mode]
    return replace(problem, answer=said, demonstration=text)
