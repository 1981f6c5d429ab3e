"""What every method must do, the list of methods read from the folder. Two parts of the engine are on trial with them:
how a batch is cut never changes a gradient, and an interrupted run goes on bit for bit."""

import copy
import importlib
import inspect
import io

import pytest
import torch
from torch.testing import assert_close

from rlft import methods, recipes
from rlft.options.arguments import parse
from rlft.training.trainer import Trainer
from rlft.types import Denoising, Displaced, Exchanging, Method, Pathwise, UserError
from tests.fakes import Cards, Table, agreement, share

# What a method cannot be called without.
# Vines need a number of prompts that their points divide; tests/collect has them, over processes too.
REQUIRED = {
    "cyclealign": {"least": 2},
    "dapo_filtered": {"limit": 99},
    "carft": {"solved": 0.6, "formed": 0.2},
    "dr_grpo": {"length": 3},
    "dreamer": {"steps": 4, "horizon": 2, "beta": 0.3},
    "int_grpo": {"taught": 0},
    "pa_rl": {"n": 4, "keep": 2, "climb": 2, "critics": 3},
    "poly_ppo": {"points": 1},
    "pre_grpo": {"phase": 2},
    "pretrain_zero": {"chooser": "given"},
    "rest_em": {"start": "online"},  # from the base a round is one step of these: tests/methods
    "repo": {"steps": 4, "horizon": 2, "beta": 0.1, "beta_lr": 0.01},
    "repo_align": {"steps": 4, "beta": 0.3},
    "relift": {"size": 3, "solved": 2.0},
    "lift": {"fits": 2, "starts": 4, "horizon": 3, "refit": 9},
    "rlpd": {"updates": 3},
    "sft_grpo": {"taught": 1},
}
# Settings under which the clip, the KL and the second pass all do something on the little table.
LIVELY = {
    "epochs": 2,
    "minibatches": 2,
    "clip": 0.05,
    "beta": 0.3,
    "low": 0.05,
    "high": 0.07,
    "threshold": 0.7,
    "rounds": 3,
}


def build(name: str, **wanted) -> Method:
    function = methods.named(name)
    known = inspect.signature(function).parameters
    settings = {**LIVELY, **REQUIRED.get(name, {}), **wanted}
    missing = [p.name for p in known.values() if p.default is p.empty and p.name not in settings]
    assert not missing, (
        f"{name} cannot be called without {missing}: give them values in REQUIRED at the top of this file"
    )
    return function(**{key: value for key, value in settings.items() if key in known})


# A method of pairs of policies is on trial in test_pair, those that learn from a buffer in test_offpolicy, and
# those of denoisers, which no table is, in tests/methods/test_draft.py, test_diffusion_nft.py and test_grpo_guard.py.
ROLLOUTS = methods.names(Method)
NAMES = [name for name in ROLLOUTS if not {Denoising, Displaced, Exchanging, Pathwise} & {*build(name).needs}]


def trainer(name: str, **settings) -> Trainer:
    method = settings.pop("method", None) or build(name)
    defaults = {"prompts": 4, "group": 4, "lr": 0.05, "seed": 3, "max_grad_norm": 1e9, "watch_kl": True}
    return Trainer(Table(), method, Cards(), agreement, **{**defaults, **settings})


def weights(t: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in t.policy.parameters()])


def test_there_are_methods():
    assert {"grpo", "ppo", "rloo", "loop", "sft", "ddpo"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_page(name):
    """One function of the file's name, documented: citation or source, an equation, every argument."""
    module = importlib.import_module(f"rlft.methods.{name}")
    function = getattr(module, name)
    assert "loss" in module.__doc__
    assert len(inspect.getsource(module).splitlines()) <= 90
    for argument in inspect.signature(function).parameters:
        assert f"        {argument}: " in function.__doc__, f"{name} does not document {argument}"
    assert build(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_first_ratio_is_one(name):
    metrics = trainer(name).step()
    if "ratio/first" in metrics:
        assert metrics["ratio/first"] < 1e-9
    else:
        assert name in {"sft", "on_policy_distillation"}  # whose losses have no ratio


@pytest.mark.parametrize("name", NAMES)
def test_it_learns(name):
    """Not a proof of anything but the sign: the share of right decisions rises from a fifth."""
    gentle = build(name, epochs=1, minibatches=1, beta=0.02, threshold=0.3, taught=0)
    t = trainer(name, method=gentle, prompts=8, group=8, lr=0.1)
    t.reward = share
    log = [t.step() for _ in range(60)]
    key, sign = ("loss", -1) if name == "sft" else ("reward", 1)
    first, last = (sum(m[key] for m in part) / 5 for part in (log[:5], log[-5:]))
    assert sign * (last - first) > 0.2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_micro_batches_change_nothing(name, rows):
    # plain gradient descent: Adam divides gradients that should be zero by their own rounding
    whole, cut = (trainer(name, rows=r, optimizer=lambda p, lr: torch.optim.SGD(p, lr)) for r in (None, rows))
    start = weights(whole).clone()
    for _ in range(3):
        a, b = whole.step(), cut.step()
    assert (weights(whole) - start).abs().max() > 1e-3
    assert_close(weights(whole), weights(cut), atol=1e-12, rtol=0)
    for key in a:
        if not key.startswith(("seconds", "decisions_per")):
            assert_close(a[key], b[key], atol=1e-9, rtol=0, equal_nan=True, msg=key)


def saved(t: Trainer) -> dict:
    """Through the bytes of a file, read without running code."""
    file = io.BytesIO()
    torch.save(t.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("name", NAMES)
def test_stop_and_resume_is_the_straight_run(name):
    """At every point, between steps and inside the reuse window."""
    straight, log = trainer(name), []
    states = []
    while straight.steps_done < 3:
        states.append(saved(straight))
        metrics = straight.advance()
        log += [metrics] if metrics else []
    inside = [s for s in states if s["own"]["pending"] is not None and s["shared"]["updates_done"]]
    assert inside or build(name).epochs == 1
    for state in states:
        resumed = trainer(name)
        resumed.load_state_dict(copy.deepcopy(state))
        rest = list(resumed.run(3))
        assert torch.equal(weights(resumed), weights(straight))
        for mine, theirs in zip(rest, log[-len(rest) :], strict=True):
            timeless = [k for k in mine if not k.startswith(("seconds", "decisions_per"))]
            assert_close([mine[k] for k in timeless], [theirs[k] for k in timeless], atol=0, rtol=0, equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_group_too_small_is_refused(name):
    method = build(name)
    if method.min_group > 1:
        with pytest.raises(UserError, match=f"{name} compares the rows of a group.*at least {method.min_group}; got 1"):
            trainer(name, group=1)
    else:
        trainer(name, group=1).step()


@pytest.mark.parametrize("name", NAMES)
def test_unscored_rows_change_nothing_but_their_own_weight(name):
    """A row that scores None has no say: whatever its decisions were, the update is the same."""
    if name == "sft":
        return

    def forgetful(problems, outputs):
        rewards = agreement(problems, outputs)
        return [None if i % 4 == 1 else reward for i, reward in enumerate(rewards)]

    def updated(change: bool) -> torch.Tensor:
        method = build(name, epochs=1, minibatches=1, taught=0)
        t = Trainer(Table(), method, Cards(), forgetful, prompts=4, group=4, lr=0.05, watch_kl=True)
        t.advance()
        assert t.pending is not None
        unscored = t.pending.rewards.isnan()
        assert unscored.any()
        if change:
            t.pending.trace["actions"][unscored] = (t.pending.trace["actions"][unscored] + 1) % 5
        t.advance()
        return weights(t)

    assert torch.equal(updated(False), updated(True))
    assert not torch.equal(updated(False), weights(trainer(name)))


def test_a_missing_capability_is_named():
    class Mute(torch.nn.Linear):
        sample = Table.sample
        log_prob = Table.log_prob

    with pytest.raises(UserError, match="method ppo needs a policy that has a critic"):
        Trainer(Mute(1, 1), build("ppo"), Cards(), agreement)


def test_methods_of_the_other_loop_are_told_apart():
    assert {"sac", "iql"} & set(ROLLOUTS) == set()
    with pytest.raises(UserError, match="sac learns from single steps in a buffer"):
        parse(recipes.named("point_mass"), ["--method", "sac"], "rlft run point_mass")


def test_unknown_method_gives_the_nearest():
    with pytest.raises(UserError, match=r"unknown method 'gpro'; did you mean .*grpo"):
        methods.named("gpro")
