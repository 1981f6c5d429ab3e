"""Composed policies keep the promises of their family: they are sampled, scored and trained like any other."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.policies.composed.mixed import Early, OutsideTopP, mixed
from rlft.policies.language.policy import Language
from rlft.policies.language.speculative import Speculative
from rlft.policies.mix import contrasted, emulated, guided, traded_off
from rlft.tool.self_test import FAMILIES
from rlft.training.trainer import Trainer
from rlft.types import HasReference, Resumable, Showable, Teachable
from tests.contracts.test_methods import build

pytestmark = pytest.mark.slow

# How three policies of a family are composed; the second is trained.
MIXES = {
    "emulated": lambda a, b, c: mixed(emulated(a, b, c, 0.7), trained=[b]),
    "guided": lambda a, b, c: mixed(guided(a, b, 1.6), trained=[b]),
    "contrasted": lambda a, b, c: mixed(contrasted(b, a, 0.5), trained=[b]),
    "traded off": lambda a, b, c: mixed(traded_off(a, [(b, 0.6), (c, 0.4)]), trained=[b]),
}
OF_LANGUAGE = {
    "careful": lambda a, b, c: mixed(emulated(a, b, c), trained=[b], alone=OutsideTopP(0.9)),
    "speculative": lambda a, b, c: Speculative(mixed(emulated(a, b, c), trained=[b]), b, ahead=2),
}
OF_DIFFUSION = {"late": lambda a, b, c: mixed(guided(a, b, 1.6), trained=[b], alone=Early(0.6))}
CASES = [
    *((family, name) for family in ("diffusion", "language", "masked") for name in MIXES),
    *(("language", name) for name in OF_LANGUAGE),
    *(("diffusion", name) for name in OF_DIFFUSION),
]


def composed(family, name, method, dtype=torch.float64, rows=None):
    """A Trainer of the family around a mix of three policies of other weights than each other."""
    members = []
    for seed in range(3):
        trainer = FAMILIES[family][0](method, dtype=dtype)
        draws = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in trainer.policy.parameters():
                p += 0.1 * torch.randn(p.shape, generator=draws, dtype=p.dtype)
        members.append(trainer.policy)
    policy = (MIXES | OF_LANGUAGE | OF_DIFFUSION)[name](*members)
    return Trainer(policy, method, trainer.task, trainer.reward, prompts=4, group=4, rows=rows, watch_kl=True), members


def weights(trainer):
    return torch.cat([value.detach().flatten() for value in trainer.policy.parameters()])


@pytest.fixture(params=CASES, ids=" ".join)
def case(request):
    return request.param


def test_every_family_with_a_score_is_here():
    """A family that cannot be mixed says so. Mixed pipelines are drawn from and not trained, and have a file of their
    own, `tests/policies/pipelines/test_mixed.py`."""
    from rlft.policies.composed.mixed import _composed

    members = {kind.__name__ for kind in _composed.registry if kind is not object}
    assert members == {"Language", "Diffusion", "Masked", "Pipeline"}


def test_it_trains(case):
    family, name = case
    trainer, (still, _, other) = composed(family, name, build("grpo", threshold=-10.0), dtype=torch.float32)
    start, frozen = weights(trainer).clone(), [p.detach().clone() for m in (still, other) for p in m.parameters()]
    trainer.advance()
    assert trainer.pending.advantages[trainer.pending.mask].abs().max() > 0
    metrics = trainer.step()
    assert metrics["ratio/first"] <= FAMILIES[family][1]
    assert (weights(trainer) - start).abs().max() > 1e-4
    assert abs(metrics["kl"]) < 1e-3
    assert trainer.step()["kl"] != metrics["kl"]
    assert all(
        torch.equal(a, b) for a, b in zip(frozen, [p for m in (still, other) for p in m.parameters()], strict=True)
    )


def test_first_ratio_in_float64(case):
    assert composed(*case, build("grpo"))[0].step()["ratio/first"] <= 1e-9


def test_a_row_is_the_same_whoever_draws_it(case):
    trainer, _ = composed(*case, build("grpo"))
    problems = [trainer.task.at(index) for index in (3, 1, 7)]
    together = trainer.policy.sample(problems, 3, seed=5)
    turned = trainer.policy.sample(problems[::-1], 3, seed=5)
    alone = trainer.policy.sample(problems[1:2], 2, seed=5)
    width = min(together.mask.shape[1], alone.mask.shape[1])
    for name, values in together.trace.items():
        if values.ndim > 1 and name != "prompt":
            assert_close(values[3:5, :width], alone.trace[name][:, :width], atol=1e-9, rtol=0)
    assert_close(together.logp_old[[6, 7, 8, 3, 4, 5, 0, 1, 2]], turned.logp_old, atol=1e-9, rtol=0)
    assert not torch.equal(together.logp_old[0], together.logp_old[1])


def test_masked_decisions_have_no_gradient(case):
    trainer, _ = composed(*case, build("grpo"))
    rows = trainer.policy.sample([trainer.task.at(0), trainer.task.at(1)], 2, seed=0)
    logp = trainer.policy.log_prob(replace(rows, mask=torch.zeros_like(rows.mask)))
    assert (logp == 0).all()
    if logp.requires_grad:
        logp.sum().backward()
        assert all(p.grad is None or not p.grad.any() for p in trainer.policy.parameters())
    assert trainer.policy.log_prob(rows).abs().max() > 0


def test_micro_batches(case):
    whole, cut = (composed(*case, build("grpo"), rows=rows)[0] for rows in (None, 5))
    for trainer in (whole, cut):
        trainer.optimizers = {
            "policy": torch.optim.SGD([p for p in trainer.policy.parameters() if p.requires_grad], 0.1)
        }
        trainer.lr = 0.1
        trainer.step()
    assert_close(weights(whole), weights(cut), atol=1e-9, rtol=0)


def test_a_resumed_run_is_the_straight_run(case):
    straight, resumed = (composed(*case, build("grpo"))[0] for _ in range(2))
    straight.advance()
    straight.advance()
    resumed.load_state_dict(straight.state_dict())
    for trainer in (straight, resumed):
        list(trainer.run(2))
    assert torch.equal(weights(straight), weights(resumed))


@pytest.mark.parametrize("family", ["diffusion", "language", "masked"])
def test_it_can_what_its_family_can(family):
    """But for a critic, which stays behind."""
    trainer, _ = composed(family, "guided", build("grpo"))
    policy = trainer.policy
    for capability in (Resumable, Teachable, Showable):
        assert isinstance(policy, capability)
    assert isinstance(policy, HasReference) == (family == "language")
    rows = policy.sample([trainer.task.at(0)], 2, seed=0)
    branches = policy.resume(rows, torch.tensor([1, 2]), 2, seed=1)
    assert_close(policy.log_prob(branches).detach(), branches.logp_old, atol=1e-9, rtol=0)
    shown = policy.demonstrate([trainer.task.at(0)], seed=0)
    assert policy.loss_on(shown)[shown.mask].min() > 0
    if isinstance(policy, Language):
        assert_close(policy.loss_on(shown), -shown.logp_old, atol=1e-9, rtol=0)
