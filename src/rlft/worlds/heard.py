"""Questions about sounds with four options, answered at once or after notes of what was heard.

The base has learned every kind of question and every timbre, first from a teacher who hears all, then from one who
mishears: his notes are what he thinks he heard, and his answer follows from them, spoken or not. What is trained on are
few sounds with some kinds of questions and two timbres; other kinds, and the third timbre, are tested too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.measure.groups import means
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.rewards import combine, format, label
from rlft.tasks.drawn import Drawn
from rlft.tasks.sounds import KINDS, TIMBRES, Event, event
from rlft.tasks.tagged import Tagged, in_tags
from rlft.tasks.tones import PROMPTS, WORDS, Tones, fitting, listening, notes
from rlft.training.evaluate import evaluate
from rlft.training.stream import Stream
from rlft.types import Problem, Reward, Task, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons
from rlft.worlds.listening import taught
from rlft.worlds.sensing import batch

# Raised when the base would come out otherwise.
VERSION = 1
Prompt = Literal["answer", "think"]
TRAINED = ("heard", "first", "after", "loudest", "clicks")
# Not all others: what is not heard, and two chirps, a model as small as this one has not learned when it is done.
OTHERS = ("last", "before", "longest", "highest")
_TIMBRES, _UNSEEN = TIMBRES[:2], TIMBRES[2:]
_TOKENS, _LESSONS, _QUESTIONS = 20, 6144, 48
# How often the teacher hears another event, or another loudness, length, pitch or count; and leaves his tags away.
_SLIPS, _BARE = 0.25, 0.1
_FORMS = {"answer": format(r"<answer>.*?</answer>"), "think": format()}


def heard(
    asked: Prompt = "answer",
    sounds: int = 256,
    held_out: int = 768,
    imitation: int = 1000,
    looks: int = 700,
    lora: int | None = None,
    critic: bool = False,
) -> World:
    """Questions about sounds, four options each.

    Args:
        asked: what prompts ask for: the answer alone, or notes and then the answer.
        sounds: problems to learn from, over and over.
        held_out: problems to be tested on, a third of each sort.
        imitation: supervised steps of the base model, 48 questions each; fewer where they are less than 480.
        looks: supervised steps of its tower, 64 sounds each.
        lora: rank of adapters to be trained; none trains the decoder.
    """
    policy = base(imitation, looks, critic, lora)
    prompts = (asked,)
    sorts = {
        "same": listening(TRAINED, _TIMBRES, prompts),
        "types": listening(OTHERS, _TIMBRES, prompts),
        "timbres": listening(TRAINED, _UNSEEN, prompts),
    }
    train = Tagged(Tones("fine-tuning", sorts["same"], size=sounds))
    test = InTurn([Tones(name, family, "test", held_out // 3) for name, family in sorts.items()])
    return World(policy, train, test, earned(asked), label(), [by_sort], probes=[greedily(test)])


def earned(asked: Prompt) -> Reward:
    """1 for the right option's text in the answer, and 1 where the whole completion has the form that was asked for."""
    return combine({"accuracy": label(), "format": _FORMS[asked]})


class InTurn:
    """One problem of each of several tasks of one size, again and again."""

    def __init__(self, tasks: Sequence[Drawn]):
        self.tasks, self.name, self.split = tasks, "-".join(task.name for task in tasks), tasks[0].split
        self.size = len(tasks) * (tasks[0].size or 0)

    def at(self, index: int) -> Problem:
        """The problem with this index; its own task and index say where it is from."""
        return self.tasks[index % len(self.tasks)].at(index // len(self.tasks))


def by_sort(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Accuracy on kinds of questions and timbres that were trained on, `same`, on other kinds, `types`, and on another
    timbre, `timbres`."""
    return means(label()(problems, outputs).tolist(), [problem.task for problem in problems])


def greedily(test: Task) -> Callable[[Any], Mapping[str, float]]:
    """A probe: accuracy of the likeliest answers, token by token, where a policy that is only surer gains nothing."""

    def probe(policy: Language) -> dict[str, float]:
        return {"greedy": evaluate(policy.with_sampling(temperature=0.0), test, label()).mean}

    return probe


def base(imitation: int, looks: int, critic: bool = False, lora: int | None = None) -> Language:
    """The cached model after `imitation` batches of questions of all kinds, half of them to be answered with notes, and
    a quarter as many that the teacher misheard."""
    questions = batch(imitation, _QUESTIONS)
    family = listening(prompts=("answer", "think"))
    stream = Stream(Tones("lessons", family, size=min(_LESSONS, 2 * imitation * questions)), seed=0)
    right = Lessons(lambda step: [*map(careful, stream.take(questions))], imitation, lr=2e-3)
    slips = Lessons(lambda step: [*map(careless, stream.take(questions))], -(-imitation // 4), lr=5e-4)
    name = f"heard-{VERSION}-{imitation}"
    return taught(name, WORDS, right, slips, tokens=_TOKENS, looks=looks, critic=critic, lora=lora)


def careful(problem: Problem) -> Problem:
    """The problem with what a teacher says who hears all as it is."""
    return _answered(problem, _events(problem), problem.answer)


def careless(problem: Problem) -> Problem:
    """The problem with what he says who mishears: the option that fits what he heard, or one of those that fit, or of
    all where none does; without tags and notes one time in ten."""
    draw = random.Random(hashed("careless", problem.task, problem.index, problem.visit))
    told = problem.columns
    thought = [misheard(one, draw) for one in _events(problem)]
    said = draw.choice(fitting(told["kind"], told["options"], thought, told["anchor"]) or told["options"])
    return replace(problem, demonstration=said) if draw.random() < _BARE else _answered(problem, thought, said)


def _events(problem: Problem) -> list[Event]:
    return [Event(**one) for one in problem.columns["events"]]


def _answered(problem: Problem, thought: Sequence[Event], said: str) -> Problem:
    """With notes of what he thought he heard, where these were asked for."""
    told = problem.columns
    noted = f"<think>{notes(told['kind'], thought)}</think>" if told["question"].endswith(PROMPTS["think"]) else ""
    return replace(problem, demonstration=noted + in_tags(said))


def misheard(one: Event, draw: random.Random) -> Event:
    """An event as the teacher hears it: at times another kind, at times with other attributes."""
    if draw.random() < _SLIPS:
        return event(draw.choice([kind for kind in KINDS if kind != one.kind]), draw)
    return event(one.kind, draw) if draw.random() < _SLIPS else one
