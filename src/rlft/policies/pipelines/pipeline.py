"""Pipelines that draw pictures or films of texts as policies: one code for all families, whose steps are our own.

A state is the latent as the network reads it, in float32 or wider whatever the weights are, kept and scored as it was
kept. Density, noise and its row are those of every step-wise policy here; the pipeline gives network, encoders, times
and decoder. See `family` for what is a family's own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rlft.noise import START, normal
from rlft.policies.pipelines.drawing import Drawing, Window, rule_named
from rlft.policies.pipelines.family import Family
from rlft.policies.pipelines.folder import Origin, save, switched
from rlft.policies.pipelines.pictures import thumbnail
from rlft.policies.pipelines.prompts import Prompts, text_of
from rlft.policies.stepwise.even import Even
from rlft.policies.stepwise.noise_rules import FixedRule, ode
from rlft.policies.stepwise.pathwise import Continuous
from rlft.policies.stepwise.solvers import UniPC
from rlft.policies.stepwise.stepwise import event_scale
from rlft.types import Policy, Problem, Rollouts


class Pipeline(Continuous):
    """A text-to-image or text-to-video pipeline that draws in `drawing.denoising_steps` steps, of which those of
    `window` are decisions.

    family      the pipeline's, see `choose.family_of`; `folder.load` makes a policy of a folder
    drawing     how it is drawn
    window      which steps are decisions: noise by the rule, on the mask, scored and trained; the others follow the
                ODE, and so does the last step always
    core        another network of the same kind than the pipeline's own
    recompute   compute activations again in the backward pass, of one block of rows and step at a time

    Problems are texts. `outputs` are pictures [N, 3, H, W] or films [N, 3, T, H, W] in [-1, 1], clamped. The trace's
    `condition` is the number of the prompt and the first step of the window; prompts are read again where they are
    forgotten. The network stays in eval mode, as pipelines call it.
    """

    drawn: Tensor

    def __init__(
        self,
        family: Family,
        drawing: Drawing,
        window: Window = Window(),
        *,
        core: nn.Module | None = None,
        origin: Origin = Origin(),
        recompute: bool = False,
    ):
        super().__init__()
        self.core = family.network if core is None else core
        self.family, self.drawing, self.window, self.origin = family, drawing, window, origin
        self.steps, self.recompute = drawing.denoising_steps, recompute
        self.decisions = window.size(self.steps)
        self.rule: FixedRule = rule_named(drawing.noise or family.noise)
        self.shape, self.grid = family.shape, family.grid(self.steps)
        self.scale = event_scale(drawing.event, math.prod(self.shape))
        self.prompts = Prompts(family)
        self.solver: UniPC | None = None
        self.register_buffer("drawn", torch.zeros((), dtype=torch.int64))  # batches, which a moving window counts
        # Here, so that a rule that does not fit the model says so at once.
        zeros = torch.zeros(1, dtype=torch.long)
        self._weights(zeros, zeros.bool())
        self.train()

    def _like(self, core: nn.Module, window: Window) -> Pipeline:
        """This policy with another network or window; encoders, what they gave and the decoder are shared."""
        other = Pipeline(self.family, self.drawing, window, core=core, origin=self.origin)
        other.prompts, other.rule, other.recompute = self.prompts, self.rule, self.recompute
        return other

    def deployed(self) -> Pipeline:
        """The same weights, drawn by the ODE alone, by the pipeline's own solver; each row from its own noise."""
        other = self._like(self.core, Window())
        other.rule, other.solver = ode(), self.family.solver(self.grid)
        return other

    def reference(self) -> Policy:
        """The policy as it is now, without gradient: the base lent, or a copy of adapters or of the network."""
        lent = switched(self, self.core)
        if lent is not None:
            return lent
        return self._like(copy.deepcopy(self.core).requires_grad_(False), self.window)

    def train(self, mode: bool = True) -> Pipeline:
        """As any module, but the network stays in eval mode: with dropout the first ratio would not be 1."""
        super().train(mode)
        self.core.eval()
        return self

    def save(self, folder: Path) -> None:
        """A whole pipeline, or its adapter alone, as `diffusers` loads it."""
        save(self.family, self.core, self.origin, self.drawing, folder)

    def show(self, output: Float[Tensor, "3 *T H W"]) -> dict[str, Any]:
        """A small picture for the report; of a film four frames side by side."""
        return thumbnail(output)

    def check(self, problems: Iterable[Problem]) -> None:
        """UserError for the first problem that could not be drawn: call it on all data before training."""
        for problem in problems:
            text_of(problem)

    @property
    def noisy(self) -> bool:
        """Whether any step of its rule is drawn at random."""
        k = torch.arange(self.steps)
        return bool((self._weights(k, k >= 0)[2] > 0).any())

    @property
    def dtype(self) -> torch.dtype:
        """The type of the states: the weights', or float32 where those are narrower."""
        return torch.promote_types(next(self.core.parameters()).dtype, torch.float32)

    def condition(self, problems: Sequence[Problem], seed: int = 0) -> Int[Tensor, "P 2"]:
        """The number of each problem's prompt, and the first step of its window."""
        firsts = self.window.firsts(problems, seed, int(self.drawn), self.steps)
        return torch.tensor([*zip(self.prompts.keys(problems), firsts, strict=True)], device=self.device)

    def start(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N *S"]:
        """Standard normal noise of the stream START."""
        return normal(keys, 1, self.shape, START)[:, 0].to(self.dtype)

    def decode(self, x: Float[Tensor, "N *S"]) -> Float[Tensor, "N 3 *T H W"]:
        """Pictures or films in [-1, 1] on the CPU, decoded one at a time: a neighbour changes no pixel."""
        with torch.no_grad():
            return self.seen(x)

    def seen(self, x: Float[Tensor, "N *S"]) -> Float[Tensor, "N 3 *T H W"]:
        """The same with a graph; where a pixel was clamped its gradient is 0."""
        self.family.pipe.vae.requires_grad_(False)
        return torch.cat([self._seen(one).float().clamp(-1, 1).cpu() for one in x.split(1)])

    def _seen(self, x: Tensor) -> Tensor:
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(self.family.decode, x, use_reentrant=False)  # type: ignore[no-any-return]
        return self.family.decode(x)

    def levels(self, k: int) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """(α, σ) before step k."""
        return self.grid.schedule.weights(self.grid.times[k])

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rows for each problem; with `same_start` steps before a window are taken once for its group."""
        keys = self.keys(problems, group, seed)
        condition = self.condition(problems, seed).repeat_interleave(group, dim=0)
        self.drawn += 1
        rows = torch.arange(len(keys), device=keys.device)
        leads = rows - rows % group if self.window.same_start else rows
        begun = self.start(keys[leads.unique()])
        states = begun.new_zeros(len(keys), self.steps + 1, *self.shape)
        states[:, 0] = begun.repeat_interleave(len(keys) // len(begun), dim=0)
        logp = torch.zeros(len(keys), self.steps, dtype=torch.float64, device=keys.device)
        mask, past = torch.zeros(logp.shape, dtype=torch.bool, device=keys.device), None
        for k in range(self.steps):
            if self.solver is not None:
                every = torch.full_like(keys, k), condition
                clean = self.foresee(states[:, k], *every)[1]
                states[:, k + 1], past = self.solver.step(k, states[:, k], clean, past)
                continue
            alone = (leads == rows) | (k >= condition[:, 1])
            going = alone.nonzero()[:, 0]
            ahead = self.step(states[going, k], torch.full_like(going, k), condition[going])
            states[going, k + 1] = self._drawn(ahead, keys[going], k)
            logp[going, k], mask[going, k] = ahead.log_prob(states[going, k + 1]), ahead.stochastic
            states[~alone, k + 1] = states[leads[~alone], k + 1]
        data = states[:, -1].contiguous()
        trace = {"states": states, "condition": condition, "data": data, "key": keys}
        everyone = tuple(problem for problem in problems for _ in range(group))
        return Rollouts(everyone, group, self.decode(data), trace, mask, logp)

    @staticmethod
    def _drawn(ahead: Even, keys: Tensor, k: int) -> Tensor:
        """The next states; noise is made for the rows that take it."""
        noisy = ahead.stochastic.nonzero()[:, 0]
        if not len(noisy):
            return ahead.mean
        drawn = ahead[noisy].draw(ahead[noisy].noise(keys[noisy], k))
        return ahead.mean.index_copy(0, noisy, drawn)

    def told(self, rollouts: Rollouts) -> Int[Tensor, "N 2"]:
        """As every step-wise policy's; prompts that another process or an earlier one has read are read here."""
        self.prompts.keys(rollouts.problems)
        return super().told(rollouts)

    def says(
        self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Int[Tensor, "M 2"]
    ) -> Float[Tensor, "M *S"]:
        """What the network says before step k, guided."""
        return self._said(x, k, condition[:, 0])

    def step(self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Int[Tensor, "M 2"]) -> Even:
        """The Gaussian of step k from states x; of std 0 outside of the row's window."""
        return self._ahead(x, self._said(x, k, condition[:, 0]), k, condition)

    def foresee(
        self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Int[Tensor, "M 2"]
    ) -> tuple[Even, Float[Tensor, "M *S"]]:
        """The Gaussian of step k from states x, and the latent predicted there."""
        said = self._said(x, k, condition[:, 0])
        alpha, sigma = (wide(w, x) for w in self.grid.schedule.weights(self.grid.times.to(k.device)[k]))
        return self._ahead(x, said, k, condition), self.grid.prediction.estimates(x, said, alpha, sigma)[0]

    def _ahead(self, x: Tensor, said: Tensor, k: Tensor, condition: Tensor) -> Even:
        first = condition[:, 1]
        noisy = (first <= k) & (k < (first + self.decisions).clamp(max=self.steps - 1))
        of_x, of_said, s = self._weights(k, noisy)
        return Even(wide(of_x, x) * x + wide(of_said, x) * said, s, self.scale)

    def _weights(self, k: Tensor, noisy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the mean has of the state and of what the network says there, and s, for each row in float64: the rule's
        w0·x̂0 + w1·x̂1 where a step is noisy, the ODE's elsewhere, with x̂0 and x̂1 as `Prediction` has them."""
        times = self.grid.times.to(k.device)
        both = (rule.of(self.grid.schedule, times[k], times[k + 1]) for rule in (self.rule, ode()))
        w0, w1, s = (torch.where(noisy, one, other) for one, other in zip(*both, strict=True))
        alpha, sigma = self.grid.schedule.weights(times[k])
        a, b = self.grid.prediction.mix(alpha, sigma)
        scale = alpha * b - sigma * a
        return (w0 * b - w1 * a) / scale, (w1 * alpha - w0 * sigma) / scale, s

    def _said(self, x: Tensor, k: Tensor, keys: Tensor) -> Tensor:
        """What the network says, `block` rows at a time: always as many, for products of other heights round otherwise,
        and only rows whose prompts have one shape, for a longer one would pad the others."""
        said: list[Tensor] = []
        order: list[Tensor] = []
        for rows in self.prompts.alike(keys):
            for part in rows.split(self.drawing.block):
                filled = part[torch.arange(self.drawing.block, device=part.device).clamp(max=len(part) - 1)]
                order.append(part)
                said.append(self._block(x[filled], k[filled], keys[filled].tolist())[: len(part)])
        if not said:
            return x
        rows = torch.cat(order)
        straight = torch.equal(rows, torch.arange(len(rows), device=rows.device))
        return torch.cat(said) if straight else torch.cat(said)[rows.argsort()]

    def _block(self, x: Tensor, k: Tensor, keys: list[int]) -> Tensor:
        return self._asked(self.core, x, k, keys)

    def _asked(self, core: nn.Module, x: Tensor, k: Tensor, keys: list[int]) -> Tensor:
        away, told = self.family.away, self.prompts.stacked(keys)
        null = told if away is None else self.prompts.told(self.prompts.key(away))
        clock = self.grid.clock.to(k.device)[k]
        given: tuple[Any, ...] = (core, x, clock, told, null)
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(self.family.said, *given, use_reentrant=False)  # type: ignore[no-any-return]
        return self.family.said(*given)


def wide(weight: Tensor, x: Tensor) -> Tensor:
    """A number for each row as something that multiplies x."""
    return weight.to(x).view(-1, *[1] * (x.dim() - 1))
