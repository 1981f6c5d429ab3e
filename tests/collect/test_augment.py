"""Difficulty from past rewards, and a task whose prompts follow it: numbers by hand, state, turns of visits."""

import io
from dataclasses import replace

import pytest
import torch

from rlft.collect import one_batch
from rlft.collect.augment import Difficulty
from rlft.methods.rloo import rloo
from rlft.runtime.local import Local
from rlft.tasks.augmented import Augmented, unchanged
from rlft.training.trainer import Trainer
from rlft.types import Problem, Rollouts, UserError
from tests.fakes import Cards, Table

nan = float("nan")


class Script:
    """A source whose rewards are written down, for problems of these indices, two rows each."""

    policy, task, prompts, group, seed, steps_done, runtime = None, Cards(), 2, 2, 0, 0, Local()

    def __init__(self, *steps):
        self.steps, self.notes = list(steps), {}

    def draw(self, count):
        rewards, problems = self.steps.pop(0)
        rows = tuple(problem for problem in problems for _ in range(2))
        mask = torch.ones(len(rows), 1, dtype=torch.bool)
        blank = Rollouts(rows, 2, [None] * len(rows), {}, mask, torch.zeros(mask.shape))
        return blank.fill(rewards=torch.tensor(rewards), position=torch.arange(len(rows)))

    def ask(self, places):
        raise NotImplementedError

    def take(self, count):
        raise NotImplementedError

    def rows_of(self, problems):
        raise NotImplementedError

    def rewarded(self, rollouts):
        raise NotImplementedError

    def judged(self, problems, outputs, decisions):
        raise NotImplementedError

    def demonstrate(self, count):
        raise NotImplementedError

    def teach(self, indices):
        raise NotImplementedError

    def resume(self, rollouts, at, group):
        raise NotImplementedError


def asked(index, difficulty=None):
    return Problem(index, index, columns={} if difficulty is None else {"difficulty": difficulty})


def test_difficulty_by_hand():
    """Groups 1, 0 and .25, .75 (means .5, .5); then 1, 1 and 0, none: the last two steps have mean (2 + 2) / 7."""
    seen = Difficulty(window=2)
    assert seen.of(asked(0)) is None
    source = Script(
        ([1.0, 0.0, 0.25, 0.75], [asked(0), asked(1)]),
        ([1.0, 1.0, 0.0, nan], [asked(2), asked(3)]),
        ([0.5, 0.5, 0.0, 0.0], [asked(0), asked(1, 0.3)]),
    )
    seen(source)
    assert [seen.of(asked(i)) for i in range(3)] == [0.0, 0.0, None]
    seen(source)
    assert seen.of(asked(0)) == pytest.approx(4 / 7 - 0.5)
    assert seen.of(asked(2)) == pytest.approx(4 / 7 - 1)
    assert seen.of(asked(3)) == pytest.approx(4 / 7)
    assert source.notes == {"augment/hard": 0.0, "augment/easy": 0.0}
    seen(source)  # the first step has left the window: (2 + 1) / 7; what was changed is forgotten
    assert seen.of(asked(0)) == pytest.approx(3 / 7 - 0.5)
    assert seen.of(asked(1)) is None
    assert source.notes == {"augment/hard": 0.5, "augment/easy": 0.0}


def test_a_group_nobody_scored_is_not_known():
    seen = Difficulty()
    seen(Script(([nan, nan, 1.0, 0.0], [asked(0), asked(1)])))
    assert seen.of(asked(0)) is None
    assert seen.of(asked(1)) == 0


def test_state_goes_through_a_file():
    seen, again = Difficulty(window=3), Difficulty(window=3)
    seen(Script(([1.0, 0.5, 0.0, 0.0], [asked(0), asked(5)])))
    file = io.BytesIO()
    torch.save(seen.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert again.of(asked(5)) == seen.of(asked(5)) == 0.375
    assert again.replay.maxlen == 3
    with pytest.raises(UserError, match="at least 1; got 0"):
        Difficulty(window=0)


def easier(problem, difficulty):
    return replace(problem, input=(problem.input + round(10 * difficulty)) % 4)


def test_augmented_problems():
    known = {1: 0.2, 2: -0.4, 3: 0.01}
    harder_by = []

    def harder(problem, ease):
        harder_by.append(ease)
        return replace(problem, input=9)

    task = Augmented(Cards(), lambda problem: known.get(problem.index), easier, harder)
    plain = Cards()
    assert (task.name, task.split, task.size) == (plain.name, plain.split, plain.size)
    assert [task.at(i).input for i in range(4)] == [0, 3, 9, 3]
    assert harder_by == [0.4]
    assert task.at(0) == plain.at(0)
    assert task.at(3) == plain.at(3)  # a hint of no length is none, so its group tells its plain difficulty again
    assert task.at(1).columns == {"difficulty": 0.2} and task.at(2).columns == {"difficulty": -0.4}
    still = Augmented(Cards(), lambda problem: known.get(problem.index), unchanged, unchanged)
    assert [still.at(i) for i in range(8)] == [plain.at(i) for i in range(8)]


def trainer(augment=easier):
    seen = Difficulty(window=2)
    task = Augmented(Cards(size=4), seen.of, augment, augment)
    method = replace(rloo(), collect=seen)

    def reward(problems, outputs):
        return [float(problem.index) * (row % 3) for row, problem in enumerate(problems)]

    return Trainer(Table(), method, task, reward, prompts=4, group=3, lr=0.05, seed=1)


def test_plain_and_changed_visits_take_turns():
    t = trainer()
    log = list(t.run(5))
    changed = [line["augment/hard"] + line["augment/easy"] for line in log]
    assert changed[0] == changed[2] == changed[4] == 0
    assert changed[1] == changed[3] == 1.0  # every problem is off the mean of 1.5
    assert log[1]["augment/hard"] == 0.5  # 0 and 1 are harder than 2 and 3
    plain = Trainer(Table(), rloo(), Cards(size=4), t.reward, prompts=4, group=3, lr=0.05, seed=1)
    assert plain.step()["loss"] == log[0]["loss"]
    assert one_batch is t.method.collect.collect


def test_it_is_in_the_checkpoint():
    straight, resumed = trainer(), trainer()
    list(straight.run(2))
    straight.advance()  # inside the third step
    state = straight.state_dict()
    resumed.load_state_dict(state)
    assert resumed.method.collect.means == straight.method.collect.means
    list(straight.run(5))
    list(resumed.run(5))
    assert torch.equal(straight.policy.logits, resumed.policy.logits)
    forgetful = trainer()
    del state["shared"]["parts"]["collect"]
    state["shared"]["parts"]["collect"] = {"replay": [], "means": {}}
    forgetful.load_state_dict(state)
    list(forgetful.run(5))
    assert not torch.equal(straight.policy.logits, forgetful.policy.logits)
