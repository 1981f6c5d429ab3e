"""A policy small enough to work out by hand: D categorical decisions with logits of their own, given the problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from rlft.noise import branch_keys, row_keys, uniform
from rlft.types import Problem, Rollouts


class Table(nn.Module):
    """Logits [problems, D, V]; a row stops after a decision `stop`, so rows differ in length. Output: the decisions."""

    def __init__(self, inputs=4, decisions=3, choices=5, stop=0, critic=True, dtype=torch.float64, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.logits = nn.Parameter(torch.randn(inputs, decisions, choices, generator=generator, dtype=dtype))
        self.critic = nn.Parameter(torch.randn(inputs, decisions, generator=generator, dtype=dtype))
        self.stop = stop
        # A teacher who leans to each problem's own answer, see `Cards`.
        right = (torch.arange(inputs)[:, None] + 2 * torch.arange(decisions) + 1) % choices
        self.teacher = (3 * nn.functional.one_hot(right, choices)).to(dtype)

    def distance(self, rollouts: Rollouts) -> Tensor:
        width = rollouts.mask.shape[1]
        mine, its = (w[rollouts.trace["which"]][:, :width].log_softmax(-1) for w in (self.logits, self.teacher))
        return torch.where(rollouts.mask, (mine.exp() * (mine - its)).sum(-1), 0)

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        which = torch.tensor([p.input for p in problems for _ in range(group)], dtype=torch.long)
        logp = self.logits[which].log_softmax(-1)
        u = uniform(row_keys(problems, group, seed), logp.shape[1])
        actions = (logp.exp().cumsum(-1) < u[..., None]).sum(-1).clamp(max=logp.shape[-1] - 1)
        return self.rows(problems, group, which, actions)

    def rows(self, problems, group, which: Tensor, actions: Tensor) -> Rollouts:
        stopped = (actions == self.stop).cumsum(1) - (actions == self.stop).long()
        mask = stopped == 0
        trace = {"which": which, "actions": actions.masked_fill(~mask, 0)}
        outputs = [row[keep].tolist() for row, keep in zip(actions, mask, strict=True)]
        everyone = tuple(problem for problem in problems for _ in range(group))
        blank = torch.zeros(mask.shape, dtype=self.logits.dtype)
        rollouts = Rollouts(everyone, group, outputs, trace, mask, blank)
        with torch.no_grad():
            return Rollouts(everyone, group, outputs, trace, mask, self.log_prob(rollouts))

    def log_prob(self, rollouts: Rollouts) -> Tensor:
        width = rollouts.mask.shape[1]
        logp = self.logits[rollouts.trace["which"]].log_softmax(-1)[:, :width]
        picked = logp.gather(-1, rollouts.trace["actions"][..., None])[..., 0]
        return torch.where(rollouts.mask, picked, 0)

    def value(self, rollouts: Rollouts) -> Tensor:
        values = self.critic[rollouts.trace["which"]][:, : rollouts.mask.shape[1]]
        return torch.where(rollouts.mask, values, 0)

    def value_parameters(self):
        return [self.critic]

    def states(self, rollouts: Rollouts) -> Tensor:
        states = self.logits[rollouts.trace["which"]][:, : rollouts.mask.shape[1]]
        return torch.where(rollouts.mask[..., None], states, 0)

    def demonstrate(self, problems, seed):
        which = torch.tensor([p.input for p in problems])
        return self.rows(problems, 1, which, torch.tensor([p.answer for p in problems]))

    def loss_on(self, rollouts):
        return -self.log_prob(rollouts)

    def resume(self, rollouts, at, group, seed):
        rows = torch.arange(len(rollouts)).repeat_interleave(group)
        which, old = rollouts.trace["which"][rows], rollouts.trace["actions"][rows]
        logp = self.logits[which].log_softmax(-1)[:, : old.shape[1]]
        u = uniform(branch_keys(rollouts.problems, at, group, seed), old.shape[1])
        new = (logp.exp().cumsum(-1) < u[..., None]).sum(-1).clamp(max=logp.shape[-1] - 1)
        own = torch.arange(old.shape[1]) >= at.repeat_interleave(group)[:, None]
        problems = [problem for problem in rollouts.problems for _ in range(group)]
        made = replace(self.rows(problems, 1, which, torch.where(own, new, old)), group=group)
        mask = made.mask & own
        return replace(made, mask=mask, logp_old=torch.where(mask, made.logp_old, 0))


class Final(Table):
    """A table that cannot go on from the middle of a row."""

    resume = None


class Cards:
    """Problems 0..size-1; problem i conditions on `i % inputs` and its answer is a row of decisions."""

    name, split = "cards", "train"

    def __init__(self, size=64, inputs=4, decisions=3, choices=5):
        self.size, self.inputs, self.decisions, self.choices = size, inputs, decisions, choices

    def at(self, index: int) -> Problem:
        answer = [(index % self.inputs + 2 * d + 1) % self.choices for d in range(self.decisions)]
        return Problem(index, input=index % self.inputs, answer=answer, task=self.name, split=self.split)


def share(problems, outputs):
    """Share of the answer's decisions that the row has."""
    return [
        sum(a == b for a, b in zip(o, p.answer, strict=False)) / len(p.answer)
        for p, o in zip(problems, outputs, strict=True)
    ]


def agreement(problems, outputs):
    """`share`, and a constant of the problem's own, so that baselines over group and batch differ."""
    return [part + 0.1 * problem.index for part, problem in zip(share(problems, outputs), problems, strict=True)]


def gradients(weight):
    """A list that is given the weight's gradient each time one has been added up: a Trainer keeps none after a step."""
    held = []
    weight.register_post_accumulate_grad_hook(lambda w: held.append(w.grad.clone()))
    return held
