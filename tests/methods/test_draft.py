"""Reward gradients: a linear flow by hand, whole chains against autograd, and what every method must do."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.losses.pathwise import last_steps, random_last_steps, velocity_distance
from rlft.methods.draft import draft
from rlft.models.schedules import VELOCITY, RectifiedFlow
from rlft.noise import LOSS, forked, normal
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import flow_sde, ode
from rlft.policies.stepwise.stepwise import step_noise
from rlft.tasks.subset import Subset
from rlft.training.score import graded
from rlft.training.trainer import Trainer
from rlft.types import HasReference, Pathwise, Problem, Rollouts, Through, UserError, unused
from tests.contracts.test_methods import saved, weights
from tests.fakes import Cards, Table, agreement
from tests.policies.stepwise.toy_diffusion import problems, small

A, D = 0.5, 4  # of the velocity a·x, and steps: each multiplies x by 1 - a/D
FACTOR = 1 - A / D


class Linear(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x, t, label):
        return self.a * x


def linear(a=A, rule=None):
    told = {"schedule": RectifiedFlow(), "prediction": VELOCITY, "event": "sum", "shape": (1,), "classes": 3}
    return Diffusion(Linear(a), steps=D, rule=rule or ode(), block=4, **told)


def thrice(asked, outputs):
    return 3 * outputs.flatten(1).sum(1)


def drawn(policy, count=2):
    rollouts = policy.sample(problems(*range(count)), 1, seed=5)
    rollouts = rollouts.fill(position=torch.arange(count))
    return rollouts.fill(rewards=thrice(rollouts.problems, rollouts.outputs).float())


def gradient(policy, method, rollouts, reward=thrice, reference=None):
    """The loss and its derivative by the first weight, divided as the Trainer does."""
    total = method.updates[0].loss(policy, rollouts, Through(graded(reward), reference))
    (total.sum / total.weight).backward()
    slope = next(policy.parameters()).grad.clone()
    policy.zero_grad()
    return float(total.sum.detach() / total.weight), slope


# A linear flow by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [1, 2, 3, 4, 99])
def test_the_last_steps_of_a_linear_flow(last):
    """x_D = x_(D-K) (1 - a/D)^K, so dR/da = 3 · x_(D-K) · -K/D · (1 - a/D)^(K-1): the first part is given."""
    policy = linear()
    rollouts = drawn(policy)
    start, k = rollouts.trace["states"][:, 0, 0], min(last, D)
    assert_close(rollouts.outputs[:, 0], start * FACTOR**D, rtol=0, atol=1e-14)
    by_hand = 3 * (start * FACTOR ** (D - k)).mean() * -k / D * FACTOR ** (k - 1)
    loss, slope = gradient(policy, draft(last=last), rollouts)
    assert float(slope) == pytest.approx(-float(by_hand), abs=1e-13)
    assert loss == gradient(policy, draft(last=1), rollouts)[0]  # its value does not know K
    assert loss == pytest.approx(-3 * float(start.mean()) * FACTOR**D, abs=1e-13)


def test_refl_is_the_gradient_of_what_one_step_predicts():
    """x̂0 = x_k - t_k a x_k at t_k = 1 - k/D: dR/da = -3 t_k x_k; above the ceiling there is none."""
    policy = linear()
    rollouts = drawn(policy)
    states, method = rollouts.trace["states"][:, :, 0], draft(last=3, how="foreseen")
    since = random_last_steps(rollouts, 3)
    rows = torch.arange(2)
    at = 1 - since / D
    loss, slope = gradient(policy, method, rollouts)
    assert float(slope) == pytest.approx(float((3 * at * states[rows, since]).mean()), abs=1e-13)
    predicted = 3 * states[rows, since] * (1 - at * A)
    assert loss == pytest.approx(-float(predicted.mean()), abs=1e-13)
    low = float(predicted.min()) + 1e-9
    loss, slope = gradient(policy, draft(last=3, how="foreseen", ceiling=low), rollouts)
    first = int(predicted.argmin())
    assert float(slope) == pytest.approx(float(3 * at[first] * states[first, since[first]] / 2), abs=1e-13)
    assert loss == pytest.approx(-low, abs=1e-8)


def test_low_variance_takes_the_last_step_from_noised_pictures():
    """s = (1 - 1/D) x_0 + z/D, then one step: dR/da = -3 s / D, the mean over copies."""
    policy = linear()
    rollouts = drawn(policy)
    many = policy.noised_again(rollouts, 3)
    states = many.trace["states"][:, -2, 0].reshape(2, 3)
    z = normal(forked(rollouts.trace["key"], 3).flatten(), 1, (1,), LOSS).reshape(2, 3)
    assert len(set(z.flatten().tolist())) == 6
    assert_close(states, (1 - 1 / D) * rollouts.trace["data"] + z / D, rtol=0, atol=1e-14)
    loss, slope = gradient(policy, draft(last=1, copies=3), rollouts)
    assert float(slope) == pytest.approx(float(3 * states.mean() / D), abs=1e-13)
    assert loss == pytest.approx(-3 * float(states.mean()) * FACTOR, abs=1e-13)


def test_the_anchor_of_a_linear_flow():
    """Σ (a - a')² x_k² over the last K, with the states given: its derivative is 2 (a - a') Σ x_k²."""
    policy, reference = linear(), linear(0.2)
    rollouts = drawn(policy)
    squares = rollouts.trace["states"][:, 2:4, 0].square().sum(1).mean()
    free, slope = gradient(policy, draft(last=2), rollouts)
    loss, held = gradient(policy, draft(last=2, beta=0.7), rollouts, reference=reference)
    assert loss - free == pytest.approx(0.7 * 0.3**2 * float(squares), abs=1e-13)
    assert float(held - slope) == pytest.approx(0.7 * 2 * 0.3 * float(squares), abs=1e-13)
    assert reference.denoiser.a.grad is None
    same = gradient(policy, draft(last=2, beta=0.7), rollouts, reference=linear())
    assert same == (free, slope)  # exactly 0 at the start


def test_a_squared_distance_adds_up_all_numbers_of_all_steps():
    predicted, reference = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    predicted[0, 1], reference[1, 2, 0] = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), 3.0
    assert velocity_distance(predicted, reference).tolist() == [6.0, 18.0]


# Chains in general -------------------------------------------------------------------------------------------------


def test_all_steps_are_autograd_through_the_whole_chain():
    """With noise, guidance and a network; the chain by hand, from the same start with the same noise."""
    flow = {"rule": flow_sde(0.7), "schedule": RectifiedFlow(), "prediction": VELOCITY, "guidance": 2.0, "block": 4}
    policy = small((2, 3), dtype=torch.float64, noise=0.3, **flow)
    rollouts = drawn(policy, 3)
    keys, label = rollouts.trace["key"], rollouts.trace["condition"]

    def chain(first):
        x = rollouts.trace["states"][:, first]
        for k in range(first, 4):
            ahead = policy.step(x, torch.full((3,), k), label)
            x = ahead.mean + ahead.std * step_noise(keys, k, (2, 3))
        loss = -thrice(rollouts.problems, x).mean()
        return loss, torch.autograd.grad(loss, [*policy.denoiser.parameters()])

    for last in (4, 2, 1):
        loss, expected = chain(4 - last)
        total = draft(last=last).updates[0].loss(policy, rollouts, Through(graded(thrice), None))
        found = torch.autograd.grad(total.sum / total.weight, [*policy.denoiser.parameters()])
        assert_close(total.sum / total.weight, loss, rtol=0, atol=1e-12)
        for mine, theirs in zip(found, expected, strict=True):
            assert_close(mine, theirs, rtol=0, atol=1e-12)
    since = torch.tensor([4, 0, 2])  # of which one has no graph, and one all
    again = policy.redrawn(rollouts, since)
    assert torch.equal(again, rollouts.outputs)
    assert torch.autograd.grad(again[0].sum(), policy.denoiser.enter.weight, retain_graph=True)[0].abs().max() == 0
    assert torch.autograd.grad(again[2].sum(), policy.denoiser.enter.weight)[0].abs().max() > 0


def test_where_the_gradient_begins():
    rollouts = drawn(linear(), 3)
    assert last_steps(rollouts, 1).tolist() == [3, 3, 3] and last_steps(rollouts, 9).tolist() == [0, 0, 0]
    asked, mask = tuple(Problem(i, 0) for i in range(400)), torch.zeros(400, 8, dtype=torch.bool)
    many = Rollouts(asked, 1, list(asked), {}, mask, torch.zeros(400, 8)).fill(position=torch.arange(400))
    since = random_last_steps(many, 5)
    counts = since.bincount(minlength=8).tolist()
    assert counts[:3] == [0, 0, 0] and min(counts[3:]) > 50  # 80 expected of each, deviation 8
    with pytest.raises(UserError, match="the last 0 steps: give at least 1"):
        last_steps(rollouts, 0)
    with pytest.raises(UserError, match="copies=2 of the last step alone"):
        draft(last=3, copies=2)


# What every method must do -----------------------------------------------------------------------------------------

METHODS = [
    draft(last=2, beta=0.1, minibatches=2),
    draft(last=3, how="random"),
    draft(last=3, how="foreseen"),
    draft(copies=2),
]


def trainer(method, reward=thrice, **more):
    policy = small((2, 2), dtype=torch.float64, noise=0.3)
    told = unused(method), Subset(Cards(), range(3)), reward  # several run with one value
    return Trainer(policy, *told, **{"prompts": 4, "group": 2, "lr": 1e-2, **more})


def cut_and_stopped(method, least):
    """The log of two steps that moved the weights by `least`, of which no cut of a batch changes more than rounding and
    no stop a bit."""

    def plain(parameters, lr):
        return torch.optim.SGD(parameters, lr)

    whole, cut = (trainer(method, rows=rows, optimizer=plain) for rows in (None, 3))
    start, states, log = weights(whole).clone(), [], []
    while whole.steps_done < 2:
        states.append(saved(whole))
        metrics = whole.advance()
        log += [metrics] if metrics else []
    for _ in range(2):
        cut.step()
    assert (weights(whole) - start).abs().max() > least
    assert_close(weights(whole), weights(cut), atol=1e-12, rtol=0)
    for state in states[1::2]:
        resumed = trainer(method, optimizer=plain)
        resumed.load_state_dict(copy.deepcopy(state))
        list(resumed.run(2))
        assert torch.equal(weights(resumed), weights(whole))
    return log


@pytest.mark.parametrize("method", METHODS)
def test_micro_batches_and_a_stop_change_nothing(method):
    log = cut_and_stopped(method, 1e-4)
    assert log[0]["redrawn/first"] <= 1e-5 and all(line["grad_norm"] > 0 for line in log)


def test_it_learns_and_a_likelihood_is_not_said_of_an_ode():
    policy = linear()
    t = Trainer(policy, draft(last=2, beta=0.01), Subset(Cards(), range(3)), lambda p, x: -x[:, 0].square(), prompts=8,
                group=4, lr=0.05)  # fmt: skip
    log = list(t.run(20))
    assert log[-1]["reward"] > log[0]["reward"] + 0.05 and "kl" not in log[0]
    assert float(policy.denoiser.a.detach()) > A + 0.2  # to 0, but for where it began
    assert log[0]["anchor"] == 0 < log[-1]["anchor"]


def test_unscored_rows_have_no_say():
    def forgetful(asked, outputs):
        rewards = thrice(asked, outputs)
        return {"a": torch.where(torch.arange(len(rewards)) == 1, torch.nan, rewards)}

    policy = linear()
    rollouts = drawn(policy, 3)
    assert torch.isnan(graded(forgetful)(rollouts.problems, rollouts.outputs.requires_grad_())[1])
    marked = rollouts.rewards.clone()
    marked[1] = torch.nan
    part = {name: value for name, value in rollouts.filled.items() if name != "rewards"}
    rows = rollouts.__class__(**{**vars(rollouts), "filled": {**part, "rewards": marked}})
    total = draft(last=2).updates[0].loss(policy, rows, Through(graded(forgetful), None))
    assert total.weight == 2
    loss, slope = gradient(policy, draft(last=2), rows, forgetful)
    expected, without = gradient(policy, draft(last=2), rollouts[[0, 2]])
    assert_close(slope, without, rtol=0, atol=1e-14)
    assert loss == pytest.approx(expected, abs=1e-14)


def test_what_is_refused():
    with pytest.raises(UserError, match="method draft needs a policy that can be differentiated through what it draws"):
        Trainer(Table(), draft(), Cards(), agreement)
    t = trainer(draft(), lambda asked, outputs: thrice(asked, outputs).detach())
    with pytest.raises(UserError, match=r"the reward has no gradient.*or use a method of likelihoods"):
        t.step()
    t = trainer(draft(), lambda asked, outputs: thrice(asked, outputs).tolist())
    with pytest.raises(UserError, match="to be differentiated it returns a tensor"):
        t.step()
    assert isinstance(linear(), Pathwise) and not isinstance(Table(), Pathwise)
    assert not isinstance(linear(), HasReference)
