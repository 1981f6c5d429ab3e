"""What is seen from above: eight kinds of questions about roads, roofs, vehicles and water, each with a word to answer.

A small model whose tower knows what is on each plot. Its teacher is careless: now and then he says another word of the
same kind, or forgets the tags around it. Paid is the right word and, as much, the right form; judged is the word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from rlft.measure.groups import means
from rlft.metrics.boxes import span
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import combine
from rlft.rewards.text import format, label
from rlft.tasks.aerial import ANSWERS, CLASSES, GROUPS, WORDS, Aerial, anywhere
from rlft.tasks.tagged import Tagged, right
from rlft.training.stream import Stream
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.looking import LOOKING, glances
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise.
VERSION = 1
FORM = r"<answer>[^<]*</answer>"
SENSE = replace(LOOKING, name=f"aerial-{VERSION}", glances=glances(0, anywhere), classes=CLASSES)
_TOKENS = 5


def surveyed(
    pictures: int = 120, held_out: int = 128, imitation: int = 1000, looks: int = 400, critic: bool = False
) -> World:
    """Questions about pictures from above.

    Args:
        pictures: problems of each of the eight kinds to learn from, over and over.
        held_out: held-out problems of each kind.
        imitation: supervised steps of the base model, 32 questions each; fewer where they are less than 320.
        looks: supervised steps of its tower, 64 pictures each.
    """
    policy = base(imitation, looks, critic)
    reward = combine({"accuracy": label(), "format": format(FORM)})
    test = Aerial(split="test", each=held_out)
    return World(policy, Tagged(Aerial(each=pictures)), test, reward, label(), [told], samples=4)


def of_group(task: Tagged, group: str) -> Tagged:
    """Those of the problems that are of one group of kinds."""
    whole = task.task
    assert isinstance(whole, Aerial)
    return Tagged(Aerial(GROUPS[group], whole.split, whole.each, whole.series))


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
    """The cached model after `imitation` batches of right answers, and a fifth as many of a careless teacher's."""
    stream = Stream(Aerial(series="lessons"), seed=0)
    questions = batch(imitation)
    lessons = (
        Lessons(lambda step: [*map(right, stream.take(questions))], imitation, lr=2e-3),
        Lessons(lambda step: [*map(careless, stream.take(questions))], imitation // 5, lr=5e-4),
    )
    name = f"surveyed-{VERSION}-{imitation}"
    return SENSE.taught(name, WORDS, *lessons, tokens=_TOKENS, looks=looks, critic=critic)


def careless(problem: Problem) -> Problem:
    """The problem as the teacher answers it: one time in five another word, one time in five without tags."""
    draw = hashed("careless", problem.columns["kind"], problem.columns["question"], problem.index, problem.visit)
    others = [word for word in ANSWERS[problem.columns["kind"]] if word != problem.answer]
    said = right(replace(problem, answer=others[draw // 25 % len(others)] if draw % 5 == 0 else problem.answer))
    return replace(problem, demonstration=said.answer if draw // 5 % 5 == 0 else said.demonstration)
