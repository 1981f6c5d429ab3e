"""Credit by sets: numbers by hand, the gradient by enumeration of every outcome, optima of bandits."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import center, gae, whiten
from rlft.advantages.sets import diversity, half, per_set, same_output, set_advantage, windowed
from rlft.environments.protocol import Episode
from rlft.losses import policy_gradient
from rlft.losses.surrogate import sample_sum
from rlft.methods.polychromic import polychromic
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts, Text, UserError

nan = math.nan


def t(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_diversity():
    keys = torch.tensor([[7, 7, 7, 7], [7, 2, 7, 2], [9, 7, 2, 7], [4, 3, 2, 1]])
    assert_close(diversity(keys), t([0, 1 / 3, 2 / 3, 1]))
    assert_close(diversity(keys, free=0.0), t([1 / 4, 2 / 4, 3 / 4, 1]))
    assert_close(diversity(keys[:, :1]), t([1, 1, 1, 1]))


def test_by_hand():
    # rewards 1, .5, 0 of behaviours a, a, b; pairs: (1,2) alike; (1,3) .5; (2,3) .25
    r, k = t([[1.0, 0.5, 0.0]]), torch.tensor([[3, 3, 8]])
    mean = (0 + 0.5 + 0.25) / 3
    expected = t([[0.25 - mean, 0.125 - mean, 0.375 - mean]])
    assert_close(set_advantage(r, k, n=2), expected)
    # the plain share: a pair that agrees has half, so (1,2) earns .75 / 2
    mean = (0.375 + 0.5 + 0.25) / 3
    expected = t([[0.4375 - mean, 0.3125 - mean, 0.375 - mean]])
    assert_close(set_advantage(r, k, n=2, free=0.0), expected)


def test_every_set_of_a_group_of_eight():
    """Against a plain loop over the 70 sets, and one group does not see the other."""
    generator = torch.Generator().manual_seed(1)
    r = torch.rand(2, 8, generator=generator, dtype=torch.float64)
    k = torch.randint(0, 4, (2, 8), generator=generator)
    found = set_advantage(r, k, n=4)
    sets = list(itertools.combinations(range(8), 4))
    assert len(sets) == 70
    for p in range(2):
        f = [sum(r[p, i] for i in s) / 4 * (len({int(k[p, i]) for i in s}) - 1) / 3 for s in sets]
        for i in range(8):
            own = [value for value, s in zip(f, sets, strict=True) if i in s]
            assert_close(found[p, i], sum(own) / 35 - sum(f) / 70)
    assert found.abs().min() > 1e-4
    assert_close(found.sum(1), t([0, 0]), atol=1e-12, rtol=0)


def test_degenerates():
    r, k = t([[1.0, 2.0, 6.0], [5.0, 4.0, 4.5]]), torch.tensor([[1, 1, 2], [1, 2, 3]])
    assert_close(set_advantage(r, k, n=1), center(r))
    assert (set_advantage(r, k, n=3) == 0).all()
    assert (set_advantage(0 * r, k, n=2) == 0).all()
    assert (set_advantage(r, k, n=2).abs() > 0.1).any()
    # where every row does something else, only the rewards count: half of a pair is the row, half any other, -R_i/2
    different = torch.arange(6).reshape(2, 3)
    assert_close(set_advantage(r, different, n=2), center(r) / 4)


def test_unscored_rows_are_in_no_set():
    r, k = t([[nan, 1.0, 0.5, 0.0], [1.0, nan, nan, 2.0], [nan, nan, nan, 3.0]]), torch.tensor([[8, 3, 3, 8]] * 3)
    found = set_advantage(r, k, n=2)
    assert_close(found[0, 1:], set_advantage(r[:1, 1:], k[:1, 1:], n=2)[0])
    assert_close(found[1:], t([[0.0, nan, nan, 0.0], [nan, nan, nan, 0.0]]), equal_nan=True)
    assert found[0, 0].isnan()


def test_sizes_that_cannot_be():
    r, k = torch.zeros(1, 32), torch.zeros(1, 32, dtype=torch.long)
    with pytest.raises(UserError, match="groups of 32 rows have 10518300 sets of 8"):
        set_advantage(r, k, n=8)
    for n in (0, 33):
        with pytest.raises(UserError, match=f"sets of {n} in groups of 32"):
            set_advantage(r, k, n=n)
    assert [half(g) for g in (2, 3, 4, 5, 8)] == [1, 2, 2, 3, 4]


def objective(p, r, n, free):
    """J = E f(set of n), by enumeration."""
    total = t(0.0)
    for s in itertools.product(range(len(p)), repeat=n):
        f = sum(r[a] for a in s) / n * float(diversity(torch.tensor(s), free))
        total = total + f * p[list(s)].prod()
    return total


def expected_loss_gradient(logits, r, group, n, free):
    """The gradient of the library's loss, averaged over every outcome of a group."""
    outcomes = torch.tensor(list(itertools.product(range(len(r)), repeat=group)))
    logp = logits.log_softmax(-1)[outcomes]
    advantages = set_advantage(r[outcomes], outcomes, n, free)
    chances = logp.detach().exp().prod(1, keepdim=True)
    total = sample_sum(chances * policy_gradient(logp, advantages), torch.ones_like(outcomes, dtype=torch.bool))
    return torch.autograd.grad(total.sum / group, logits)[0]


@pytest.mark.parametrize(("group", "n", "free"), [(4, 2, 1.0), (4, 3, 0.0), (3, 1, 1.0), (5, 3, 1.0)])
def test_the_gradient_is_that_of_the_set_objective(group, n, free):
    """E[mean_i A_i grad log pi] = (1 - n/G)/n grad J."""
    r, logits = t([0.9, 0.4, 0.7]), t([1.3, -0.9, 0.1]).requires_grad_()
    exact = torch.autograd.grad(objective(logits.softmax(-1), r, n, free), logits)[0]
    found = expected_loss_gradient(logits, r, group, n, free)
    assert exact.abs().max() > 1e-2
    assert_close(-found, (1 - n / group) / n * exact)


def ascend(r, n, free, group=4, steps=600, lr=3.0):
    logits = torch.linspace(0.5, -0.5, len(r), dtype=torch.float64).requires_grad_()
    for _ in range(steps):
        logits = (logits - lr * expected_loss_gradient(logits, r, group, n, free)).detach().requires_grad_()
    return logits.detach().softmax(-1)


def test_two_arms_share_by_their_rewards():
    assert_close(ascend(t([0.9, 0.3]), n=2, free=0.0), t([0.75, 0.25]), atol=1e-6, rtol=0)
    # as the paper counts, a pair that agrees earns nothing: the arms are balanced whatever they earn
    assert_close(ascend(t([0.9, 0.3]), n=2, free=1.0), t([0.5, 0.5]), atol=1e-6, rtol=0)


def test_arms_that_earn_too_little_are_dropped():
    # p = (1 - mu/r)+ with mu = (3 - 1) / (1/.9 + 1/.6 + 1/.8): all three in
    r = t([0.9, 0.6, 0.8])
    mu = 2 / (1 / r).sum()
    assert_close(ascend(r, n=2, free=0.0), 1 - mu / r, atol=1e-6, rtol=0)
    # with .1 for the second, 1 - mu/.1 is negative, and the other two share .9 : .8. A softmax nears 0 as 1/steps
    found = ascend(t([0.9, 0.1, 0.8]), n=2, free=0.0, lr=10.0)
    assert found[1] < 2e-3
    assert_close(found[[0, 2]], t([0.9 / 1.7, 0.8 / 1.7]), atol=1e-3, rtol=0)


def test_equal_rewards_are_spread_evenly_and_without_diversity_left_alone():
    for free in (0.0, 1.0):
        assert_close(ascend(t([0.5, 0.5, 0.5]), n=2, free=free), t([1 / 3] * 3), atol=1e-6, rtol=0)
    before = t([0.5, 0.0, -0.5]).softmax(-1)
    assert_close(ascend(t([0.5, 0.5, 0.5]), n=1, free=1.0, steps=3), before)
    assert (before - 1 / 3).abs().max() > 0.1


def test_same_output():
    texts = [Text("12+5", [4, 5]), Text("12+5", [7]), Text("5+12"), "12+5"]
    keys = same_output([], texts).tolist()
    assert keys[0] == keys[1] == keys[3] != keys[2]
    points = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0 + 1e-6]])
    assert same_output([], points).unique(return_inverse=True)[1].bincount().sort().values.tolist() == [1, 2]

    def episode(action):
        return Episode(torch.zeros(3, 2), torch.tensor([[1], [action]]), torch.zeros(2), True, False)

    a, b, c = same_output([], [episode(0), episode(2), episode(0)]).tolist()
    assert a == c != b


def rollouts(rewards, mask, group, **columns):
    mask = torch.tensor(mask)
    problems = tuple(Problem(i // group, input=i // group) for i in range(len(rewards)))
    outputs = [Text(word) for word in "aabcdddd"[: len(rewards)]]
    rows = Rollouts(problems, group, outputs, {}, mask, torch.zeros(mask.shape, dtype=torch.float64))
    return rows.fill(rewards=t(rewards), position=torch.arange(len(rewards)), **columns)


def test_per_set_reads_keys_from_outputs():
    rows = rollouts([1.0, 0.5, 0.0, 0.2], [[True]] * 4, group=4)
    expected = set_advantage(rows.rewards[None], torch.tensor([[1, 1, 2, 3]]), n=2)[0]
    assert_close(per_set()(rows, Local()), expected)
    assert not torch.equal(per_set(n=3)(rows, Local()), expected)
    by_answer = per_set(key=lambda problems, outputs: torch.tensor([0, 1, 0, 1]))
    assert_close(by_answer(rows, Local()), set_advantage(rows.rewards[None], torch.tensor([[0, 1, 0, 1]]), n=2)[0])


MASK = [[True, False, True, True], [True, True, False, False], [True, True, True, True], [True, False, False, False]]


def test_windows():
    """The first decisions on the mask are the sets', the others the critic's, and each kind is whitened by itself."""
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    rows = rollouts([1.0, 0.5, 0.0, 0.2], MASK, group=4, values=values)
    first = per_set()(rows, Local())[:, None].expand(4, 4)
    plain = gae(0.9, 0.8, normalise=False)(rows, Local())
    inside = torch.tensor(
        [
            [True, False, True, False],
            [True, True, False, False],
            [True, True, False, False],
            [True, False, False, False],
        ]
    )
    found = windowed(per_set(), 2, 0.9, 0.8)(rows, Local())
    early = (first[inside] - first[inside].mean()) / first[inside].std()
    assert_close(found["advantages"][inside], early)
    outside = rows.mask & ~inside
    late = plain["advantages"][outside]
    assert_close(found["advantages"][outside], (late - late.mean()) / late.std())
    assert outside.sum() == 3 and early.abs().min() > 0.1
    assert_close(found["returns"], plain["returns"])
    assert (found["advantages"][~rows.mask] == 0).all()


def test_windows_degenerate():
    rows = rollouts([1.0, 0.5, 0.0, 0.2], MASK, group=4, values=torch.full((4, 4), 0.3).double())
    whole = gae(0.9, 0.8)(rows, Local())
    assert_close(windowed(per_set(), 0, 0.9, 0.8)(rows, Local())["advantages"], whole["advantages"])
    everywhere = windowed(per_set(), 4, 0.9, 0.8)(rows, Local())["advantages"]
    assert_close(everywhere, whiten(per_set()(rows, Local())[:, None].expand(4, 4), rows.mask, Local()))
    assert (everywhere - whole["advantages"]).abs().max() > 0.1


def test_windows_leave_unscored_rows_out():
    rows = rollouts([1.0, nan, 0.0, 0.2], MASK, group=4, values=torch.full((4, 4), 0.3).double())
    found = windowed(per_set(), 2, 0.9, 0.8)(rows, Local())["advantages"]
    assert found[1, :2].isnan().all()
    assert not found[[0, 2, 3]].isnan().any()


def test_the_group_must_be_larger_than_a_set():
    assert polychromic(n=4).min_group == 5
    assert polychromic().min_group == 2
