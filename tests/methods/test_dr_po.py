"""DR-PO on every family: groups that start inside a demonstration, and everything that a method promises."""

from dataclasses import replace

import pytest
import torch

from rlft.environments.experts import expert
from rlft.environments.play import play
from rlft.methods.dr_po import dr_po
from rlft.tool.self_test import FAMILIES
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError

pytestmark = pytest.mark.slow


class Shown:
    """Starts of an environment with the scripted player's episode from each as its answer."""

    def __init__(self, starts, environment):
        self.starts, self.environment = starts, environment
        self.name, self.split, self.size = starts.name, starts.split, starts.size

    def at(self, index) -> Problem:
        problem = self.starts.at(index)
        key, player = torch.tensor([problem.input]), expert(self.environment)
        played = play(self.environment, key, key, lambda seen, rows, decision: player(seen)[:, None] * 0.9)
        return replace(problem, answer=played.episodes()[0])


def make(family, method, **settings) -> Trainer:
    trainer = FAMILIES[family][0](method, **settings)
    if family == "control":
        trainer.task = Shown(trainer.task, trainer.policy.environment)
        trainer.stream = Stream(trainer.task, trainer.seed)
    return trainer


def weights(trainer):
    return torch.cat([value.detach().flatten() for value in trainer.policy.parameters()])


@pytest.mark.parametrize("family", FAMILIES)
def test_it_runs_on_every_family(family):
    trainer = make(family, dr_po(share=0.5, clip=0.05, beta=0.3, epochs=2, minibatches=2))
    start = weights(trainer).clone()
    trainer.advance()
    batch = trainer.pending
    assert batch is not None
    kept = torch.where(batch.mask, torch.arange(batch.mask.shape[1]), 99).amin(1).reshape(4, 4)
    assert torch.equal(kept, kept[:, :1].expand(4, 4))
    assert kept[:2].min() >= 1 and not kept[2:].any()
    assert torch.equal(batch.position, torch.arange(16))
    assert batch.advantages[batch.mask].abs().max() > 0
    metrics = trainer.step()
    assert metrics["ratio/first"] <= FAMILIES[family][1]
    assert (metrics["rows/drawn"], metrics["rows/demonstrated"], metrics["groups/reset"]) == (16, 2, 2)
    assert abs(metrics["kl"]) < 1e-3  # the first rows are the start's own
    assert (weights(trainer) - start).abs().max() > 1e-4
    assert trainer.step()["kl"] != metrics["kl"]


@pytest.mark.parametrize("family", FAMILIES)
def test_how_a_batch_is_cut_changes_nothing(family):
    whole, cut = (make(family, dr_po(share=0.5), dtype=torch.float64, rows=rows) for rows in (None, 3))
    for trainer in (whole, cut):
        for name in trainer.optimizers:
            trainer.optimizers[name] = torch.optim.SGD(list(trainer.policy.parameters()), 0.1)
        trainer.step()
    # a Llama's norm works in float32 whatever its weights are
    assert (weights(whole) - weights(cut)).abs().max() < 1e-6


def test_starts_without_demonstrations_are_refused():
    with pytest.raises(UserError, match="has no demonstration"):
        FAMILIES["control"][0](dr_po()).step()
