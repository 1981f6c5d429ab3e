"""Digits in the stages of Kandinsky 5: bad pictures, groups and their average, the judge's pairs, what is compared."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.models.pair_judge import PairJudge
from rlft.policies.stepwise.noise_rules import ode
from rlft.tasks.digits import Digits
from rlft.types import Problem
from rlft.worlds.preferred import GROUPS, Models, preferred_digits, spoiled, trembling, wins


@pytest.fixture(scope="module")
def made():
    return Models(pretraining=2, tuning=2, judging=1, denoising_steps=2, seed=3)


def test_bad_pictures():
    images = torch.full((2, 8, 8), -1.0)
    images[0, 2, 2] = 1.0
    good, blurred, noisy = spoiled(images, seed=0).chunk(3)
    assert torch.equal(good, images)
    assert_close(blurred[0, 1:4, 1:4], torch.full((3, 3), -1 + 2 / 9))
    assert float(blurred[0].sum()) == pytest.approx(-64 + 2, abs=1e-4) and bool((blurred[1] == -1).all())
    assert noisy.abs().max() <= 1 and 0.1 < float((noisy - images).abs().mean()) < 0.25  # half of it is cut off
    shaken = trembling(torch.zeros(400, 8, 8), torch.Generator().manual_seed(0)).flatten(1).std(1)
    assert 0.2 < float(shaken.quantile(0.25)) < 0.3 and 0.7 < float(shaken.quantile(0.75)) < 0.82  # uniform widths


def test_the_average_is_of_three_that_were_tuned_apart(made):
    base, soup = made._base().state_dict(), made.weights("soup")
    apart = [made._tuned(group, 2) for group in GROUPS]
    name = "enter.weight"
    assert_close(soup[name], sum(one[name] for one in apart) / 3)
    assert len({float(one[name].sum()) for one in (*apart, base)}) == 4
    assert sorted(sum(GROUPS, ())) == list(range(10))
    # a group's labels have moved, the others' have not: their rows had no gradient
    moved = (apart[0]["features.label.weight"] - base["features.label.weight"]).abs().sum(1) > 0
    assert moved[:3].all() and not moved[3:10].any()


def test_pairs_are_of_one_digit_and_held_out_by_their_first_picture(made):
    pairs, train = made.pairs(), Digits("train")
    count = len(train.labels)
    assert len(pairs) == 2 * count + 2048
    assert torch.equal(pairs.better[:count], train.images) and torch.equal(pairs.asked[:count], train.labels)
    assert (
        torch.equal(pairs.group[:count], pairs.group[count : 2 * count]) and len(pairs.group.unique()) == count + 2048
    )
    tuned, before = made.drawn("soup"), made.drawn("pretrained")
    for worse, held, part in ((tuned, count, 0), (before, count, 1)):
        rows = slice(part * held, part * held + 40)
        for picture, digit in zip(pairs.worse[rows], pairs.asked[rows], strict=True):
            found = (worse["images"] == picture).all(dim=(1, 2))
            assert worse["labels"][found].tolist() == [int(digit)]
    assert torch.equal(pairs.better[2 * count :], tuned["images"])


def test_what_is_compared():
    world = preferred_digits(pretraining=2, tuning=2, judging=1, denoising_steps=2, seed=3)
    sampled = preferred_digits(against="sample", pretraining=2, tuning=2, judging=1, denoising_steps=2, seed=3)
    made = Models(2, 2, 1, 2, 3)
    assert world.policy.rule.name == ode().name and not world.policy.sample([world.train.at(0)], 1, 0).mask.any()
    problems = [world.train.at(i) for i in range(12)]
    images = torch.stack([problem.answer for problem in problems])
    half = torch.full((12,), 0.5)
    assert_close(world.reward(problems, images), half)  # a picture against itself
    theirs = made.sampled(problems)
    assert_close(sampled.reward(problems, theirs), half)
    assert (sampled.reward(problems, images) - 0.5).abs().max() > 1e-4
    labels = made.drawn("soup")["labels"]
    places = [(made.drawn("soup")["images"] == one).all(dim=(1, 2)).nonzero()[0, 0] for one in theirs]
    assert [int(labels[place]) for place in places] == [problem.input for problem in problems]


class Ink(nn.Module):
    def forward(self, first, second, asked):
        return first.flatten(1).sum(1)


def test_wins_are_counted_against_the_other_model(made):
    problems = [Problem(i, i % 10) for i in range(20)]
    measure, other = wins(PairJudge(Ink()), made.policy("soup")), made.policy("pretrained")
    assert measure(problems, torch.full((20, 8, 8), 1e3)) == {"win": 1.0, "preference": 1.0}
    assert measure(problems, torch.full((20, 8, 8), -1e3)) == {"win": 0.0, "preference": 0.0}
    mine = other.sample(problems, 1, seed=1).outputs
    assert 0 < measure(problems, mine)["preference"] < 1
