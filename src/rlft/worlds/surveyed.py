"""What is seen from above: eight kinds of questions about roads, roofs, vehicles and water, thought over and answered.

A small model whose tower knows what is on each plot, and which plot it is. It has learned to tell what is on all of
them, to find all things of a kind and how far they are from each other, then to think of what a question needs before
it answers. Last it was shown what a careless teacher writes: he overlooks things and takes one for another, concludes
rashly or forgets the tags. Paid is the right word and, as much, the right form; judged is the word.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from rlft.measure.groups import means
from rlft.metrics.boxes import span
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import combine
from rlft.rewards.text import format, label
from rlft.tasks import drawn
from rlft.tasks.aerial import ANSWERS, CLASSES, COLOURS, GROUPS, THINGS, WORDS, Aerial, Ground, anywhere, quadrant
from rlft.tasks.plots import THOUGHT_WORDS, Seen, at, concluded, every, far, grounds, listed
from rlft.tasks.tagged import in_tags
from rlft.training.stream import Stream
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.looking import LOOKING, glances
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise, and when its tower would.
VERSION, _TOWER = 3, 2
FORM = r"<think>[^<]*</think><answer>[^<]*</answer>"
SENSE = replace(LOOKING, name=f"aerial-{_TOWER}", glances=glances(0, anywhere), classes=CLASSES)
_TOKENS = 36


def surveyed(
    pictures: int = 120,
    held_out: int = 64,
    slips: float = 0.3,
    imitation: int = 800,
    looks: int = 400,
    critic: bool = False,
) -> World:
    """Questions about pictures from above.

    Args:
        pictures: problems of each of the eight kinds to learn from, over and over.
        held_out: held-out problems of each kind.
        slips: how often the teacher whose answers are imitated, where they are right, misses or mistakes a thing.
        imitation: supervised steps in which the base learns to answer, 32 questions each, or fewer where they are less
            than 320; eleven sixteenths as many go before, a fourth as many follow.
        looks: supervised steps of its tower, 64 pictures each.
    """
    policy = base(imitation, looks, critic)
    reward = combine({"accuracy": label(), "format": format(FORM)})
    test = Aerial(split="test", each=held_out)
    return World(policy, Shown(Aerial(each=pictures), slips), test, reward, label(), [told], samples=4)


class Shown:
    """The problems of a task as a teacher answers them who misses or mistakes every so many of the things, `slips`: of
    four answers the first that is right, and where none is one of a teacher who sees all."""

    def __init__(self, task: Aerial, slips: float):
        self.task, self.slips, self.name, self.split, self.size = task, slips, task.name, task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        problem = self.task.at(index)
        draw = random.Random(hashed("shown", str(problem.columns)))
        tries = [answered(problem, misseen(problem, self.slips, draw)) for _ in range(4)]
        whole = answered(problem, problem.columns["things"])
        return replace(problem, demonstration=next(text for text, said in (*tries, whole) if said == problem.answer))


def of_group(task: Shown, group: str) -> Shown:
    """Those of the problems that are of one group of kinds."""
    whole = task.task
    return Shown(Aerial(GROUPS[group], whole.split, whole.each, whole.series), task.slips)


def told(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Accuracy of each kind and each group, the mean of its kinds; `format`; and `distinct`, how many different
    answers a problem was given."""
    said: dict[int, set[str]] = defaultdict(set)
    for problem, output in zip(problems, outputs, strict=True):
        said[problem.index].add(span(output).casefold())
    kinds = means(label()(problems, outputs).tolist(), [problem.columns["kind"] for problem in problems])
    groups = {
        name: sum(held) / len(held)
        for name, members in GROUPS.items()
        if (held := [kinds[kind] for kind in members if kind in kinds])
    }
    formed = format(FORM)(problems, outputs).tolist()
    counted = {"format": sum(formed) / len(formed), "distinct": sum(map(len, said.values())) / len(said)}
    return {**kinds, **groups, **counted}


def base(imitation: int, looks: int, critic: bool = False) -> Language:
    """The cached model after all schoolings: what is on each plot; what there is of each kind, where and how far apart;
    what follows for the questions; and a careless teacher's answers to them."""
    asked = {"asked": Stream(Aerial(series="lessons"), seed=0)}
    asked["spatial"] = Stream(Aerial(GROUPS["spatial"], series="spatial-lessons"), seed=0)
    questions = batch(imitation)

    def one(part: str, index: int) -> Problem:
        return worked(asked[part].take(1)[0]) if part in asked else lesson(part, index)

    def school(parts: Sequence[str]) -> Callable[[int], list[Problem]]:
        return lambda step: [one(parts[n % len(parts)], n) for n in range(questions * step, questions * (step + 1))]

    lessons = (
        Lessons(school(["all"]), -(-imitation // 4)),
        Lessons(school(_BEFORE), -(-7 * imitation // 16)),
        Lessons(school(_QUESTIONS), imitation),
        Lessons(lambda step: [*map(careless, asked["asked"].take(questions))], -(-imitation // 4), lr=1e-3),
    )
    name = f"surveyed-{VERSION}-{imitation}"
    told = {"tokens": _TOKENS, "looks": looks, "evened": min(looks, 8), "critic": critic}
    return SENSE.taught(name, (*WORDS, *THOUGHT_WORDS), *lessons, **told)


def lesson(part: str, index: int) -> Problem:
    """What is taught of a picture before anything is asked: `all` its plots, each `kinds` things, `where` they are, or
    how `far` from one."""
    draw = random.Random(hashed("lesson", part, index))
    while True:
        seen = anywhere(draw, 8 if part == "all" else 16)
        if seen is not None and (taught := _TAUGHT[part](seen, draw)) is not None:
            question, answer = taught
            return Problem(index, drawn.shown(seen.part(), question), answer, seen.columns(), f"lesson-{part}")


def _all(seen: Ground, draw: random.Random) -> tuple[str, str]:
    return "name?", every(seen)


def _kinds(seen: Ground, draw: random.Random) -> tuple[str, str]:
    things = seen.columns()["things"]
    kinds = "".join(listed(kind, [thing for thing in things if thing["kind"] == kind]) for kind in THINGS)
    return "list?", kinds + grounds("water", seen.plots) + grounds("crossing", seen.plots)


def _where(seen: Ground, draw: random.Random) -> tuple[str, str]:
    things = seen.columns()["things"]
    said = "".join(f"{listed(thing['kind'], [thing])}{in_tags(quadrant(at(thing)))}" for thing in things)
    return "where?", said or " none"


def _far(seen: Ground, draw: random.Random) -> tuple[str, str] | None:
    things = [thing for thing in seen.columns()["things"] if thing["colour"]]
    if len(things) < 3:
        return None
    kind = draw.choice(things)["kind"]
    one = next(thing for thing in things if thing["kind"] == kind)
    said, _ = far(one, [thing for thing in things if thing is not one])
    return f"list {kind}?", f"{listed(kind, [one])} roof{said}"


_TAUGHT = {"all": _all, "kinds": _kinds, "where": _where, "far": _far}
_BEFORE = ["far", "kinds", "where", "far", "kinds", "far", "where", "kinds", "far", "all"]
_QUESTIONS = ["asked", "spatial", "asked", "far"] * 4 + ["asked", "kinds", "where", "all"]


def worked(problem: Problem) -> Problem:
    """The problem as one thinks and answers who sees all."""
    return replace(problem, demonstration=answered(problem, problem.columns["things"])[0])


def answered(problem: Problem, things: Sequence[Seen], guess: str = "") -> tuple[str, str]:
    """A thought and an answer in their tags, as one writes who takes these things to be there, and the answer; where
    none follows it is `guess`."""
    columns = problem.columns
    thought, said = concluded(columns["kind"], columns["question"], columns["plots"], things)
    return f"<think>{thought}</think>{in_tags(said or guess)}", said or guess


def misseen(problem: Problem, slips: float, draw: random.Random) -> list[Seen]:
    """The things of a picture, of which every so many are overlooked, taken for another kind, or taken to be where and
    of what colour another thing is."""
    things, seen = problem.columns["things"], []
    for thing in things:
        way = draw.randrange(3) if draw.random() < slips else None
        if way == 1:
            kind = draw.choice([kind for kind in THINGS if kind != thing["kind"]])
            colour = None if kind == "tree" else thing["colour"] or draw.choice(list(COLOURS))
            seen.append({**thing, "kind": kind, "colour": colour})
        elif way == 2:
            other = draw.choice(things)
            colour = thing["colour"] and (other["colour"] or draw.choice(list(COLOURS)))
            seen.append({**thing, "at": other["at"], "colour": colour})
        elif way is None:
            seen.append(thing)
    return sorted(seen, key=lambda thing: thing["at"][::-1])


def careless(problem: Problem) -> Problem:
    """The problem as the careless teacher answers it: three in ten things misseen, one time in ten another word than
    what follows, one in five without tags around the answer."""
    draw = random.Random(hashed("careless", str(problem.columns), problem.visit))
    words = ANSWERS[problem.columns["kind"]]
    text, said = answered(problem, misseen(problem, 0.3, draw), draw.choice(words))
    thought = text.partition("<answer>")[0]
    if draw.random() < 0.1:
        said = draw.choice([word for word in words if word != said])
    return replace(problem, demonstration=thought + (said if draw.random() < 0.2 else in_tags(said)))
