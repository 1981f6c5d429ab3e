"""Every method on every family: nothing in a method knows the modality, and each policy keeps its promises under it."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.tasks.subset import Subset
from rlft.tool.self_test import FAMILIES
from rlft.types import HasStates, HasTeacher, Teachable
from tests.contracts.test_methods import NAMES, build

pytestmark = pytest.mark.slow

# The families' tasks have no demonstrations, and they no teachers.
ON_POLICY = [name for name in NAMES if not {Teachable, HasTeacher} & {*build(name).needs}]
# Models that see or hear differ from those of texts in front of the trunk, where methods do not reach.
ENOUGH = {"hearing": ["ppo"], "seeing": ["ppo", "gspo", "kl_control", "int_grpo"]}
# Those of no language show no states that they decide from.
SHOWN = [name for name in ON_POLICY if HasStates not in build(name).needs]
ENOUGH |= dict.fromkeys(("control", "diffusion", "masked"), SHOWN)
EVERYWHERE = [(name, family) for family in FAMILIES for name in ENOUGH.get(family, ON_POLICY)]


def weights(trainer):
    return torch.cat([value.detach().flatten() for value in trainer.policy.parameters()])


@pytest.mark.parametrize(("name", "family"), EVERYWHERE)
def test_a_method_runs_on_every_family(name, family):
    make, tolerance = FAMILIES[family]
    trainer = make(build(name, threshold=-10.0))
    if trainer.task.size is None:  # a curriculum needs a task with an end
        trainer.task = Subset(trainer.task, range(64))
    start = weights(trainer).clone()
    trainer.advance()
    assert trainer.pending is not None
    informative = trainer.pending.advantages[trainer.pending.mask]
    metrics = trainer.step()
    assert metrics["ratio/first"] <= tolerance
    assert informative.abs().max() > 0
    assert (weights(trainer) - start).abs().max() > 1e-4
    assert abs(metrics["kl"]) < 1e-3  # the first rollouts are the start's own
    assert trainer.step()["kl"] != metrics["kl"]


@pytest.mark.parametrize("family", FAMILIES)
def test_first_ratio_in_float64(family):
    make, _ = FAMILIES[family]
    assert make(build("ppo"), dtype=torch.float64).step()["ratio/first"] <= 1e-9


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_is_the_same_whoever_draws_it(family):
    """In another order, alone, in another group size."""
    trainer = FAMILIES[family][0](build("ppo"), dtype=torch.float64)
    problems = [trainer.task.at(index) for index in (3, 1, 7)]
    together = trainer.policy.sample(problems, 3, seed=5)
    turned = trainer.policy.sample(problems[::-1], 3, seed=5)
    alone = trainer.policy.sample(problems[1:2], 2, seed=5)
    width = min(together.mask.shape[1], alone.mask.shape[1])
    for name, values in together.trace.items():
        if values.ndim > 1 and name != "prompt":
            assert_close(values[3:5, :width], alone.trace[name][:, :width], atol=1e-9, rtol=0)
    assert_close(together.logp_old[[6, 7, 8, 3, 4, 5, 0, 1, 2]], turned.logp_old, atol=1e-9, rtol=0)
    other = trainer.policy.sample(problems, 3, seed=6)
    assert other.logp_old.shape != together.logp_old.shape or not torch.equal(other.logp_old, together.logp_old)
    assert not torch.equal(together.logp_old[0], together.logp_old[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_masked_decisions_have_no_gradient(family):
    trainer = FAMILIES[family][0](build("ppo"), dtype=torch.float64)
    rows = trainer.policy.sample([trainer.task.at(0), trainer.task.at(1)], 2, seed=0)
    silent = replace(rows, mask=torch.zeros_like(rows.mask))
    logp = trainer.policy.log_prob(silent)
    assert (logp == 0).all()
    if logp.requires_grad:
        logp.sum().backward()
        assert all(p.grad is None or not p.grad.any() for p in trainer.policy.parameters())
    assert trainer.policy.log_prob(rows).abs().max() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_nothing(family):
    """What concat does to rows that are joined with longer ones."""
    trainer = FAMILIES[family][0](build("ppo"), dtype=torch.float64)
    rows = trainer.policy.sample([trainer.task.at(0)], 3, seed=0)

    def wider(values):
        room = values.new_zeros((values.shape[0], *(size + 2 for size in values.shape[1:2]), *values.shape[2:]))
        room[:, : values.shape[1]] = values
        return room

    if family in ("diffusion", "masked"):
        return  # every row of a denoiser has the same number of steps
    padded = type(rows)(
        rows.problems,
        rows.group,
        rows.outputs,
        {name: wider(values) if values.ndim > 1 else values for name, values in rows.trace.items()},
        wider(rows.mask),
        wider(rows.logp_old),
    )
    width = rows.mask.shape[1]
    assert_close(trainer.policy.log_prob(padded)[:, :width], trainer.policy.log_prob(rows), atol=1e-12, rtol=0)
    assert_close(trainer.policy.value(padded)[:, :width], trainer.policy.value(rows), atol=1e-12, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rows", [1, 5])
def test_micro_batches(family, rows):
    make, _ = FAMILIES[family]
    whole, cut = (make(build("grpo"), dtype=torch.float64, rows=r) for r in (None, rows))
    for trainer in (whole, cut):
        trainer.optimizers = {"policy": torch.optim.SGD(list(trainer.policy.parameters()), 0.1)}
        trainer.lr = 0.1
        trainer.step()
    assert_close(weights(whole), weights(cut), atol=1e-9, rtol=0)
