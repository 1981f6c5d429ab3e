"""KL control and DPG against everything that can be listed: sums over all rows in float64, no sampling unless said."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages.energy import ImportanceWeight, log_weight
from rlft.measure.distribution import total_variation
from rlft.measure.posterior import entropy, kl, log_partition, objective, posterior
from rlft.methods.dpg import dpg
from rlft.methods.kl_control import kl_control
from rlft.methods.rloo import rloo
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import Problem, Rollouts
from tests.fakes import Cards, Table, agreement

DECISIONS, CHOICES = 3, 3
# What each decision earns; 0 ends a row, so that rows have 1 to 3 decisions.
EARNED = torch.tensor([[0.2, 0.7, -0.1], [0.5, 0.1, 0.6], [-0.3, 0.4, 0.9]], dtype=torch.float64)


def table(seed: int, inputs: int = 1) -> Table:
    return Table(inputs=inputs, decisions=DECISIONS, choices=CHOICES, seed=seed)


def earned(problems, outputs):
    return [sum(float(EARNED[d, choice]) for d, choice in enumerate(row)) for row in outputs]


def listed(of: Table, which: int = 0) -> Rollouts:
    """All 15 rows: 1 of one decision, 2 of two, 4 + 8 of three."""
    distinct = {
        row[: row.index(0) + 1] if 0 in row else row for row in itertools.product(range(CHOICES), repeat=DECISIONS)
    }
    actions = torch.tensor([row + (0,) * (DECISIONS - len(row)) for row in sorted(distinct)])
    return of.rows([Problem(which, which)], len(actions), torch.full((len(actions),), which), actions)


def log_pi(of: Table, rows: Rollouts) -> torch.Tensor:
    return of.log_prob(rows).sum(1)


def judged(rows: Rollouts, prior: Table, rewards: torch.Tensor) -> Rollouts:
    with torch.no_grad():
        return rows.fill(rewards=rewards, logp_ref=prior.log_prob(rows), position=torch.arange(len(rows)))


def gradient(value: torch.Tensor, of: Table) -> torch.Tensor:
    return torch.autograd.grad(value, of.logits)[0]


REWARDS = torch.randn(15, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_the_list_is_complete():
    policy = table(2)
    rows = listed(policy)
    assert sorted(rows.mask.sum(1).tolist()) == [1] * 1 + [2] * 2 + [3] * 12
    assert_close(log_pi(policy, rows).exp().sum().item(), 1.0, atol=1e-12, rtol=0)


def test_the_objective_is_the_distance_to_the_posterior():
    """J(pi) = beta log Z - beta KL(pi || p) for any pi; so p is the best, with J = beta log Z."""
    prior, policy = table(1), table(2)
    rows, beta = listed(prior), 0.3
    before, now = log_pi(prior, rows), log_pi(policy, rows)
    target = posterior(before, REWARDS, beta)
    most = beta * log_partition(before, REWARDS, beta)
    assert_close(objective(now, before, REWARDS, beta), most - beta * kl(now, target), atol=1e-12, rtol=0)
    assert_close(objective(target, before, REWARDS, beta), most, atol=1e-12, rtol=0)
    assert kl(now, target) > 0.5
    # worked out without the module: two rows, pi0 (1/4, 3/4), r = (0, ln 3) at beta = 2 -> weights 1/4 : 3/4 sqrt 3
    quarter, root = torch.tensor([0.25, 0.75]).log(), 3**0.5
    found = posterior(quarter, torch.tensor([0.0, math.log(3)]), 2.0).exp()
    assert_close(found, torch.tensor([0.25, 0.75 * root]) / (0.25 + 0.75 * root))
    assert_close(entropy(quarter).item(), 0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert_close(kl(quarter, torch.tensor([0.5, 0.5]).log()).item(), 0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert_close(kl(torch.tensor([0.0, 1.0]).log(), quarter).item(), math.log(4 / 3))


def test_the_best_objective_between_its_limits():
    """beta log Z falls from max r (beta -> 0) to E_pi0[r] (beta -> infinity); a shift of r moves it and not p."""
    before = log_pi(table(1), listed(table(1)))
    values = [(beta * log_partition(before, REWARDS, beta)).item() for beta in (1e-4, 0.1, 1.0, 1e6)]
    assert values == sorted(values, reverse=True)
    assert_close(values[0], REWARDS.max().item(), atol=2e-3, rtol=0)
    assert_close(values[-1], (before.exp() * REWARDS).sum().item(), atol=1e-5, rtol=0)
    assert_close(posterior(before, REWARDS + 7, 0.3), posterior(before, REWARDS, 0.3), atol=1e-12, rtol=0)
    assert (posterior(before, REWARDS, 0.3) - before).abs().max() > 1


@pytest.mark.parametrize(("beta", "bonus"), [(0.3, 0.0), (0.3, 0.2), (0.0, 0.2)])
def test_kl_controls_gradient_is_that_of_the_divergence(beta, bonus):
    """The method's own credit and loss in expectation over all pairs of rows: -grad J = b grad KL(pi || p)."""
    prior, policy = table(1), table(2)
    rows = listed(policy)
    first, second = torch.cartesian_prod(torch.arange(15), torch.arange(15)).T
    pairs = replace(rows[torch.stack([first, second], 1).flatten()], group=2)
    now, before = log_pi(policy, rows), log_pi(prior, rows).detach()
    batch = judged(pairs, prior, REWARDS[torch.stack([first, second], 1).flatten()])
    method = kl_control(beta, bonus)
    credit = method.advantage(batch, Local())
    share = (now[first] + now[second]).exp().detach().repeat_interleave(2) / 2
    weighed = batch.fill(advantages=(credit * share)[:, None].expand_as(batch.mask))
    found = gradient(method.updates[0].loss(policy, weighed).sum, policy)
    whole = objective(now, before, REWARDS, beta) + bonus * entropy(now)
    assert_close(found, -gradient(whole, policy), atol=1e-12, rtol=0)
    b = beta + bonus
    target = (beta / b * before + REWARDS / b).log_softmax(0)
    now = log_pi(policy, rows)
    assert_close(found, b * gradient(kl(now, target), policy), atol=1e-12, rtol=0)
    assert found.abs().max() > 0.01


def known(method, log_z: float):
    """The method with a Z so often seen that a batch does not change it."""
    many = 10**15
    key = next(iter(_sums(method.advantage)))
    method.advantage.load_state_dict({"sums": {key: (log_z + math.log(many), many)}})
    return method


def _sums(credit: ImportanceWeight):
    credit(judged(listed(table(1)), table(1), REWARDS), Local())
    return credit.sums


@pytest.mark.parametrize("baseline", [0.0, 1.0, 0.7])
@pytest.mark.parametrize("drawn_from", [3, 2], ids=["any q", "on-policy"])
def test_dpgs_gradient_is_that_of_the_forward_divergence(baseline, drawn_from):
    """-E_q[P/(Z q) grad log pi] = grad KL(p || pi), whatever q, and the baseline adds nothing."""
    prior, policy, sampler, beta = table(1), table(2), table(drawn_from), 0.3
    rows = listed(sampler)
    before = log_pi(prior, rows).detach()
    batch = judged(rows, prior, REWARDS)
    method = known(dpg(beta, baseline), log_partition(before, REWARDS, beta).item())
    weights = method.advantage(batch, Local())
    target, drawn = posterior(before, REWARDS, beta), log_pi(sampler, rows).detach()
    assert_close(weights, (target - drawn).exp(), atol=1e-9, rtol=0)
    assert_close((drawn.exp() * weights).sum().item(), 1.0, atol=1e-9, rtol=0)
    filled = batch.fill(advantages=weights[:, None].expand_as(batch.mask))
    found = sum(drawn[i].exp() * method.updates[0].loss(policy, filled[[i]]).sum for i in range(15))
    assert isinstance(found, torch.Tensor)
    assert_close(gradient(found, policy), gradient(kl(target, log_pi(policy, rows)), policy), atol=1e-9, rtol=0)
    assert gradient(kl(target, log_pi(policy, rows)), policy).abs().max() > 0.05


def best(prior: Table, beta: float) -> Table:
    """The policy that is the posterior of `earned`: backwards, what is earned and the log of what lies ahead."""
    policy, ahead = table(9, inputs=len(prior.logits)), torch.zeros(len(prior.logits), dtype=torch.float64)
    with torch.no_grad():
        for d in reversed(range(DECISIONS)):
            scores = prior.logits[:, d].log_softmax(-1) + EARNED[d] / beta
            scores[:, 1:] += ahead[:, None]
            policy.logits[:, d], ahead = scores, scores.logsumexp(-1)
    return policy


def posterior_of(prior: Table, which: int, beta: float) -> tuple[Rollouts, torch.Tensor]:
    rows = listed(prior, which)
    rewards = torch.tensor(earned(rows.problems, rows.outputs), dtype=torch.float64)
    return rows, posterior(log_pi(prior, rows), rewards, beta).detach()


def test_nothing_is_left_to_do_at_the_posterior():
    """There each row's advantage is 0 and each weight 1, in any sample, and neither method has a gradient."""
    prior, beta = table(1), 0.3
    policy = best(prior, beta)
    rows, target = posterior_of(prior, 0, beta)
    assert_close(log_pi(policy, rows), target, atol=1e-12, rtol=0)
    drawn = policy.sample([Problem(i, 0) for i in range(4)], 8, seed=0)
    rewards = torch.tensor(earned(drawn.problems, drawn.outputs), dtype=torch.float64)
    assert rewards.std() > 0.2
    batch = judged(drawn, prior, rewards)
    for method, wanted in ((kl_control(beta), 0.0), (dpg(beta), 1.0)):
        credit = method.advantage(batch, Local())
        assert_close(credit, torch.full_like(credit, wanted), atol=1e-12, rtol=0)
        filled = batch.fill(advantages=credit[:, None].expand_as(batch.mask))
        assert gradient(method.updates[0].loss(policy, filled).sum, policy).abs().max() < 1e-12
    plain = batch.fill(advantages=torch.ones_like(batch.logp_old))
    assert gradient(dpg(beta, baseline=0.0).updates[0].loss(policy, plain).sum, policy).abs().max() > 0.1


def trained(method, reward=earned, steps=3, lr=2.0) -> tuple[Table, Table]:
    """A policy for two problems, after training from samples, and before."""
    policy, prior = table(2, inputs=2), table(2, inputs=2)
    trainer = Trainer(
        policy,
        method,
        Cards(inputs=2),
        reward,
        prompts=4,
        group=16,
        lr=lr,
        seed=1000,
        max_grad_norm=1e9,
        optimizer=lambda parameters, rate: torch.optim.SGD(parameters, rate),
    )
    list(trainer.run(steps))
    return policy, prior


@pytest.mark.slow
@pytest.mark.parametrize("method", [kl_control(0.3), dpg(0.3)], ids=["kl_control", "dpg"])
def test_training_reaches_the_posterior(method):
    """From 64 rows a step, to 1e-3 in total variation, at a constant rate: the variance vanishes with the distance."""
    policy, prior = trained(method, lr={"kl_control": 4.0, "dpg": 2.0}[method.name], steps=300)
    for which in range(2):
        rows, target = posterior_of(prior, which, 0.3)
        assert total_variation(log_pi(prior, rows).detach().exp(), target.exp()) > 0.3
        assert total_variation(log_pi(policy, rows).detach().exp(), target.exp()) < 1e-3


def test_without_a_penalty_the_entropy_goes():
    policy, prior = trained(rloo(), lr=4.0, steps=100)
    rows = listed(prior)
    assert entropy(log_pi(policy, rows)) < 0.2
    assert entropy(log_pi(prior, rows)) > 1


def test_no_weights_at_all_is_rloo():
    none, some, wanted = (trained(method, agreement)[0].logits for method in (kl_control(0.0), kl_control(0.1), rloo()))
    assert_close(none, wanted, atol=1e-6, rtol=0)  # rewards are float32, and here they meet float64 one step earlier
    assert (some - wanted).abs().max() > 1e-3


@pytest.mark.parametrize("method", [lambda: kl_control(0.5), lambda: dpg(0.5)], ids=["kl_control", "dpg"])
def test_a_constant_added_to_the_reward_changes_nothing(method):
    """The rewards are multiples of 1/8, so that float32 holds them and their sums."""

    def eighths(problems, outputs):
        return [sum(row) / 8 for row in outputs]

    def more(problems, outputs):
        return [reward + 2.5 for reward in eighths(problems, outputs)]

    plain, shifted, start = (
        *(trained(method(), reward)[0].logits for reward in (eighths, more)),
        table(2, 2).logits,
    )
    assert_close(plain, shifted, atol=1e-9, rtol=0)
    assert (plain - start).abs().max() > 0.05


def step_of(weights: list[list[float]], inputs: list[int], beta: float) -> Rollouts:
    """Rows of two decisions with these P/q, the reward making up for what the policies differ by."""
    flat = torch.tensor(weights, dtype=torch.float64).flatten().log()
    problems = tuple(Problem(i, given) for i, given in enumerate(inputs) for _ in weights[0])
    mask = torch.tensor([[True, False]]).expand(len(flat), 2)
    old, ref = torch.tensor([[-0.5, 9.0]]), torch.tensor([[-1.5, 4.0]])
    rows = Rollouts(problems, len(weights[0]), None, {}, mask, old.expand(len(flat), 2).double())
    return rows.fill(
        rewards=(flat + 1) * beta, logp_ref=ref.expand(len(flat), 2).double(), position=torch.arange(len(flat))
    )


def test_importance_weights():
    """Two problems: P/q of (1, 3) has Z = 2, (4, 4) has Z = 4; then (5, 7) for the first: Z = (1 + 3 + 5 + 7) / 4."""
    credit = ImportanceWeight(beta=2.0)
    first = step_of([[1, 3], [4, 4]], ["x", "y"], 2.0)
    assert_close(log_weight(first, 2.0).exp(), torch.tensor([1.0, 3.0, 4.0, 4.0], dtype=torch.float64))
    assert_close(credit(first, Local()), torch.tensor([0.5, 1.5, 1.0, 1.0], dtype=torch.float64))
    again = ImportanceWeight(beta=2.0)
    again.load_state_dict(credit.state_dict())
    for one in (credit, again):
        assert_close(one(step_of([[5, 7]], ["x"], 2.0), Local()), torch.tensor([1.25, 1.75], dtype=torch.float64))
    fresh = ImportanceWeight(beta=2.0)(step_of([[5, 7]], ["x"], 2.0), Local())
    assert_close(fresh, torch.tensor([5 / 6, 7 / 6], dtype=torch.float64))
    # the same input twice in a step is one problem: Z = (1 + 3 + 5 + 7) / 4
    both = ImportanceWeight(beta=2.0)(step_of([[1, 3], [5, 7]], ["x", "x"], 2.0), Local())
    assert_close(both, torch.tensor([0.25, 0.75, 1.25, 1.75], dtype=torch.float64))


def test_unscored_rows_have_no_weight_and_no_say():
    nan = math.nan
    credit = ImportanceWeight(beta=2.0)
    found = credit(step_of([[1, nan, 3], [nan, nan, nan]], ["x", "y"], 2.0), Local())
    assert_close(found, torch.tensor([0.5, nan, 1.5, nan, nan, nan], dtype=torch.float64), equal_nan=True)
    after = credit(step_of([[2, 2, 2]], ["y"], 2.0), Local())
    assert_close(after, torch.ones(3, dtype=torch.float64))
