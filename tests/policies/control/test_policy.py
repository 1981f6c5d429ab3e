"""Control policies: exact densities, rows that belong to themselves, episodes that end when they end."""

import copy
import json
import math
from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file
from torch.distributions import Normal, TanhTransform, TransformedDistribution
from torch.testing import assert_close

from rlft.environments.experts import demonstrations
from rlft.environments.menu import Menu, compass
from rlft.environments.pendulum import Pendulum
from rlft.environments.point_mass import PointMass
from rlft.measure.control import success
from rlft.noise import normal, row_keys
from rlft.policies.control.policy import Binned, Control, StateTanhGaussian, TanhGaussian, base
from rlft.tasks.starts import Starts
from rlft.types import HasValue, Policy, Problem, Rollouts, Savable, Showable, Teachable, UserError, actor_parameters

POINT, MENU, SWING = PointMass(gust=0.3), Menu(PointMass(gust=0.3), compass(9)), Pendulum(horizon=25)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def lively(environment, **options):
    """A policy that has learnt a little: observations matter to it, and its rows end when they reach the goal."""
    control = Control(environment, seed=3, **options)
    problems = [Problem(i, 1, answer=e) for i, e in enumerate(demonstrations(environment, 30, seed=0, clumsy=0.2))]
    rows = control.demonstrate(problems, seed=0)
    optimizer = torch.optim.Adam(control.parameters(), lr=5e-3)
    for _ in range(40):
        optimizer.zero_grad()
        control.loss_on(rows).sum().div(1000).backward()
        optimizer.step()
    return control


KINDS = {
    "gaussian": partial(lively, POINT),
    "state-dependent": partial(lively, POINT, head=StateTanhGaussian),
    "one-dimensional": partial(lively, SWING),
    "categorical": partial(lively, MENU),
    "chunks": partial(lively, POINT, chunk=4),
    "categorical chunks": partial(lively, MENU, chunk=3),
    "bins": partial(lively, POINT, head=Binned),
    "bins of chunks": partial(lively, POINT, head=Binned, chunk=3),
}


@pytest.fixture(params=KINDS)
def control(request):
    return copy.deepcopy(KINDS[request.param]())


def problems(control, count=12, **changes):
    task = Starts(control.environment)
    return [replace(task.at(i), **changes) for i in range(count)]


def test_sampler_and_scorer_agree(control):
    for policy, atol in ((copy.deepcopy(control).double(), 1e-9), (control, 1e-6)):
        rollouts = policy.sample(problems(policy), 4, seed=5)
        ratio = (policy.log_prob(rollouts) - rollouts.logp_old).exp()
        assert_close(ratio, torch.ones_like(ratio), atol=atol, rtol=0)
        # the same row by row, where matrix products have other shapes
        alone = torch.cat([policy.log_prob(rollouts[[i]]) for i in range(len(rollouts))])
        assert_close((alone - rollouts.logp_old).exp(), torch.ones_like(ratio), atol=atol, rtol=0)
        assert rollouts.logp_old[rollouts.mask].std() > 0.1
        assert not rollouts.logp_old[~rollouts.mask].any()
        assert ratio.dtype == rollouts.logp_old.dtype == policy.dtype


def test_a_narrow_policy_agrees_with_itself_too():
    """Rows drawn alone and scored at once; float32 forward passes are 8e-6 off here, see `models.mlp`."""
    control = copy.deepcopy(lively(POINT))
    with torch.no_grad():
        control.head.log_std.fill_(math.log(0.03))
    rollouts = Rollouts.concat([control.sample([problem], 1, seed=5) for problem in problems(control, 12)])
    ratio = (control.log_prob(rollouts) - rollouts.logp_old).exp()
    assert_close(ratio, torch.ones_like(ratio), atol=1e-6, rtol=0)


def test_the_noise_of_a_row_is_its_own_at_every_decision():
    control = copy.deepcopy(lively(POINT, chunk=1)).double()
    asked = problems(control, 8)
    rollouts = control.sample(asked, 3, seed=5)
    mean = control.actor(rollouts.trace["observations"])[:, :, None]
    z = (rollouts.trace["actions"] - mean) / control.head.log_std.exp()
    expected = normal(row_keys(asked, 3, seed=5), rollouts.mask.shape[1], (1, 2))
    assert rollouts.mask.shape[1] == 40  # more than one block of noise
    assert rollouts.mask[:, 35:].any()
    assert_close(z[rollouts.mask], expected[rollouts.mask], atol=1e-9, rtol=0)


def same(one: Rollouts, other: Rollouts) -> None:
    both = Rollouts.concat([one, other])  # pads to one width
    half = len(one)
    assert torch.equal(both.mask[:half], both.mask[half:])
    assert_close(both.logp_old[:half], both.logp_old[half:], atol=1e-9, rtol=0)
    for name in ("observations", "actions", "executed"):
        assert_close(both.trace[name][:half], both.trace[name][half:], atol=1e-9, rtol=0)
    for a, b in zip(one.outputs, other.outputs, strict=True):
        assert_close(a.rewards, b.rewards, atol=1e-9, rtol=0)
        assert (a.terminated, a.truncated) == (b.terminated, b.truncated)


def test_a_row_is_the_same_whoever_draws_it(control):
    control = control.double()
    asked = problems(control, 5)
    whole = control.sample(asked, 3, seed=7)
    same(whole[[6, 7, 8]], control.sample([asked[2]], 3, seed=7))
    order = [3, 0, 4, 1, 2]
    same(whole[[3 * p + g for p in order for g in range(3)]], control.sample([asked[p] for p in order], 3, seed=7))
    fewer = control.sample(asked, 2, seed=7)
    same(whole[[i for i in range(15) if i % 3 < 2]], replace(fewer, group=3))
    # and it is not that of anybody else
    first = whole.trace["actions"][:, 0].double().flatten(1)
    assert len(first.unique(dim=0)) > (1 if first.shape[1] == 1 else 9)


def test_a_group_starts_together_and_then_parts(control):
    rollouts = control.sample(problems(control, 4), 6, seed=1)
    starts = rollouts.trace["observations"][:, 0].unflatten(0, (4, 6))
    assert torch.equal(starts, starts[:, :1].expand_as(starts))
    assert len(starts[:, 0].unique(dim=0)) == 4
    last = torch.stack([episode.observations[-1] for episode in rollouts.outputs])
    assert len(last.unique(dim=0)) == 24
    for other in (
        control.sample(problems(control, 4), 6, seed=2),
        control.sample(problems(control, 4, visit=1), 6, seed=1),
    ):
        assert torch.equal(other.trace["observations"][:, 0], rollouts.trace["observations"][:, 0])
        assert not torch.equal(other.trace["actions"][:, 0], rollouts.trace["actions"][:, 0])


def test_rows_end_with_their_episodes(control):
    rollouts = control.sample(problems(control, 10), 4, seed=2)
    h, size = control.chunk, control.environment.action.size
    lengths = torch.tensor([len(episode) for episode in rollouts.outputs])
    assert torch.equal(rollouts.mask.sum(dim=1), -(-lengths // h))
    assert torch.equal(rollouts.trace["executed"].sum(dim=(1, 2)), lengths)
    assert rollouts.mask.shape[1] == -(-int(lengths.max()) // h)
    if not isinstance(control.environment, Pendulum):
        assert len(lengths.unique()) > 3
        assert {episode.terminated for episode in rollouts.outputs} == {True, False}
        assert h == 1 or (lengths % h).unique().numel() > 1
    for i, episode in enumerate(rollouts.outputs):
        steps = len(episode)
        assert episode.terminated != episode.truncated
        assert episode.terminated or steps == control.environment.horizon
        assert len(episode.observations) == steps + 1
        taken = control.head.action(rollouts.trace["actions"][i]).reshape(-1, size)[:steps]
        assert_close(taken, episode.actions, atol=1e-15, rtol=0)
        assert torch.equal(rollouts.trace["observations"][i, : -(-steps // h)], episode.observations[:steps:h])
        assert not rollouts.trace["observations"][i, -(-steps // h) :].any()


def test_rewards_are_the_worlds_own(control):
    """Play every recorded action again from the recorded state; without gusts the world must answer as it did."""
    world = control.environment
    calm = {Pendulum: lambda: world, PointMass: lambda: replace(world, gust=0.0)}
    control.environment = (
        replace(world, inner=replace(world.inner, gust=0.0)) if isinstance(world, Menu) else calm[type(world)]()
    )
    for episode in control.sample(problems(control, 3), 2, seed=4).outputs:
        seen = episode.observations
        state = torch.stack([torch.atan2(seen[:, 1], seen[:, 0]), seen[:, 2]], 1) if seen.shape[1] == 3 else seen
        again = control.environment.step(state[:-1], episode.actions, 0, torch.arange(len(episode)))
        assert_close(again.reward, episode.rewards, atol=1e-9, rtol=0)
        assert_close(control.environment.observe(again.state), seen[1:], atol=1e-9, rtol=0)
        assert episode.rewards.std() > 1e-3


def test_padding_changes_nothing(control):
    rollouts = control.sample(problems(control, 6), 2, seed=3)
    longest = rollouts.mask.sum(dim=1).argmax()
    short = rollouts.mask.sum(dim=1).argmin()
    wide = Rollouts.concat([rollouts[[int(short)]], rollouts[[int(longest)]]])
    wider = replace(
        wide,
        mask=torch.nn.functional.pad(wide.mask, (0, 5)),
        logp_old=torch.nn.functional.pad(wide.logp_old, (0, 5)),
        trace={n: torch.cat([x, torch.zeros_like(x[:, :1]).repeat_interleave(5, 1)], 1) for n, x in wide.trace.items()},
    )
    assert_close(control.log_prob(wider)[:, :-5], control.log_prob(wide), atol=1e-6, rtol=0)
    assert not control.log_prob(wider)[:, -5:].any()


def test_masked_decisions_have_no_gradient(control):
    rollouts = control.sample(problems(control, 4), 2, seed=6)
    nothing = control.log_prob(replace(rollouts, mask=torch.zeros_like(rollouts.mask)))
    assert not nothing.any()
    half = rollouts.mask.clone()
    half[:, 1::2] = False
    cleaned = {**rollouts.trace, "observations": rollouts.trace["observations"].clone()}
    cleaned["observations"][:, 1::2] = 7.0
    gradients = []
    for trace, mask in ((rollouts.trace, half), (cleaned, half), (rollouts.trace, rollouts.mask)):
        control.zero_grad()
        control.log_prob(replace(rollouts, trace=trace, mask=mask)).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in control.parameters()]))
    assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-5)
    assert (gradients[0] - gradients[2]).abs().max() > 1e-2
    assert gradients[0].abs().max() > 1e-2


def test_the_global_generator_is_left_alone(control):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    control.sample(problems(control, 2), 2, seed=0)
    other = Control(control.environment, seed=3, critic=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(1)
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            other.state_dict().values(),
            Control(control.environment, seed=3, critic=True).state_dict().values(),
            strict=True,
        )
    )
    assert not torch.equal(other.actor.weights[0], Control(control.environment, seed=4).actor.weights[0])


def test_a_control_is_a_policy(control):
    assert isinstance(control, Policy)
    assert isinstance(control, Teachable)
    assert isinstance(control, Showable)
    assert isinstance(control, Savable)
    assert not isinstance(control, HasValue)


@pytest.mark.parametrize("head", [TanhGaussian, StateTanhGaussian])
def test_a_gaussian_decision_is_the_sum_over_its_dimensions(head):
    control = copy.deepcopy(lively(POINT, head=head, chunk=3)).double()
    rollouts = control.sample(problems(control, 6), 2, seed=3)
    seen, u = rollouts.trace["observations"], rollouts.trace["actions"]
    outputs = control.actor(seen)
    if head is TanhGaussian:
        mean, std = outputs.unflatten(-1, (3, 2)), control.head.log_std.exp()
    else:
        mean = outputs[..., :6].unflatten(-1, (3, 2))
        std = 0.5 * outputs[..., 6:].unflatten(-1, (3, 2)).exp()
        assert std.std() > 0.05
    each = TransformedDistribution(Normal(mean, std), TanhTransform(cache_size=0))
    each = each.log_prob(u.tanh()).sum(dim=-1) * rollouts.trace["executed"]
    assert_close(control.log_prob(rollouts), each.sum(dim=-1), atol=1e-9, rtol=1e-9)
    cut = rollouts.mask & ~rollouts.trace["executed"].all(dim=-1)
    assert cut.any()
    assert not cut.all()


def test_deterministic_takes_the_mode(control):
    calm = control.deterministic()
    asked = problems(control, 5)
    rollouts = calm.sample(asked, 2, seed=1)
    assert not rollouts.mask.any()
    assert not calm.log_prob(rollouts).any()
    assert len(rollouts.outputs) == 10
    seen, chosen = rollouts.trace["observations"], rollouts.trace["actions"]
    mode = control.head.mode(control.actor(seen.flatten(0, 1))).unflatten(0, seen.shape[:2])
    executed = rollouts.trace["executed"]
    assert_close(chosen[executed], mode[executed], atol=1e-12, rtol=0)
    other = calm.sample(asked, 2, seed=2)
    if isinstance(control.environment, Pendulum):  # the only world here without gusts
        assert torch.equal(other.outputs[0].actions, other.outputs[1].actions)
        assert torch.equal(other.outputs[0].actions, rollouts.outputs[0].actions)
    with torch.no_grad():
        control.actor.biases[-1].add_(torch.linspace(9, -9, len(control.actor.biases[-1])))
    assert not torch.equal(calm.sample(asked, 2, seed=1).outputs[0].actions[:4], rollouts.outputs[0].actions[:4])


def test_value_is_a_network_of_its_own():
    control = copy.deepcopy(lively(POINT, critic=True, chunk=2))
    control.zero_grad()
    rollouts = control.sample(problems(control, 6), 3, seed=1)
    values = control.value(rollouts)
    assert not values[~rollouts.mask].any()
    assert values[rollouts.mask].std() > 1e-3
    assert values.dtype == torch.float32
    values.sum().backward()
    critic = set(control.value_parameters())
    assert isinstance(control, HasValue)
    assert {*actor_parameters(control), *critic} == set(control.parameters())
    assert not critic & set(actor_parameters(control))
    assert {p for p in control.parameters() if p.grad is not None} == critic
    assert len(critic) == 6
    # it sees the time that is left, in shares of the horizon
    assert_close(rollouts.trace["clock"][0, :3], torch.tensor([0, 2 / 40, 4 / 40]).double())
    later = replace(rollouts, trace={**rollouts.trace, "clock": rollouts.trace["clock"] + 0.5})
    assert (control.value(later) - values)[rollouts.mask].abs().min() > 1e-4
    assert torch.equal(control.log_prob(later), control.log_prob(rollouts))


def test_a_copy_has_a_critic_of_its_own():
    control = copy.deepcopy(lively(POINT, critic=True, chunk=2))
    other = copy.deepcopy(control)
    rollouts = control.sample(problems(control, 2), 1, seed=1)
    with torch.no_grad():
        control.critic.biases[-1].add_(1.0)
    assert_close(control.value(rollouts) - other.value(rollouts), rollouts.mask.float())
    assert list(other.value_parameters()) == list(other.critic.parameters())


def test_what_is_saved_is_what_was_trained(control, tmp_path):
    control.save(tmp_path / "model")
    twin = Control(control.environment, head=type(control.head), seed=9, chunk=control.chunk)
    rollouts = control.sample(problems(control, 3), 2, seed=1)
    assert not torch.equal(twin.log_prob(rollouts), control.log_prob(rollouts))
    twin.load_state_dict(load_file(tmp_path / "model" / "weights.safetensors"))
    assert torch.equal(twin.log_prob(rollouts), control.log_prob(rollouts))


def test_episodes_can_be_drawn(control):
    output = control.sample(problems(control, 1), 1, seed=1).outputs[0]
    shown = control.show(output)
    json.dumps(shown)
    assert shown["kind"] == "trajectory"
    if isinstance(control.environment, Pendulum):
        assert len(shown["series"]["torque (N m)"]) == len(output)
    else:
        assert shown["positions"] == output.observations[:, :2].tolist()
        assert shown["walls"][4:] == [[0, -1, 0, -0.2], [0, 0.2, 0, 1]]
        assert shown["goal"] == [0.7, 0.5]


@pytest.mark.parametrize(("world", "chunk"), [(POINT, 1), (POINT, 3), (MENU, 2)], ids=str)
def test_demonstrations_are_scored_as_they_were_made(world, chunk):
    control = Control(world, chunk=chunk).double()
    with torch.no_grad():
        control.actor.weights[-1].zero_()  # every state looks alike: mean 0, or all choices equal
    episodes = demonstrations(world, 4, seed=0, clumsy=0.3)
    asked = [Problem(index=i, input=1, answer=episode) for i, episode in enumerate(episodes)]
    rows = control.demonstrate(asked, seed=0)
    assert (rows.group, len(rows)) == (1, 4)
    assert [output.chunk for output in rows.outputs] == [chunk] * 4
    assert all(output.rewards is episode.rewards for output, episode in zip(rows.outputs, episodes, strict=True))
    assert len({len(episode) for episode in episodes}) > 1
    size = world.action.size
    for i, episode in enumerate(episodes):
        steps = len(episode)
        done = control.head.action(rows.trace["actions"][i]).reshape(-1, size)[:steps]
        assert_close(done, episode.actions, atol=1e-12, rtol=0)
        assert torch.equal(rows.trace["observations"][i, : -(-steps // chunk)], episode.observations[:steps:chunk])
        assert rows.mask[i].sum() == -(-steps // chunk)
        if isinstance(world, Menu):
            expected = steps * math.log(9)
        else:
            pulled = TransformedDistribution(Normal(0.0, 0.5), TanhTransform())
            expected = float(-pulled.log_prob(episode.actions).sum())
        # the deviation is stored in float32
        assert control.loss_on(rows)[i].sum().item() == pytest.approx(expected, rel=1e-6)


def test_arrays_can_be_demonstrations():
    control = Control(POINT)
    episode = demonstrations(POINT, 1, seed=0)[0]
    expected = control.loss_on(control.demonstrate([Problem(0, 1, answer=episode)], seed=0))
    for seen in (episode.observations, episode.observations[:-1]):
        arrays = {"observations": seen.numpy(), "actions": episode.actions.numpy()}
        rows = control.demonstrate([Problem(0, 1, answer=arrays)], seed=0)
        assert_close(control.loss_on(rows), expected, atol=1e-6, rtol=0)
    for wrong in (None, {"actions": []}, {"observations": torch.zeros(2, 4), "actions": torch.zeros(3, 2)}):
        with pytest.raises(UserError, match="problem 8 has no demonstration"):
            control.demonstrate([Problem(8, 1, answer=wrong)], seed=0)
    bad = {"observations": torch.zeros(2, 3), "actions": torch.zeros(2, 2)}
    with pytest.raises(UserError, match="has 4 and 2"):
        control.demonstrate([Problem(8, 1, answer=bad)], seed=0)
    bad = {"observations": torch.zeros(2, 4), "actions": torch.tensor([[3], [9]])}
    with pytest.raises(UserError, match=r"outside 0 … 8"):
        Control(MENU).demonstrate([Problem(8, 1, answer=bad)], seed=0)


@pytest.mark.parametrize(
    ("world", "steps"), [(PointMass(), 40), (Menu(PointMass(), compass(9)), 100)], ids=["box", "menu"]
)
def test_a_base_partly_masters_its_task(own_cache, world, steps):
    control = base(world, steps, seed=1)
    asked = problems(control, 100)
    share = success(world)(asked, control.sample(asked, 1, seed=0).outputs)["success"]
    assert 0.15 < share < 0.5
    again = base(world, steps, seed=1, critic=True)
    rollouts = control.sample(asked[:3], 1, seed=0)
    assert torch.equal(again.log_prob(rollouts), control.log_prob(rollouts))
    assert again.value(rollouts).any()
    assert not torch.equal(base(world, steps, seed=2).log_prob(rollouts), control.log_prob(rollouts))
