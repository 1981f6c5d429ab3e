"""What a pair earns, from what one output earns."""

import pytest
import torch

from rlft.rewards.adapt import combine, each
from rlft.rewards.pairs import both, own
from rlft.training.score import score
from rlft.types import Parts, Problem, Turns, UserError

PROBLEMS = [Problem(0, 10), Problem(1, 20)]


def near(problem, output):
    return None if output < 0 else problem.input + output


def test_the_sum_of_both_for_the_same_problem():
    found = score(both(each(near)), PROBLEMS, [(1, 2), (3, 4)])
    assert found.total.tolist() == [23.0, 47.0]
    assert {name: part.tolist() for name, part in found.parts.items()} == {"pioneer": [11, 23], "observer": [12, 24]}


def test_one_that_cannot_be_scored_spoils_the_pair():
    total = score(both(each(near)), PROBLEMS, [(1, -2), (3, 4)]).total
    assert total.isnan().tolist() == [True, False]


def test_parts_may_abstain_but_not_from_a_whole_output():
    def parts(problems, outputs):
        return {"a": [None if o < 0 else 1.0 for o in outputs], "b": [None if abs(o) > 5 else 2.0 for o in outputs]}

    found = score(both(parts), [*PROBLEMS, Problem(2, 0)], [(1, -2), (3, 9), (-9, 1)])
    assert found.total.tolist()[:2] == [1 + 2 + 2, 3 + 1] and found.total[2].isnan()
    assert all(part[2].isnan() for part in found.parts.values())


def test_a_reward_with_parts_keeps_their_names():
    reward = both(combine({"near": each(near), "twice": each(near)}, {"twice": 2.0}))
    parts = score(reward, PROBLEMS, [(1, 2), (3, 4)]).parts
    assert parts["observer/twice"].tolist() == [24.0, 48.0]
    assert set(parts) == {f"{role}/{name}" for role in ("pioneer", "observer") for name in ("near", "twice")}


def test_what_is_watched_does_not_add():
    def watched(problems, outputs):
        return Parts({"x": torch.ones(len(outputs))}, {"y": torch.tensor([float(o) for o in outputs])})

    found = score(both(watched), PROBLEMS, [(1, 2), (3, 4)])
    assert found.total.tolist() == [2.0, 2.0]
    assert found.parts["observer/y"].tolist() == [2.0, 4.0]


def test_tensors_are_stacked_and_decisions_added_up():
    def squares(problems, outputs):
        assert outputs.shape == (2, 3)
        return [row.square() for row in outputs]

    pairs = [(torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 0, 0])), (torch.zeros(3), torch.ones(3))]
    assert score(both(squares), PROBLEMS, pairs, decisions=6).total.tolist() == [30.0, 3.0]


def test_a_reward_that_forgets_a_row_is_refused():
    with pytest.raises(UserError, match="returned 1 values for 2 outputs"):
        both(lambda problems, outputs: [1.0])(PROBLEMS, [(1, 2), (3, 4)])


def test_what_the_reward_remembers_is_kept():
    class Counts:
        seen = 0

        def __call__(self, problems, outputs):
            self.seen += len(outputs)
            return [float(self.seen)] * len(outputs)

        def state_dict(self):
            return {"seen": self.seen}

        def load_state_dict(self, state):
            self.seen = state["seen"]

    reward, again = both(Counts()), both(Counts())
    assert reward(PROBLEMS, [(1, 2), (3, 4)])["observer"].tolist() == [4.0, 4.0]
    again.load_state_dict(reward.state_dict())
    assert again(PROBLEMS, [(1, 2), (3, 4)])["pioneer"].tolist() == [6.0, 6.0]


def test_to_each_its_own_where_it_ends():
    pairs = [Turns((1, 2), (0, 3)), Turns((3, 4), (1, 2))]
    found = score(own(each(near)), PROBLEMS, pairs, decisions=5)
    assert found.at.tolist() == [[11, 0, 0, 12, 0], [0, 23, 24, 0, 0]]
    assert found.total.tolist() == [23.0, 47.0]
    assert {name: part.tolist() for name, part in found.parts.items()} == {"pioneer": [11, 23], "observer": [12, 24]}
    spoilt = score(own(each(near)), PROBLEMS, [Turns((1, -2), (0, 3)), pairs[1]], decisions=5)
    assert spoilt.total.isnan().tolist() == [True, False]
    with pytest.raises(UserError, match="know where they end"):
        own(each(near))(PROBLEMS, [(1, 2), (3, 4)])
