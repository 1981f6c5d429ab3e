"""Votes from views that become denser: when they stop, who wins, what it costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlft.guidance.denser import Looked, SparseToDense, Views, expected_frames, said, unanimous
from rlft.noise import row_keys, uniform
from rlft.tasks.films import frames_of, viewed
from rlft.types import Problem, Rollouts, UserError


class Voter:
    """Answers so many frames by these chances of the letters a, b, c …, or at each temperature as scripted."""

    def __init__(self, chances=None, script=None, temperature=1.0, top_p=1.0, asked=None):
        self.chances, self.script, self.temperature, self.top_p = chances, script, temperature, top_p
        self.asked = [] if asked is None else asked

    def with_sampling(self, temperature, top_p):
        return Voter(self.chances, self.script, temperature, top_p, self.asked)

    def sample(self, problems, group, seed):
        assert group == 1 and problems
        self.asked += [(frames_of(problem), round(self.temperature, 3), round(self.top_p, 4)) for problem in problems]
        if self.script is not None:
            outputs = [self.script[frames_of(problem), self.temperature] for problem in problems]
        else:
            u = uniform(row_keys(problems, 1, seed), 1)[:, 0].tolist()
            outputs = [self._drawn(frames_of(problem), x) for problem, x in zip(problems, u, strict=True)]
        mask = torch.ones(len(problems), 1, dtype=torch.bool)
        return Rollouts(
            tuple(problems), 1, outputs, {"key": torch.arange(len(problems))}, mask, torch.zeros(mask.shape)
        )

    def _drawn(self, frames, u):
        return "abcdefgh"[int(np.searchsorted(np.cumsum(self.chances[frames]), u, side="right"))]


def film(index=0, frames=64):
    return Problem(index, "what?", "a", {"video": np.zeros((frames, 2, 2, 3), dtype=np.uint8)}, task="films")


def looking(policy, frames, most):
    return SparseToDense(policy, Views(viewed, frames_of), frames, most)


FIVE = (0.8, 0.95, 1.1, 1.25, 1.4)


def scripted(*views):
    """Answers by the number of frames, one of each temperature."""
    return {(frames, t): word for frames, words in views for t, word in zip(FIVE, words, strict=True)}


def test_it_looks_again_until_all_agree_and_at_most_so_densely():
    voter = Voter(script=scripted((4, "aabaa"), (8, "bbbbb"), (16, "aaaaa")))
    found = looking(voter, 4, 32)
    rows = found.sample([film()], 1, 0)
    assert rows.outputs == ["b"] and frames_of(rows.problems[0]) == 8 and rows.problems[0].task == "films"
    assert [asked for asked in voter.asked if asked[0] == 4] == [
        (4, 0.8, 0.7),
        (4, 0.95, 0.7625),
        (4, 1.1, 0.825),
        (4, 1.25, 0.8875),
        (4, 1.4, 0.95),
    ]
    assert found.spent == Looked(frames=5 * 4 + 5 * 8, encoded=12, looks=2, tokens=10, agreed=1, rows=1)
    assert found.spent.per_row() == {"frames": 60, "frames/encoded": 12, "looks": 2, "tokens": 10, "agreed": 1}


@pytest.mark.parametrize(
    ("votes", "most", "answer"),
    [
        ("aabab", 4, "a"),
        ("bbaac", 4, "b"),  # of two with as many the one that was said first
        ("ccbba", 4, "c"),
    ],
)
def test_at_the_end_the_majority_decides(votes, most, answer):
    found = looking(Voter(script=scripted((4, votes))), 4, most)
    assert found.sample([film()], 1, 0).outputs == [answer] and found.spent.agreed == 0


def test_an_answer_that_cannot_be_read_agrees_with_none():
    """Not even with another of its kind; and it never wins, unless there is nothing else."""
    none = dict.fromkeys(((4, t) for t in FIVE), "\n\n")
    found = looking(Voter(script={**none, **dict.fromkeys(((8, t) for t in FIVE), "a")}), 4, 8)
    assert found.sample([film()], 1, 0).outputs == ["a"] and found.spent.looks == 2
    one = {**none, (4, 1.4): "d"}
    assert looking(Voter(script=one), 4, 4).sample([film()], 1, 0).outputs == ["d"]
    assert looking(Voter(script=none), 4, 4).sample([film()], 1, 0).outputs == ["\n\n"]


def test_a_film_that_has_no_more_frames_is_decided():
    """One of 6 after 4 and 6, one of 4 at once, and two of 4 that are shown together; none is asked the same again."""
    found = looking(Voter(script=scripted((4, "aabaa"), (6, "aabbc"))), 4, 64)
    assert found.sample([film(frames=6)], 1, 0).outputs == ["a"]
    assert found.spent.frames == 5 * (4 + 6) and found.spent.looks == 2
    found = looking(Voter(script=scripted((4, "aabbb"))), 4, 64)
    assert found.sample([film(frames=4)], 1, 0).outputs == ["b"] and found.spent.looks == 1
    both = Problem(0, "what?", "a", {"videos": [film(frames=4).columns["video"]] * 2}, task="films")
    found = looking(Voter(script=scripted((8, "aabbb"))), 4, 64)
    assert found.sample([both], 1, 0).outputs == ["b"] and found.spent.looks == 1


def test_the_law_of_independent_votes():
    """P(stop at n) = Σ p^5, frames Σ 5 n Π(1 - u), a majority of five of which each is right with 0.6: 0.68256."""
    chances = {4: [0.6, 0.2, 0.1, 0.1], 8: [0.6, 0.4]}
    assert unanimous(chances[4]) == pytest.approx(0.0781, abs=1e-12)
    expected = expected_frames([4, 8], [unanimous(chances[4]), unanimous(chances[8])])
    assert expected == pytest.approx(5 * 4 + 5 * 8 * (1 - 0.0781), abs=1e-12)
    count = 6000
    found = looking(Voter(chances), 4, 8)
    rows = found.sample([film(i) for i in range(count)], 1, 0)
    first = np.mean([frames_of(problem) == 4 for problem in rows.problems])
    assert first == pytest.approx(0.0781, abs=0.012)  # three deviations
    assert found.spent.per_row()["frames"] == pytest.approx(expected, abs=0.5)
    last = [word == "a" for word, problem in zip(rows.outputs, rows.problems, strict=True) if frames_of(problem) == 8]
    assert np.mean(last) == pytest.approx(0.68256, abs=0.02)


def test_rows_do_not_depend_on_each_other():
    chances = {4: [0.5, 0.5], 8: [0.7, 0.3]}
    everyone = [film(i) for i in range(6)]
    together = looking(Voter(chances), 4, 8).sample(everyone, 2, 3)
    alone = looking(Voter(chances), 4, 8).sample(everyone[4:5], 2, 3)
    assert together.group == alone.group == 2 and together.outputs[8:10] == alone.outputs
    other = looking(Voter(chances), 4, 8).sample([replace(one, visit=1) for one in everyone], 2, 3)
    assert other.outputs != together.outputs


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I see a flash. <answer>B</answer>", "b"),
        ("<answer>A</answer> no, <answer>C. dim</answer>", "c"),
        ("It flashes. The answer is Ring.", "ring"),
        ("Final answer: (D) grow", "d"),
        ("Ring", "ring"),
        ("Apple", "apple"),  # no option A
        ("flash\ndim", None),
        ("", None),
        ("<answer> </answer>", None),
    ],
)
def test_what_a_text_answers(text, answer):
    assert said(text) == answer


def test_what_cannot_be():
    with pytest.raises(UserError, match="first view of 8 frames, at most 4"):
        looking(Voter(), 8, 4)
    with pytest.raises(UserError, match="problem 3 of t shows no film"):
        looking(Voter(), 4, 8).sample([Problem(3, "what?", task="t")], 1, 0)
