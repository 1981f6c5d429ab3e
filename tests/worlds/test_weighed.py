"""Watched weights: what is counted, against numbers by hand; parts that are trained alone; noise; turned values."""

from __future__ import annotations

import pytest
import torch

from rlft.measure.weights import by_chance
from rlft.recipes.path_not_taken import path_not_taken
from rlft.worlds.sums import base
from rlft.worlds.weighed import Watched, matrices, part, shared, weighed

SMALL = {"imitation": 2, "prompts": 2, "group": 2, "lr": 1e-2}


def test_parts():
    matrix = torch.diag(torch.tensor([5.0, 1.0, 0.1, 0.1])) + 0.01
    principal, others, low = (part(matrix, which) for which in ("principal", "others", "low"))
    assert int(principal.sum()) == 8 and torch.equal(others, ~principal) and int(low.sum()) == 8
    # The first direction is nearly the first axis: its row and column are principal, seven entries and one more.
    assert principal[0].all() and principal[:, 0].all() and not low.diagonal().any()
    half = part(torch.zeros(100, 100), "random", seed=3)
    assert half.float().mean() == pytest.approx(0.5, abs=0.02) and torch.equal(half, part(half.float(), "random", 3))


def test_shared_by_hand():
    ours = {"a": torch.tensor([True, True, False, False]), "b": torch.tensor([True, False])}
    theirs = {"a": torch.tensor([True, False, True, True]), "b": torch.tensor([True, False])}
    one, other = 1 / 4 - by_chance(1 / 2, 3 / 4), 1 - by_chance(1 / 2, 1 / 2)
    assert shared(ours, theirs) == pytest.approx((4 * one + 2 * other) / 6)
    assert shared({"b": ours["b"]}, theirs) == pytest.approx(2 / 3)


@pytest.mark.parametrize("which", ["low", "others"])
def test_only_a_part_is_trained(which):
    run = path_not_taken(trained=which, steps=1, **SMALL)
    start = {name: its.detach().clone() for name, its in matrices(run.trainer.policy).items()}
    run.trainer.step()
    for place, (name, old) in enumerate(start.items()):
        moved = matrices(run.trainer.policy)[name].detach() != old
        assert not (moved & ~part(old, which, place)).any(), name


def test_noise_moves_as_far_as_it_is_told():
    (seen,) = weighed(imitation=2, noise=0.03).probes
    told = seen(weighed(imitation=2, noise=0.03).policy)
    assert told["moved"] == pytest.approx(0.03, rel=1e-4) and 0 < told["unchanged"] < 0.2
    still = seen(weighed(imitation=2).policy)
    assert still["moved"] == 0 and still["unchanged"] == 1 and still["drift"] < 1e-12


def test_turned_values_answer_alike_and_are_compared_apart():
    plain, world = weighed(imitation=2), weighed(imitation=2, turned=(1, 2))
    problems = [plain.test.at(index) for index in range(3)]
    rows = plain.policy.sample(problems, 2, 0)
    assert torch.allclose(plain.policy.log_prob(rows), world.policy.log_prob(rows), atol=1e-4)
    changed = {name: its.detach() > 0 for name, its in matrices(plain.policy).items()}
    (before,) = world.probes
    seen = Watched(before.start, lambda: changed, (1, 2))  # type: ignore[attr-defined]
    with torch.no_grad():
        for name, its in matrices(world.policy).items():
            its.mul_(torch.where(changed[name], 2.0, 1.0))
    told = seen(world.policy)
    # The same entries changed as in the other run, also where the values were turned.
    assert told["shared/turned"] == pytest.approx(told["shared/same"], abs=0.01) and told["shared/same"] > 0.6


def test_the_base_is_that_of_the_sums():
    assert all(torch.equal(a, b) for a, b in zip(base(2).parameters(), weighed(2).policy.parameters(), strict=True))
