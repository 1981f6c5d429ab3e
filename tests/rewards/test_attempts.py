"""What a prompter earns: the return by hand, the last attempt, and rewards as judges."""

import math

import pytest
import torch

from rlft.environments.generated import Attempt, Generated, Judged
from rlft.rewards.attempts import Discounted, LastAttempt, by_reward
from rlft.rewards.text import exact
from rlft.types import Message, Problem, Rollouts, Transcript, UserError


class Says:
    """Writes what it is advised."""

    def sample(self, problems, group, seed):
        texts = [problem.input.split("\n\n")[1] for problem in problems]
        nothing = torch.zeros(len(texts), 1)
        return Rollouts(tuple(problems), group, texts, {}, nothing.bool(), nothing)


GENERATED = Generated(Says(), by_reward(exact()))


def attempt(score, errors, advice="a"):
    return Attempt(advice, "", Judged(score, errors))


def test_the_return_by_hand():
    """-(0.5 + 0.2 · 2) - 0.9 (0.5 + 0.2 · 1) + 0.81 · 1 = -0.72; without a word -2."""
    paid = Discounted(GENERATED, gamma=0.9)
    assert paid.of([attempt(0.0, 2), attempt(0.0, 1), attempt(1.0, 0)]) == pytest.approx(-0.72)
    assert paid.of([attempt(0.0, 3, ""), attempt(0.0, 5)]) == pytest.approx(-2 - 0.9 * 1.5)
    assert Discounted(GENERATED).of([attempt(0.0, 1)] * 2) == pytest.approx(-0.7 * 1.99)
    assert paid.of([attempt(None, 0)]) is None
    three = Discounted(GENERATED, turns=3, gamma=0.9)  # who was cut off in the first turn has had no others
    assert three.of([attempt(0.0, 1)]) == pytest.approx(-0.7 - 0.9 * 2 - 0.81 * 2)
    assert three.of([attempt(0.0, 1), attempt(1.0, 0)]) == pytest.approx(-0.7 + 0.9)
    plain = Discounted(GENERATED, 2, 1.0, 0.0, 0.0, 0.0, 1.0)
    assert [plain.of([attempt(0.0, 4), attempt(score, 0)]) for score in (0.0, 1.0)] == [0.0, 1.0]


def conversation(*texts):
    messages = [Message("assistant", text) for text in texts]
    between = [[one, Message("verifier", "?")] for one in messages]
    return Transcript(texts[-1], (), False, [one for pair in between for one in pair][:-1])


def test_rewards_of_conversations():
    problems = [Problem(index, "ask", "yes") for index in range(3)]
    outputs = [conversation("yes"), conversation("no", "yes"), conversation("no", "")]
    assert LastAttempt(GENERATED)(problems, outputs).tolist() == [1, 1, 0]
    expected = [1.0, -0.7 + 0.99, -0.7 - 0.99 * 2]
    assert Discounted(GENERATED)(problems, outputs).tolist() == pytest.approx(expected)
    told = Discounted(GENERATED).explain(problems[1], outputs[1])
    assert told.startswith("'no': ") and told.endswith("'yes': nothing is wrong")


def test_rewards_as_judges():
    """Parts add up, what abstains adds nothing, and where all abstain there is no score."""
    problems = [Problem(0, "", ""), Problem(1, "", ""), Problem(2, "", "")]

    def parts(problems, outputs):
        return {"one": [1.0, 0.25, math.nan], "two": torch.tensor([0.5, math.nan, math.nan])}

    judged = by_reward(parts)(problems, ["a", "b", "c"])
    assert [(one.score, one.errors) for one in judged] == [(1.5, 0), (0.25, 1), (None, 0)]
    assert judged[0].said == "" and judged[1].said == "this reward gives no reasons"
    assert by_reward(parts, enough=0.2)(problems, ["a", "b", "c"])[1].errors == 0
    with pytest.raises(UserError, match="as a whole"):
        by_reward(lambda problems, outputs: torch.zeros(3, 2))(problems, ["a", "b", "c"])
