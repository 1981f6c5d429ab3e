"""Ensembles, next values, targets and errors against what they stand for."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.protocol import Box, Discrete
from rlft.offpolicy.buffer import Batch
from rlft.offpolicy.critics import Critics, Ensemble, layer_norm, plain
from rlft.offpolicy.dual import Dual
from rlft.offpolicy.values import best_value, expectile_error, least, mean, soft_value, squared_error, td_target
from rlft.types.acting import Candidates

SPACE = Box((-1.0, -1.0), (1.0, 1.0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("norm", [plain, layer_norm])
def test_an_ensemble_is_its_members_alone(norm):
    """Values and gradients of three stacked networks are those of three single ones."""
    x = torch.randn(5, 4, dtype=torch.float64, generator=generator())
    whole = Ensemble([4, 7, 6, 2], 3, seed=11, norm=norm)
    alone = [Ensemble([4, 7, 6, 2], 1, seed=11 + member, norm=norm) for member in range(3)]
    values = torch.cat([net(x) for net in alone])
    assert_close(whole(x), values, atol=1e-12, rtol=0)
    assert not torch.allclose(values[0], values[1])
    whole(x).square().sum().backward(), values.square().sum().backward()
    for name, weight in whole.named_parameters():
        single = torch.cat([dict(net.named_parameters())[name].grad for net in alone])
        assert weight.grad is not None and weight.grad.abs().max() > 0
        assert_close(weight.grad, single, atol=1e-6, rtol=1e-5)  # the weights are float32


def test_an_ensemble_by_hand():
    """Against linear layers of torch with the same weights."""
    x = torch.randn(5, 3, dtype=torch.float64, generator=generator())
    net = Ensemble([3, 4, 1], 2, seed=1).double()
    for e in range(2):
        hidden = (x @ net.weights[0][e] + net.biases[0][e]).relu()
        assert_close(net(x)[e], hidden @ net.weights[1][e] + net.biases[1][e], atol=1e-12, rtol=0)


@pytest.mark.parametrize("space", [SPACE, Discrete(4)])
def test_many_actions_are_one_at_a_time(space):
    critics = Critics(3, space, members=2, hidden=(8,), seed=4)
    seen = torch.randn(5, 3, dtype=torch.float64, generator=generator())
    if isinstance(space, Box):
        actions = torch.rand(5, 6, 1, 2, dtype=torch.float64, generator=generator(1))
    else:
        actions = torch.randint(4, (5, 6, 1, 1), generator=generator(1))
    together = critics.of(seen, actions)
    apart = torch.stack([critics(seen, actions[:, n]) for n in range(6)], dim=-1)
    assert together.shape == (2, 5, 6) and together.std() > 0
    assert_close(together, apart, atol=1e-12, rtol=0)


def test_one_opinion_of_several():
    q = torch.tensor([[1.0, 5.0], [3.0, 2.0], [2.0, 8.0]])
    assert least()(q, generator()).tolist() == [1.0, 2.0]
    assert mean(q, generator()).tolist() == [2.0, 5.0]
    seen = {tuple(least(2)(q, generator(seed)).tolist()) for seed in range(30)}
    assert seen == {(1.0, 2.0), (1.0, 5.0), (2.0, 2.0)}


def test_values_of_states():
    log_prob = torch.tensor([[0.7, 0.3]]).log()
    listed = Candidates(torch.arange(2).view(1, 2, 1, 1), log_prob, log_prob)
    q = torch.tensor([[2.0, 4.0]])
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    assert_close(soft_value(listed, q, 0.5), torch.tensor([2.6 + 0.5 * entropy]))
    drawn = Candidates(torch.zeros(1, 2, 1, 1), torch.tensor([[-1.0, 3.0]]), torch.full((1, 2), -math.log(2)))
    assert_close(soft_value(drawn, q, 0.1), torch.tensor([(2 + 0.1 + 4 - 0.3) / 2]))
    assert best_value(q).tolist() == [4.0]


def window(reward, valid, terminated):
    rows = len(reward)
    nothing = torch.zeros(rows, 1, dtype=torch.float64)
    return Batch(
        nothing,
        nothing[:, None],
        torch.tensor(reward, dtype=torch.float64),
        torch.tensor(valid),
        nothing,
        torch.tensor(terminated),
        nothing[:, 0],
        torch.zeros(rows, dtype=torch.bool),
        nothing[:, None][:, :0],
    )


def test_a_chunk_of_one_is_plain_temporal_difference():
    value = torch.tensor([10.0, 20.0], dtype=torch.float64)
    one = window([[1.0], [2.0]], [[True], [True]], [False, True])
    longer = window([[1.0, 0.0], [2.0, 0.0]], [[True, False], [True, False]], [False, True])
    assert td_target(one, value, 0.9).tolist() == [10.0, 2.0]
    assert torch.equal(td_target(one, value, 0.9), td_target(longer, value, 0.9))


def test_targets_of_windows_by_hand():
    batch = window([[1.0, 2.0, 4.0], [1.0, 3.0, 0.0]], [[True] * 3, [True, True, False]], [False, False])
    value = torch.tensor([8.0, 16.0], dtype=torch.float64)
    assert td_target(batch, value, 0.5).tolist() == [1 + 1 + 1 + 1, 1 + 1.5 + 4]


def test_errors():
    q, y = torch.tensor([[1.0, 2.0], [4.0, 2.0]]), torch.tensor([2.0, 5.0])
    assert float(squared_error(q, y)) == 0.5 * (1 + 9) / 2 + 0.5 * (4 + 9) / 2
    assert float(expectile_error(q[0], torch.tensor([2.0, 0.0]), 0.8)) == pytest.approx((0.8 * 1 + 0.2 * 4) / 2)


def test_an_expectile_of_one_half_is_the_mean():
    targets = torch.tensor([1.0, 2.0, 9.0], dtype=torch.float64)
    for expectile, expected in ((0.5, 4.0), (0.9, (0.1 * 3 + 0.9 * 9) / (0.2 + 0.9))):
        value = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([value], lr=0.5, max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

        def closure(optimizer=optimizer, value=value, expectile=expectile):
            optimizer.zero_grad()
            loss = expectile_error(value.expand(3), targets, expectile)
            loss.backward()
            return loss

        optimizer.step(closure)
        assert float(value.detach()) == pytest.approx(expected, abs=1e-6)


def test_a_dual_meets_its_constraint():
    """minimise (x - 3)² with x ≤ 1: the multiplier is 4, by hand. And the other way round with x ≥ 5."""
    for dual, bound, weight in ((Dual.at_most(1.0), 1.0, 4.0), (Dual.at_least(5.0), 5.0, 4.0)):
        x = torch.tensor(3.0, requires_grad=True)
        primal, second = torch.optim.SGD([x], 0.02), torch.optim.SGD(dual.parameters(), 0.02)
        for _ in range(3000):
            primal.zero_grad()
            ((x - 3).square() + dual.sign * -1 * dual.value * x).backward()
            primal.step()
            dual.pull(x)
            second.step()
        assert float(x.detach()) == pytest.approx(bound, abs=1e-3)
        assert float(dual.value) == pytest.approx(weight, abs=1e-2)
