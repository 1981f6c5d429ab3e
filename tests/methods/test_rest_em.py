"""Rounds of expert iteration: imitation of the draws, from the base each time; what it degenerates into; resuming."""

import copy

import pytest
import torch

from rlft.methods.expert_iteration import expert_iteration
from rlft.methods.rest_em import rest_em
from rlft.methods.sft import sft
from rlft.training.trainer import Trainer
from rlft.types import Problem
from tests.fakes import Cards, Table, share

SHAPE = {"decisions": 6, "choices": 9, "stop": -1}  # rows of one length, which hardly ever are alike


def made(method, policy=None, reward=share, group=4, prompts=4):
    return Trainer(policy or Table(), method, Cards(), reward, prompts=prompts, group=group, lr=0.05, seed=3)


def weights(trainer):
    return trainer.policy.logits.detach().clone()


def test_online_with_all_copies_it_is_expert_iteration():
    settings = {"threshold": 0.4, "epochs": 2, "minibatches": 2}
    mine, plain = made(rest_em(copies=None, start="online", **settings)), made(expert_iteration(**settings))
    for _ in range(3):
        mine.step(), plain.step()
        assert torch.equal(weights(mine), weights(plain))
    assert not torch.equal(weights(mine), Table().logits)


class Drawn:
    """A task whose answers are rows that were drawn."""

    name, split = "cards", "train"

    def __init__(self, rollouts):
        told = zip(rollouts.problems, rollouts.outputs, strict=True)
        self.problems = [Problem(i, p.input, answer, task="cards") for i, (p, answer) in enumerate(told)]
        self.size = None

    def at(self, index):
        return self.problems[index]


def test_where_all_rows_are_right_and_differ_a_round_is_sft_on_them_from_the_base():
    everything = lambda problems, outputs: [1.0] * len(problems)  # noqa: E731
    trainer = made(rest_em(epochs=3), Table(**SHAPE), everything)
    for _ in range(3):
        trainer.advance()
        drawn = trainer.pending
        assert len({tuple(row) for row in drawn.outputs}) == len(drawn)
        while trainer.pending is not None:
            trainer.advance()
        other = Trainer(Table(**SHAPE), sft(epochs=3), Drawn(drawn), prompts=len(drawn), group=1, lr=0.05)
        other.step()
        assert torch.equal(weights(trainer), weights(other))


def test_a_round_draws_with_the_last_rounds_policy():
    trainer = made(rest_em(threshold=0.4))
    trainer.step()
    before = weights(trainer)
    trainer.advance()
    assert torch.equal(weights(trainer), Table().logits) and not torch.equal(before, weights(trainer))
    policy = Table()
    policy.load_state_dict({**policy.state_dict(), "logits": before})
    assert (
        trainer.pending.outputs
        == policy.sample([Cards().at(p.index) for p in trainer.pending.problems[::4]], 4, 3).outputs
    )


def test_it_goes_on_where_it_was_stopped():
    straight, states = made(rest_em(threshold=0.4, minibatches=2)), []
    while straight.steps_done < 3:
        states.append(copy.deepcopy(straight.state_dict()))
        straight.advance()
    assert len(states) == 3 * 5
    for state in states:
        resumed = made(rest_em(threshold=0.4, minibatches=2))
        resumed.load_state_dict(state)
        list(resumed.run(3))
        assert torch.equal(weights(resumed), weights(straight))


def test_the_optimiser_forgets_and_masters_go_back_too():
    """In bfloat16 the optimiser works on copies: they are what would bring the last round's weights back."""
    trainer = made(rest_em(threshold=0.2), Table(dtype=torch.bfloat16))
    trainer.step()
    assert trainer.optimizers["policy"].state
    trainer.advance()
    assert not trainer.optimizers["policy"].state
    assert torch.equal(weights(trainer), Table(dtype=torch.bfloat16).logits)
    assert torch.equal(trainer.masters.copies[0], Table(dtype=torch.bfloat16).logits.float())


@pytest.mark.parametrize("start", ["base", "online"])
def test_it_learns(start):
    trainer = made(rest_em(threshold=0.6, start=start, epochs=40), group=32)
    log = [trainer.step()["reward"] for _ in range(5)]
    assert log[-1] - log[0] > 0.3
