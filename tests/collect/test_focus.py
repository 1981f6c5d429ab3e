"""The hard focus: who stays, in which order they come, what is remembered, and to what it is nothing but GRPO."""

import io
from dataclasses import replace

import pytest
import torch

from rlft.collect.focus import HardFocus
from rlft.collect.sources import one_batch
from rlft.methods.grpo import grpo
from rlft.methods.pre_grpo import pre_grpo
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Table

nan = float("nan")


def trainer(collect, reward, size=8, prompts=2, group=4, method=None, **settings):
    method = replace(method or grpo(beta=0.0), collect=collect)
    return Trainer(Table(), method, Cards(size), reward, prompts=prompts, group=group, seed=3, lr=0.05, **settings)


def solved(shares):
    """Of each problem so many of four rows earn 1; the others what they get is not enough."""

    def reward(problems, outputs):
        return [float(i % 4 < shares[p.index]) or 0.9 for i, p in enumerate(problems)]

    return reward


def asked(t):
    """The problems of a step and their visits."""
    return [(problem.index, problem.visit) for problem in t.collect().problems[:: t.group]]


def steps(t, count):
    found = []
    for _ in range(count):
        found += asked(t)
        t.steps_done += 1
    return found


def test_who_stays():
    """Eight problems of which 0 ... 4 of four rows are right; of those with fewer than two the newest group decides."""
    shares = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 1, 6: 0, 7: 4}
    focus = HardFocus(phase=4, phases=3, below=0.5)
    t = trainer(focus, solved(shares))
    assert sorted(steps(t, 4)) == [(index, 0) for index in range(8)]
    assert focus.rates == {index: share / 4 for index, share in shares.items()}
    assert t.notes["focus/phase"] == 1 and t.notes["focus/problems"] == 8
    once = steps(t, 2)
    assert focus.kept == [0, 1, 5, 6] and t.notes["focus/phase"] == 2 and t.notes["focus/problems"] == 4
    assert sorted(once) == [(0, 1), (1, 1), (5, 1), (6, 1)]
    shares.update({0: 3, 5: 2})  # what was hard in the phase's first pass
    assert sorted(steps(t, 2)) == [(0, 2), (1, 2), (5, 2), (6, 2)]
    third = steps(t, 1)
    assert focus.kept == [1, 6] and sorted(third) == [(1, 3), (6, 3)]
    shares.update({1: 4, 6: 4})  # solved, but there is no phase after the last
    assert {index for index, _ in steps(t, 9)} == {1, 6} and t.notes["focus/phase"] == 3


def test_a_phase_that_does_not_come_to_a_problem_leaves_it():
    """Six of eight are seen in the first phase, all solved; the two others stay."""
    focus = HardFocus(phase=3, phases=2, below=1.0)
    t = trainer(focus, solved(dict.fromkeys(range(8), 4)))
    seen = {index for index, _ in steps(t, 3)}
    left = sorted(set(range(8)) - seen)
    assert len(seen) == 6
    assert sorted(steps(t, 1)) == [(index, 0) for index in left] and focus.kept == left


def test_retention_is_monotone():
    """Whatever is earned: no phase has a problem that the one before had not, or fewer than a step has."""

    def reward(problems, outputs):
        return [float((7 * p.index + 13 * p.visit + 5 * i) % 11 < 4) for i, p in enumerate(problems)]

    focus = HardFocus(phase=5, phases=6, below=0.5)
    t = trainer(focus, reward, size=32, prompts=6)
    before, sizes = [*range(32)], []
    for _ in range(6):
        rates = dict(focus.rates)
        drawn = {index for index, _ in steps(t, 5)}
        low = {index for index in before if rates.get(index, 0.0) < 0.5}
        assert drawn <= set(focus.kept) <= set(before) and low <= set(focus.kept)
        assert len(focus.kept) == max(len(low), 6)
        before = focus.kept
        sizes.append(len(before))
    assert sizes[0] == 32 > sizes[1] > sizes[-1] == 6


def test_where_too_few_are_left_the_hardest_of_the_solved_come():
    shares = {0: 4, 1: 3, 2: 4, 3: 0, 4: 2, 5: 4, 6: 3, 7: 4}
    focus = HardFocus(phase=2, phases=2, below=0.25)
    t = trainer(focus, solved(shares), prompts=4)
    steps(t, 3)
    assert focus.kept == [1, 3, 4, 6]


def test_what_is_noted_of_a_step():
    """Of eight groups those with 1, 2 and 3 right rows of four are informative."""
    t = trainer(HardFocus(phase=1), solved({0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 0, 7: 0}), prompts=8)
    t.collect()
    assert t.notes == {"focus/phase": 1, "focus/problems": 8, "focus/informative": 0.375}


def test_rows_that_could_not_be_scored():
    """They are no attempts; a problem without any scored row stays."""
    rewards = {0: [nan, nan, 1, 0], 1: [nan] * 4, 2: [1, 1, nan, 1], 3: [0, 0, 0, nan]}

    def reward(problems, outputs):
        return [rewards[p.index][i % 4] for i, p in enumerate(problems)]

    focus = HardFocus(phase=1, phases=2, below=0.5)
    t = trainer(focus, reward, size=4, prompts=4)
    steps(t, 1)
    assert focus.rates == {0: 0.5, 2: 1.0, 3: 0.0} and t.notes["focus/informative"] == 0.25
    t.prompts = 2
    steps(t, 1)
    assert focus.kept == [1, 3]


def test_it_goes_on_from_a_state():
    def made():
        return trainer(HardFocus(phase=3, phases=3), solved({i: i % 5 for i in range(8)}))

    whole, first = made(), made()
    straight = steps(whole, 9)
    begun = steps(first, 4)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = made()
    second.load_state_dict(torch.load(file, weights_only=True))
    assert begun + steps(second, 5) == straight


def test_one_phase_is_grpo():
    """Draw for draw, over three passes; with phases it is not."""

    def reward(problems, outputs):
        return [float(sum(output) % 3 == p.index % 3) for p, output in zip(problems, outputs, strict=True)]

    def weights(collect, method=None):
        t = trainer(collect, reward, method=method)
        for _ in range(12):
            t.step()
        return torch.cat([p.detach().flatten() for p in t.policy.parameters()])

    plain = weights(one_batch)
    assert torch.equal(plain, weights(pre_grpo(phase=2, phases=1).collect, pre_grpo(phase=2, phases=1)))
    assert not torch.equal(plain, weights(pre_grpo(phase=2, phases=3, below=0.3).collect))


def test_what_cannot_be():
    for settings in ({"phase": 0}, {"phase": 1, "phases": 0}):
        with pytest.raises(UserError, match="at least one phase of at least one step"):
            HardFocus(**settings)
    for below in (0.0, 1.1):
        with pytest.raises(UserError, match="below is a share"):
            HardFocus(1, below=below)
    with pytest.raises(UserError, match="cards has none: give it a size"):
        trainer(HardFocus(1), solved({}), size=None).collect()
