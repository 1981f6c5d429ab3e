"""Who judges and how, where the policy learns, and what is measured there and in the world."""

import copy

import pytest
import torch

from rlft.environments.protocol import Episode
from rlft.methods.dapo import dapo
from rlft.types import Problem, UserError
from rlft.worldmodels.environment import Imagined
from rlft.worlds.gymnast import TRUTH, TURNED, VOTES, Judge, base, gymnast, outcomes, stopped, throws, voted

SMALL = {"shown": 2, "imitation": 2, "logged": 2, "fits": 2, "labels": 20, "problems": 4}


def ending(off, salt=0.0):
    """An episode whose stone lies so far from the goal in the end."""
    seen = torch.zeros(2, 6, dtype=torch.float64)
    seen[-1, 0], seen[-1, 4] = salt, off
    return Episode(seen, torch.zeros(1, 2), torch.zeros(1), False, True)


class Sees(Judge):
    """A judge who is right."""

    def believes(self, seen):
        return TRUTH.distance(seen) <= TRUTH.tolerance


def test_success_is_of_the_last_thing_seen():
    assert stopped([], [ending(0.0), ending(TRUTH.tolerance), ending(0.13)]) == [1, 1, 0]


def test_a_vote_is_turned_one_time_in_ten():
    """Of five votes of one who is right three or more are turned in 0.00856 of all cases."""
    rows = [ending(0.0, salt / 10**4) for salt in range(4000)]
    paid = voted(Sees(0))([Problem(0, 0)] * 4000, rows)
    wrong = sum(n * TURNED**k * (1 - TURNED) ** (VOTES - k) for k, n in ((3, 10), (4, 5), (5, 1)))
    assert wrong == pytest.approx(0.00856) and 1 - sum(paid) / 4000 == pytest.approx(wrong, abs=0.005)
    assert paid == voted(Sees(0))([Problem(0, 0)] * 4000, rows)


def test_outcomes():
    class Fooled(Judge):
        def believes(self, seen):
            return seen[:, 4] < 0.3

    found = outcomes(Fooled(0))([], [ending(0.0), ending(0.2), ending(0.4), ending(0.6)])
    assert found == pytest.approx({"success": 0.25, "believed": 0.5, "false": 1 / 3, "distance": 0.3})


def test_where_it_learns():
    places = {where: gymnast(where, **SMALL).policy.environment for where in ("truth", "simulator", "far", "model")}
    assert [places[name].friction for name in ("truth", "simulator", "far")] == pytest.approx([0.004, 0.0032, 0.0024])
    assert isinstance(places["model"], Imagined) and places["model"].certain
    with pytest.raises(UserError, match="give the method"):
        gymnast("refitted", **SMALL)


def test_it_is_evaluated_in_the_world():
    world = gymnast("far", **SMALL)
    assert world.deploy.control.environment is TRUTH and world.policy.environment is not TRUTH
    assert world.deploy.control.actor is world.policy.actor  # the same weights


def test_a_refitted_model_comes_after_updates():
    """The policy has moved, by the method, in a first model; and the second has seen what it then did."""
    again = gymnast("refitted", **SMALL, before=1, rate=1e-2, method=dapo(rounds=1))
    start = base(2, 2, 0)
    assert not torch.equal(again.policy.actor.weights[0], start.actor.weights[0])
    first = gymnast("model", **SMALL).policy.environment.model
    assert not torch.equal(first.mean, again.policy.environment.model.mean)


def test_the_teacher_shakes():
    shown = throws(200, 0)
    assert 0.02 < sum(stopped([], shown)) / 200 < 0.3
    assert max(float(episode.actions.abs().max()) for episode in shown) <= 0.95
    assert torch.equal(shown[0].actions, copy.deepcopy(throws(1, 0))[0].actions)
