"""What comes next in a film: a small model that says which acts it has seen, in order, and which of the plan follows.

Its tower knows what is done in a frame, and is one token a frame. The decoder has learned to tell frame by frame, then
to list acts, the orders of all plans without a film, and then to think and answer. Last it was shown what a careless
teacher writes: he overlooks acts, takes one plan for another, and now and then answers otherwise than he has thought.
Paid is the answer alone. It is trained on films of level L1 and held to films of L1, L2 and L3 (`tasks.moving_shapes`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from rlft.measure.consistency import consistent
from rlft.measure.groups import means
from rlft.models.seeing import seeing
from rlft.models.towers import Lesson
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.text import label
from rlft.tasks import drawn
from rlft.tasks.films import film_of, frames_of, moments, viewed
from rlft.tasks.moving_shapes import ACTS, CLASSES, PLANS, RATE, SIDE, Clip, Frame, MovingShapes, clip
from rlft.tasks.tagged import in_tags
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.sensing import Sense, batch, glances

# Raised when the base would come out otherwise.
VERSION = 1
LENGTH, EVIDENCE = 32, 0.2
LEVELS = ("L1", "L2", "L3")
WORDS = (
    *(f" {act}" for act in (*ACTS, "none")),
    *PLANS,
    *(f"{moment / RATE:.1f}s" for moment in range(LENGTH)),
    *(", next?", ", acts?", ", frames?", ", order?", ";", "<think>", "</think>", "<answer>", "</answer>"),
)
_TOKENS = 12


def filming(
    level: Literal["L1", "L2", "L3", "all"] = "L1",
    films: int = 600,
    held_out: int = 400,
    frames: int = 8,
    slips: float = 0.3,
    imitation: int = 480,
    looks: int = 400,
    critic: bool = False,
) -> World:
    """What comes next in films of a plan's acts; trained on one level, tested on three.

    Args:
        level: of the films to learn from.
        films: problems to learn from, over and over.
        held_out: held-out problems of each level.
        frames: of a film that are shown.
        slips: how often the teacher whose answers are imitated, where they are right, overlooks an act.
        imitation: supervised steps in which the base learns to answer, 32 films each, or fewer where they are less than
            320; half as many go before, a third as many follow.
        looks: supervised steps of its tower, 64 frames each.
    """
    asked = MovingShapes(level, size=films, frames=frames, length=LENGTH, evidence=EVIDENCE, answer="word")
    train = Shown(asked, slips)
    policy = base(imitation, looks, critic)
    return World(policy, train, Levels(held_out, frames), label(), label(), [told])


class Levels:
    """Held-out problems of the three levels, in turn."""

    name, split = "levels", "test"

    def __init__(self, each: int, frames: int):
        self.size = each * len(LEVELS)
        told: dict[str, Any] = {"frames": frames, "length": LENGTH, "evidence": EVIDENCE, "answer": "word"}
        self.levels = [MovingShapes(level, "test", each, **told) for level in LEVELS]

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        problem = self.levels[index % len(LEVELS)].at(index // len(LEVELS))
        return replace(problem, index=index, task=self.name)


class Shown:
    """The problems of a task as a teacher answers them who overlooks every so many of the acts: of four answers the
    first that is right, and where none is one of a teacher who sees all."""

    def __init__(self, task: MovingShapes, slips: float):
        self.task, self.slips, self.name, self.split, self.size = task, slips, task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        problem = self.task.at(index)
        draw = random.Random(hashed("shown", self.name, index))
        acts = seen(problem)
        tries = [[act for act in acts if draw.random() >= self.slips] for _ in range(4)]
        plan = problem.columns["plan"]
        kept = next(one for one in (*tries, acts) if following(plan, one) == problem.answer)
        return replace(problem, demonstration=written(kept, problem.answer))


def told(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Accuracy of each level; `gap`, that of L1 above that of L3; `seen`, the share whose thought lists the acts that
    the frames show and no other; and `consistent`, of answers with a thought the share whose thought ends in them."""
    levels = means(label()(problems, outputs).tolist(), [problem.columns["level"] for problem in problems])
    listed = [
        str(output).startswith(f"<think>{_list(seen(problem))};")
        for problem, output in zip(problems, outputs, strict=True)
    ]
    gap = levels.get("L1", 0.0) - levels.get("L3", 0.0)
    return {**levels, "gap": gap, "seen": sum(listed) / len(listed), **consistent(problems, outputs)}


def seen(problem: Problem) -> list[str]:
    """The acts of the frames that a problem shows, in order."""
    return list(dict.fromkeys(act for act in _frame_by_frame(problem) if act))


def following(plan: str, acts: Sequence[str]) -> str:
    """What a plan has behind the last of these acts, of which none was seen at its beginning; behind its last, the
    first."""
    order = PLANS[plan]
    return order[(order.index(acts[-1]) + 1) % len(order)] if acts else order[0]


def written(acts: Sequence[str], after: str, said: str | None = None) -> str:
    """A thought of the acts and of what is next, and the answer, `after` itself or what is said instead."""
    return f"<think>{_list(acts)}; {after}</think>{in_tags(' ' + (said or after))}"


def careless(problem: Problem) -> Problem:
    """The problem as the careless teacher answers it: he overlooks three in ten acts, one time in six he takes the plan
    for another, and one in six he answers another act than he has thought."""
    draw = random.Random(hashed("careless", str(problem.columns), problem.visit))
    acts = [act for act in seen(problem) if draw.random() >= 0.3]
    plan = draw.choice(list(PLANS)) if draw.random() < 1 / 6 else problem.columns["plan"]
    after = following(plan, acts)
    said = draw.choice([act for act in ACTS if act != after]) if draw.random() < 1 / 6 else after
    return replace(problem, demonstration=written(acts, after, said))


def base(imitation: int, looks: int, critic: bool = False) -> Language:
    """The cached model after all schoolings, on films of every environment and plan."""
    count = batch(imitation)

    def school(kinds: Sequence[str]) -> Callable[[int], list[Problem]]:
        return lambda step: [lesson(kinds[n % len(kinds)], n) for n in range(count * step, count * (step + 1))]

    lessons = (
        Lessons(school(["frames", "frames", "frames", "order"]), -(-imitation // 2), lr=2e-3),
        Lessons(school(["frames", "acts", "acts", "next", "next", "next", "order", "next"]), imitation, lr=2e-3),
        Lessons(school(["careless"]), -(-imitation // 3), lr=1e-3),
    )
    told = {"tokens": _TOKENS, "looks": looks, "evened": min(looks, 8), "critic": critic}
    return SENSE.taught(f"filming-{VERSION}-{imitation}", WORDS, *lessons, **told)


def lesson(kind: str, index: int) -> Problem:
    """What is taught: what each of the `frames` shows, which `acts` there are, a plan's `order` without a film, what is
    `next`, or this as a `careless` teacher has it. The first two are of acts in no plan's order."""
    draw = random.Random(hashed("lesson", kind, index))
    if kind == "order":
        plan = draw.choice(list(PLANS))
        return Problem(index, f"{plan}, order?", _list(PLANS[plan]), {}, "lesson-order")
    shown = draw.choice([4, 8, 8, 16])
    if kind in ("frames", "acts"):
        film = _anything(draw)
        problem = Problem(index, drawn.shown(film.part(), f"{draw.choice(list(PLANS))}, {kind}?"), None, {})
        problem = viewed(replace(problem, task=f"lesson-{kind}"), shown)
        acts = [act or "none" for act in _frame_by_frame(problem)] if kind == "frames" else seen(problem)
        return replace(problem, answer=_list(acts or ["none"]))
    problem = viewed(_LESSONS[kind].at(index), shown)
    if kind == "careless":
        return careless(problem)
    acts = seen(problem)
    return replace(problem, demonstration=written(acts, following(problem.columns["plan"], acts)))


_LESSONS = {
    kind: MovingShapes("all", length=LENGTH, evidence=EVIDENCE, series=f"{kind}-lessons", answer="word")
    for kind in ("next", "careless")
}


def _anything(draw: random.Random) -> Clip:
    """A film of the training split in which one to all of the acts are done, in any order, anywhere."""
    while True:
        acts = draw.sample(ACTS, draw.randint(1, len(ACTS)))
        film = clip(acts, draw, LENGTH, EVIDENCE, draw.randrange(CLASSES[2]))
        if drawn.belongs(film, "train"):
            return film


def _frame_by_frame(problem: Problem) -> list[str | None]:
    """What is done in each of the frames that a problem shows."""
    film = film_of(problem.input.whole.input[0]["content"][0]["video"])
    assert isinstance(film, Clip)
    return [film.doing(moment) for moment in moments(film.count, frames_of(problem))]


def _list(acts: Sequence[str]) -> str:
    return "".join(f" {act}" for act in acts)


def _frame(draw: random.Random) -> Frame | None:
    """A frame of a film; in three of five cases one in which something is done."""
    film = _anything(draw)
    act = draw.choice(film.acts)
    return Frame(film, draw.randrange(act.begin, act.end) if draw.random() < 0.6 else draw.randrange(film.count))


def _read(frames: Sequence[Frame]) -> Lesson:
    pixels = torch.from_numpy(np.stack([one.picture() for one in frames])).permute(0, 3, 1, 2)
    return pixels / 127.5 - 1, torch.from_numpy(np.stack([one.told() for one in frames]))


def _blank(words: Sequence[str]) -> tuple[nn.Module, Any]:
    return seeing(words, image_size=SIDE, patch=SIDE, width=64, layers=2, context=128, tower_width=128)


SENSE = Sense(
    name="films",
    version=1,
    blank=_blank,
    tower=lambda model: model.model.vision_tower,
    embed=lambda tower, between, pixels: between(tower(pixels).last_hidden_state[:, 1:]),
    glances=glances(_frame, _read, 0),
    classes=CLASSES,
)
