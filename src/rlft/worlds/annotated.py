"""Problems of three to six operations, answered step by step by a small character model, with annotated chains.

The model has imitated chains of an annotator in a hurry, who gets one step in eight wrong and goes on from it; this
stands for supervised fine-tuning. The annotated chains that it is compared with later are right.
"""

from __future__ import annotations

from rlft.measure.text import text_measures
from rlft.rewards.adapt import each
from rlft.tasks.steps import Steps
from rlft.types import Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.steps import base, by_level, long_winded

LEVELS = (3, 4, 5, 6)
TOKENS = 24


def annotated(imitation: int = 600, questions: int = 320, size: int = 512, critic: bool = False) -> World:
    """Problems answered step by step, with annotated chains.

    Args:
        imitation: supervised steps of the base model, 64 chains of a hurried annotator each.
        questions: held-out ones, a fourth of each level.
        size: problems to learn from, over and over.
    """
    policy = base(hurried, imitation, TOKENS, critic=critic)
    task, test = Steps(LEVELS, size=size), Steps(LEVELS, size=questions, split="test")
    seen = [text_measures, by_level(task.reward)]
    return World(policy, task, test, well_formed(task.reward), judged=task.reward, measures=seen, samples=4)


def hurried(problem: Problem) -> Problem:
    """The problem with a chain in which one step in eight is wrong, as what is imitated."""
    return long_winded(problem, again=0)


def well_formed(right: Reward) -> Reward:
    """1 for a right row, 0.1 for one that ends with an answer and is wrong, else 0: the reward of ReFT."""

    def form(problem: Problem, output: Text) -> float:
        _, sign, answer = str(output).rpartition("=")
        return float(bool(sign) and answer.isdigit() and not output.truncated)

    formed = each(form)

    def paid(problems, outputs):
        judged = right(problems, outputs)
        return judged + 0.1 * formed(problems, outputs) * (judged < 1)

    return paid
