"""Policies over candidates: densities by hand, neighbours, padding, and that they learn what they are shown or paid."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rlft.errors import UserError
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.policies.control.chooser import Chooser, Pointer
from rlft.training.trainer import Trainer
from rlft.types import Policy, Problem, Rollouts, Teachable


class Draw:
    """As many choices as the problem says, among 2, 3 … cards, of which the highest is worth choosing."""

    def __init__(self, problem):
        self.problem, self.taken, self.worth = problem, [], 0.0

    def candidates(self):
        if len(self.taken) == self.problem.input:
            return None
        chance = np.random.default_rng([self.problem.index, len(self.taken)])
        return chance.normal(size=(2 + len(self.taken), 2))

    def choose(self, place):
        cards = self.candidates()
        self.worth += float(cards[place, 0] == cards[:, 0].max()) / self.problem.input
        self.taken.append(place)

    def point(self, x, y):
        self.taken.append((x, y))

    def outcome(self):
        return self.worth


class Cards:
    name, split, size = "cards", "train", None

    def at(self, index):
        count = 1 + index % 3
        game = Draw(Problem(index, count))
        lesson = []
        for _ in range(count):
            cards = game.candidates()
            lesson.append((cards, int(cards[:, 0].argmax())))
            game.choose(lesson[-1][1])
        return Problem(index, count, lesson, task="cards")


PROBLEMS = [Cards().at(index) for index in range(6)]


def chooser(kind=Chooser, **told):
    return kind(Draw, 3, 2, width=8, seed=1, **told)


@pytest.mark.parametrize("kind", [Chooser, Pointer])
def test_first_ratio_neighbours_and_padding(kind):
    policy = chooser(kind)
    assert isinstance(policy, Policy) and isinstance(policy, Teachable)
    rows = policy.sample(PROBLEMS, 2, seed=3)
    assert torch.equal(policy.log_prob(rows), rows.logp_old)
    assert rows.mask.sum(1).tolist() == [count for problem in PROBLEMS for count in [problem.input] * 2]
    assert not rows.logp_old[~rows.mask].any() and rows.logp_old[rows.mask].all()
    alone = policy.sample(PROBLEMS[3:4], 2, seed=3)  # one choice of two cards: nothing is padded
    for row in range(2):
        assert alone.outputs[row] == rows.outputs[6 + row]
        assert torch.equal(alone.logp_old[row], rows.logp_old[6 + row, :1])
    joined = Rollouts.concat([alone, rows])
    assert torch.equal(policy.log_prob(joined)[2:], rows.logp_old)
    other = policy.sample(PROBLEMS, 2, seed=4)
    assert not torch.equal(other.trace["decision"], rows.trace["decision"])


def test_a_choice_is_a_softmax_over_what_is_there():
    policy = chooser().double()
    rows = policy.sample(PROBLEMS, 1, seed=0)
    cards = torch.from_numpy(Draw(PROBLEMS[0]).candidates())
    mean = cards.mean(0)
    logits = torch.stack([policy.net(torch.cat([card, mean]))[0] for card in cards])
    expected = (logits - logits.logsumexp(0))[rows.trace["decision"][0, 0]]
    assert rows.logp_old[0, 0] == pytest.approx(float(expected.detach()), abs=1e-12)
    order = torch.tensor([1, 0])
    turned = policy.logits(cards[order], torch.ones(2).bool())
    assert torch.allclose(turned, logits[order], atol=1e-12)


def test_gradients_are_numbers_where_rows_are_padded():
    policy = chooser()
    rows = policy.sample(PROBLEMS, 1, seed=0)
    policy.log_prob(rows).sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in policy.parameters())


def test_one_candidate_is_certain():
    class One(Draw):
        def candidates(self):
            found = super().candidates()
            return None if found is None else found[:1]

    rows = Chooser(One, 3, 2, width=8).sample(PROBLEMS, 1, seed=0)
    assert not rows.logp_old.any()


def test_a_point_has_the_density_of_a_gaussian():
    policy = chooser(Pointer, std=0.5).double()
    rows = policy.sample(PROBLEMS[:1], 1, seed=0)
    trace = rows.trace
    z = (trace["decision"][0, 0] - policy.centre(trace["candidates"], trace["there"])[0, 0].detach()) / 0.5
    expected = -0.5 * float(z.square().sum()) - 2 * math.log(0.5) - math.log(2 * math.pi)
    assert float(rows.logp_old[0, 0]) == pytest.approx(expected, abs=1e-12)
    certain = policy.deterministic().sample(PROBLEMS[:1], 1, seed=0)
    assert torch.equal(certain.trace["decision"][0, 0], policy.centre(trace["candidates"], trace["there"])[0, 0])


def test_without_noise_the_most_likely_is_taken():
    policy = chooser()
    rows = policy.deterministic().sample(PROBLEMS, 2, seed=5)
    assert not rows.mask.any() and rows.outputs[::2] == rows.outputs[1::2]
    logits = policy.logits(rows.trace["candidates"], rows.trace["there"])
    assert torch.equal(logits[:, 0].argmax(-1), rows.trace["decision"][:, 0])


def test_a_lesson_is_scored_as_it_stands():
    policy = chooser()
    rows = policy.demonstrate(PROBLEMS, seed=0)
    assert rows.mask.sum(1).tolist() == [1, 2, 3, 1, 2, 3] and rows.trace["decision"][2, 2] == PROBLEMS[2].answer[2][1]
    assert torch.equal(policy.loss_on(rows), -policy.log_prob(rows))
    with pytest.raises(UserError, match="problem 0 has no demonstration"):
        policy.demonstrate([replace(PROBLEMS[0], answer=None)], seed=0)


def paid(problems, outputs):
    return list(outputs)


@pytest.mark.parametrize(("method", "group"), [(sft(), 1), (grpo(beta=0.0), 8)])
def test_it_learns_what_it_is_shown_or_paid(method, group):
    policy = chooser()
    before = sum(policy.deterministic().sample([Cards().at(index) for index in range(100, 160)], 1, 0).outputs)
    trainer = Trainer(policy, method, Cards(), paid, prompts=16, group=group, lr=1e-2)
    for _ in range(15):
        found = trainer.step()
    assert found.get("ratio/first", 0.0) <= 1e-6
    after = sum(policy.deterministic().sample([Cards().at(index) for index in range(100, 160)], 1, 0).outputs)
    assert after > 0.8 * 60 > before
