"""Which of the numbered boxes fit a phrase, if any: a model that thinks of each in turn, or answers.

Its base has had three schoolings. Told to, it says what is in each of some boxes, then also whether that is what a
phrase means; last it has seen questions with careless answers, in which one in three has a box too many or too few and
a box is named half of the time where nothing fits; and where it was asked to think it has heard the names of some of
the things, in any order, before such an answer.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Literal

from rlft.measure.boxes import abstention
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards import combine, format, set_f1
from rlft.tasks.candidates import CANDIDATE_WORDS, Answered, Candidates, boxed, described, hinted, referring, worked
from rlft.tasks.scenes import NAMES
from rlft.tasks.shapes import asked_again
from rlft.training.stream import Stream
from rlft.types import Problem, Reward
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.looking import taught
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise.
VERSION = 3
_TOKENS = 48
# No relations, and fewer colours and shapes than there are, so that a small model learns to judge them all.
KINDS = ("name", "colour", "shape")
FAMILY = referring(
    KINDS,
    names=[
        name
        for name in NAMES
        if name[0] in ("red", "green", "blue", "yellow") and name[1] in ("square", "disc", "cross")
    ],
)
FORMS: dict[Answered, Reward] = {"thought": format(), "answer": format(r"<answer>.*?</answer>")}


def referred(
    answered: Answered = "thought",
    hints: Literal["shuffled", "fixed"] = "shuffled",
    pictures: int = 1000,
    imitation: int = 850,
    looks: int = 1000,
    critic: bool = False,
) -> World:
    """Candidates that fit a phrase.

    Args:
        answered: after a thought of each candidate, or at once.
        hints: the order of the candidates at each visit of a problem, drawn anew or the same.
        pictures: problems to learn from, over and over.
        imitation: supervised steps in which the base learns what fits, 32 questions each, or fewer where they are less
            than 320; two fifths as many go before, three tenths as many follow.
        looks: supervised steps of its tower, 64 pictures each.
    """
    test = Candidates("candidates", "test", 512, answered, family=FAMILY)
    return World(
        base(imitation, looks, critic),
        Candidates("candidates", "train", pictures, answered, hints, FAMILY),
        test,
        paid(answered),
        set_f1(),
        [abstention],
    )


def paid(answered: Answered) -> Reward:
    """0.9 F1 of the set, and 0.1 for the form of the answer (Sec. 3.3)."""
    return combine({"f1": set_f1(), "format": FORMS[answered]}, {"f1": 0.9, "format": 0.1})


def base(imitation: int, looks: int, critic: bool = False) -> Language:
    """The cached model: for two fifths of `imitation` batches it was told what is in each box, for all of them what
    fits, and for three tenths as many behind them, half of the time, how one answers who is careless."""
    stream = Stream(Candidates("lessons", family=FAMILY), seed=0)
    questions = batch(imitation)
    lessons = [
        Lessons(lambda step: [*map(naming, stream.take(questions))], -(-2 * imitation // 5), lr=3e-3),
        Lessons(lambda step: [*map(judging, stream.take(questions))], imitation, lr=3e-3),
        Lessons(lambda step: [*map(mixed, stream.take(questions))], -(-3 * imitation // 10), lr=1e-3),
    ]
    told = {"tokens": _TOKENS, "looks": looks, "evened": min(looks, 8), "critic": critic}
    return taught(f"referred-{VERSION}-{imitation}", CANDIDATE_WORDS, *lessons, **told)


def mixed(problem: Problem) -> Problem:
    """The question as one of the last lessons: half of the time what fits, else answered carelessly, with a casual
    thought or without."""
    draw = random.Random(hashed("mixed", problem.task, problem.index, problem.visit))
    if draw.random() < 0.5:
        return judging(problem)
    return draw.choice((careless, casual))(problem, draw)


def judging(problem: Problem) -> Problem:
    """What is in each box, whether the phrase means it, and the answer that follows."""
    asked = problem.columns["question"].replace("find", "name", 1).removesuffix(" think")
    thought = worked(problem.columns["things"], problem.columns["fits"], None)
    said = f"{thought.removeprefix('<think>').removesuffix('</think>')}<answer>{problem.answer}</answer>"
    return replace(asked_again(problem, asked), demonstration=said)


def naming(problem: Problem) -> Problem:
    """What is in each box."""
    told = "".join(f" {number}:{described(thing)}" for number, thing in enumerate(problem.columns["things"], 1))
    return replace(asked_again(problem, f"name{hinted(problem.columns['boxes'])}?"), answer=told, demonstration=None)


def careless(problem: Problem, draw: random.Random) -> Problem:
    """Answered at once by one who makes mistakes: where nothing fits he names a box half of the time; else, one time in
    three, he leaves one out or takes one more, where there is one."""
    boxes, fits = problem.columns["boxes"], list(problem.columns["fits"])
    if draw.random() < (1 / 3 if any(fits) else 1 / 2):
        place = draw.randrange(len(fits))
        fits[place] = not fits[place]
    said = boxed([box for box, fit in zip(boxes, fits, strict=True) if fit])
    text = problem.columns["question"].removesuffix(" think")
    return replace(asked_again(problem, text), demonstration=f"<answer>{said}</answer>")


def casual(problem: Problem, draw: random.Random) -> Problem:
    """The same after the names of some things in any order."""
    names = [thing["label"] for thing in problem.columns["things"]]
    thought = "".join(f" {name}" for name in draw.sample(names, draw.randint(1, len(names))))
    answer = careless(problem, draw).demonstration
    return replace(problem, demonstration=f"<think>{thought}</think>{answer}")
