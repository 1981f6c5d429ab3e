"""Pairs small enough for contracts: two tables that are worked out by hand, and two policies of each family."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from rlft.methods.cory import cory
from rlft.methods.ppo import ppo
from rlft.policies.composed.pair import Pair
from rlft.rewards.pairs import both
from rlft.tool.self_test import FAMILIES
from rlft.training.trainer import Trainer
from tests.fakes import Cards, Table, agreement

# Settings under which the clip, the KL, the second pass and the exchange all do something.
LIVELY = {"every": 1, "epochs": 2, "minibatches": 2, "clip": 0.05, "beta": 0.3}


def add(problem, output):
    """Cards: the pioneer's decisions move the observer to another row of its table."""
    return replace(problem, input=(problem.input + sum(output)) % 4)


def tables() -> Pair:
    """Two tables of three and of four decisions."""
    return Pair(Table(), Table(decisions=4, seed=1), add)


def table_trainer(**settings) -> Trainer:
    """CORY on two tables."""
    method = settings.pop("method", None) or cory(**LIVELY)
    policy, reward = settings.pop("policy", None) or tables(), settings.pop("reward", both(agreement))
    defaults = {"prompts": 4, "group": 4, "lr": 0.05, "seed": 3, "max_grad_norm": 1e9, "watch_kl": True}
    return Trainer(policy, method, Cards(), reward, **{**defaults, **settings})


def _longer(problem, output):
    return replace(problem, input=f"{problem.input}{output}={problem.input}")


# What the observer of a family is asked: where the first trajectory ended, the class of the first point, a longer text;
# the masked policy has no classes and can be told nothing.
MERGES = {
    "control": lambda p, out: replace(p, input=p.input + 1 + int(1000 * out.observations[-1].abs().sum())),
    "diffusion": lambda p, out: replace(p, input=2 * int(out[0] > 0) + int(out[1] > 0)),
    "masked": lambda p, out: p,
    "language": _longer,
    "seeing": _longer,
}


def family_trainer(family: str, **settings) -> Trainer:
    """CORY on two policies of a family, which differ."""
    method = cory(**{**LIVELY, "minibatches": 1})
    alone = FAMILIES[family][0](ppo(), dtype=settings.pop("dtype", torch.float64))
    other = copy.deepcopy(alone.policy)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator).to(weight))
    pair = Pair(alone.policy, other, MERGES[family])
    defaults = {"prompts": 4, "group": 4, "seed": 3, "watch_kl": True}
    return Trainer(pair, method, alone.task, both(alone.reward), **{**defaults, **settings})


def weights(policy) -> torch.Tensor:
    """All weights of a policy in one vector."""
    return torch.cat([p.detach().flatten() for p in policy.parameters()])
