"""Diffusion and flow models as policies: a decision is a denoising step. Not the network, nor a large model's pipeline.

Any denoiser, schedule and prediction (`models.schedules`), any rule of `noise_rules`: DDPM, DDIM, the SDEs of
Flow-GRPO and DanceGRPO, CPS, learned noise, and the plain ODE for deployment. From Black et al. 2023 (DDPO,
arXiv:2305.13301, Sec. 4.3) comes the view of the steps as decisions, each a Gaussian whose density is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.models.denoiser import StateCritic
from rlft.models.schedules import ROUNDING, Prediction, Schedule
from rlft.noise import LOSS, START, normal, uniform
from rlft.policies.stepwise.noise_rules import NoiseRule
from rlft.policies.stepwise.pathwise import Continuous
from rlft.policies.stepwise.stepwise import Event, Gaussian, class_numbers, event_scale, in_blocks, step_noise
from rlft.types import Problem, Rollouts, UserError


class Diffusion(Continuous):
    """A denoiser that draws its sample in `steps` decisions.

    denoiser     `(x [N, *S], t [N], label [N]) -> [N, *S]`; `models.denoiser` has small ones
    steps        K denoising steps, D = K decisions; columns with s = 0 (the ODE's, DDPM's last) are off the mask
    rule         how a step is taken: `noise_rules.ddpm()`, `flow_sde(0.7)`, ...
    schedule     how data was noised in training; `prediction`, what the denoiser says: both as it was trained
    event        'sum', 'mean' or 'sqrt' over the E = |S| elementwise log-probabilities of a step. There is no default:
                 the clip range of a method depends on it (see `stepwise.Event`)
    shape        S; `classes`, how many there are: label `classes` is the null class, which `input=None` asks for
    guidance     classifier-free guidance, null + guidance·(class - null) (Ho and Salimans 2022, arXiv:2207.12598), the
                 same in sampling and scoring; 1 is the conditional denoiser alone, at half the price, 0 the null class
    critic       adds a value head and with it the capability `value`
    block        rows in one call of the denoiser. Every call has exactly this many (the last is filled up), because
                 matrix products of other heights round differently: this is what makes a ratio 1 to the last bit
                 however rows are batched

    Rows need the class number in `problem.input`, or None. `outputs` are the last states, [N, *S].
    """

    value: Callable[[Rollouts], Tensor]
    value_parameters: Callable[[], Iterator[nn.Parameter]]

    def __init__(
        self,
        denoiser: nn.Module,
        *,
        steps: int,
        rule: NoiseRule,
        schedule: Schedule,
        prediction: Prediction,
        event: Event,
        shape: Sequence[int],
        classes: int,
        guidance: float = 1.0,
        critic: bool = False,
        block: int = 128,
    ):
        super().__init__()
        self.denoiser, self.rule = denoiser, rule
        self.steps, self.schedule, self.prediction = steps, schedule, prediction
        self.event: Event = event
        self.shape, self.classes = tuple(shape), classes
        self.guidance, self.block = guidance, block
        self.scale = event_scale(event, math.prod(shape))
        # Not a buffer: `.to(torch.bfloat16)` must not round the times.
        self.times = schedule.times(steps)
        self._check()
        if critic:
            self.critic = StateCritic(shape, classes)
            # Set here and not in the class, so that only a policy with a critic has the capability.
            self.value, self.value_parameters = self._value, self.critic.parameters

    def _check(self) -> None:
        alpha, sigma = self.schedule.weights(self.times[:-1])
        a, b = self.prediction.mix(alpha, sigma)
        if ((alpha * b - sigma * a).abs() < ROUNDING).any():
            raise UserError(
                f"a denoiser that predicts {self.prediction.name} says nothing about the data at t = 1 of "
                f"{self.schedule}: use another schedule or prediction"
            )
        x = torch.zeros(self.steps, *self.shape, device=self.device)
        with torch.no_grad():
            # Any class will do: this asks the rule whether it can take every step of the schedule.
            k = torch.arange(self.steps, device=self.device)
            self._ahead(x, x, x, k, torch.zeros_like(k))

    def with_rule(self, rule: NoiseRule, steps: int | None = None) -> Diffusion:
        """This policy's denoiser under another rule or number of steps: `with_rule(ode())` is the deployment sampler.

        The weights are shared; a critic and a learned rule's head stay behind.
        """
        return Diffusion(
            self.denoiser,
            steps=steps or self.steps,
            rule=rule,
            schedule=self.schedule,
            prediction=self.prediction,
            event=self.event,
            shape=self.shape,
            classes=self.classes,
            guidance=self.guidance,
            block=self.block,
        )

    def show(self, output: Float[Tensor, "*S"]) -> dict[str, Any]:
        """An image, for two dimensions or three with channels first; else the point that it is."""
        values = output.detach().float().cpu()
        if values.ndim == 1:
            return {"kind": "points", "points": [values.tolist()]}
        pixels = values if values.ndim == 2 else values.permute(1, 2, 0)
        return {"kind": "image", "shape": list(pixels.shape), "pixels": pixels.tolist()}

    @property
    def dtype(self) -> torch.dtype:
        """The type of the states: the weights', or float32 where those are narrower."""
        weights = next(chain(self.denoiser.parameters(), self.denoiser.buffers()), torch.zeros(()))
        return torch.promote_types(weights.dtype, torch.float32)

    def condition(self, problems: Sequence[Problem]) -> Int[Tensor, "P"]:
        """The problems' class numbers; `classes` for None."""
        return class_numbers(problems, self.classes, self.device)

    def start(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N *S"]:
        """Standard normal noise of the stream START."""
        return normal(keys, 1, self.shape, START)[:, 0].to(self.dtype)

    def decode(self, x: Float[Tensor, "N *S"]) -> Float[Tensor, "N *S"]:
        """The sample is the last state."""
        return x

    def seen(self, x: Float[Tensor, "N *S"]) -> Float[Tensor, "N *S"]:
        """The sample is the last state."""
        return x

    def levels(self, k: int) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """(α, σ) before step k."""
        return self.schedule.weights(self.times[k])

    def says(self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Int[Tensor, "M"]) -> Float[Tensor, "M *S"]:
        """What the denoiser says before step k, guided; `block` rows at a time."""
        times, blocks = self.times.to(k.device), in_blocks(self.block, x, k, condition)
        return torch.cat([self.output(state, times[number], label) for state, number, label in blocks])[: len(x)]

    def output(self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]) -> Float[Tensor, "N *S"]:
        """What the denoiser says, guided; in the states' type."""
        return said(self.denoiser, x, t, label, self.guidance, self.classes)

    def predict(
        self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]
    ) -> tuple[Float[Tensor, "N *S"], Float[Tensor, "N *S"]]:
        """(x̂0, x̂1), the guided estimates of data and noise at time t."""
        alpha, sigma = (_wide(w, x) for w in self.schedule.weights(t))
        return self.prediction.estimates(x, self.output(x, t, label), alpha, sigma)

    def _ahead(self, x: Tensor, x0: Tensor, x1: Tensor, k: Tensor, label: Tensor) -> Gaussian:
        """Step k from x with these estimates of data and noise."""
        times = self.times.to(k.device)
        w0, w1, s = (_wide(w, x) for w in self.rule(self.schedule, times[k], times[k + 1], x, label))
        return Gaussian(w0 * x0 + w1 * x1, s.expand_as(x), self.scale)

    def step(self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Int[Tensor, "M"]) -> Gaussian:
        """The Gaussian of step k from states x."""
        return self.foresee(x, k, condition)[0]

    def foresee(
        self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Int[Tensor, "M"]
    ) -> tuple[Gaussian, Float[Tensor, "M *S"]]:
        """The Gaussian of step k from states x, and x̂0, the data predicted there; `block` rows at a time."""
        rows, times = len(x), self.times.to(k.device)
        means, stds, data = [], [], []
        for state, number, label in in_blocks(self.block, x, k, condition):
            x0, x1 = self.predict(state, times[number], label)
            ahead = self._ahead(state, x0, x1, number, label)
            means.append(ahead.mean)
            stds.append(ahead.std)
            data.append(x0)
        return Gaussian(torch.cat(means)[:rows], torch.cat(stds)[:rows], self.scale), torch.cat(data)[:rows]

    def _value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The critic's value of the state before each decision; 0 off the mask."""
        rows, slots = rollouts.mask.nonzero(as_tuple=True)
        x, label = rollouts.trace["states"][rows, slots], rollouts.trace["condition"][rows]
        weights = next(self.critic.parameters())
        values = self.critic(x.to(weights), self.times.to(weights)[slots], label)
        return values.new_zeros(rollouts.mask.shape).index_put((rows, slots), values)

    @torch.no_grad()
    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """One row for each problem that ends in `problem.lesson`, a sample [*S].

        The states are those of the rule with the answer for x̂0 and the true noise for x̂1, `logp_old` is that
        teacher's density (0 where s = 0), and the last state is the answer itself. The mask is full, also where s = 0:
        there `log_prob` is 0 without gradient, and `loss_on` uses every column.
        """
        keys, label = self.keys(problems, 1, seed), self.condition(problems)
        data = self._answers(problems)
        states, logp = [self.start(keys)], []
        for k in range(self.steps):
            x, slot = states[-1], torch.full_like(keys, k)
            alpha, sigma = (_wide(w, x) for w in self.schedule.weights(self.times.to(keys.device)[slot]))
            ahead = self._ahead(x, data, (x - alpha * data) / sigma, slot, label)
            states.append(data if k == self.steps - 1 else ahead.draw(step_noise(keys, k, self.shape)))
            logp.append(ahead.log_prob(states[-1]))
        return Rollouts(
            problems=tuple(problems),
            group=1,
            outputs=data,
            trace={"states": torch.stack(states, dim=1), "condition": label, "data": data, "key": keys},
            mask=torch.ones(len(problems), self.steps, dtype=torch.bool, device=self.device),
            logp_old=torch.stack(logp, dim=1),
        )

    def _answers(self, problems: Sequence[Problem]) -> Float[Tensor, "N *S"]:
        answers = []
        for problem in problems:
            if problem.lesson is None or tuple(torch.as_tensor(problem.lesson).shape) != self.shape:
                raise UserError(f"problem {problem.index} has no answer of shape {self.shape} to demonstrate")
            answers.append(torch.as_tensor(problem.lesson, dtype=self.dtype, device=self.device))
        return torch.stack(answers)

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The denoising error |y - target|² / E of each row's data, at one time for each decision column.

        The D times are uniform on (0, 1), they and their noise belong to the row (stream LOSS), and the error is the
        denoiser's own, without guidance. A column is an independent draw, not the step of that number; columns off
        the mask are 0.
        """
        rows, slots = rollouts.mask.nonzero(as_tuple=True)
        keys, columns = rollouts.trace["key"], torch.arange(rollouts.mask.shape[1], device=self.device)
        # Even counters are for times and odd ones for noise, so that neither depends on D or on the other.
        t = uniform(keys, 2 * columns, LOSS)[rows, slots]
        x0 = rollouts.trace["data"][rows]
        x1 = normal(keys, 2 * columns + 1, self.shape, LOSS)[rows, slots].to(x0)
        alpha, sigma = (_wide(w, x0) for w in self.schedule.weights(t))
        weights = next(chain(self.denoiser.parameters(), self.denoiser.buffers()), x0)
        noised = (alpha * x0 + sigma * x1).to(weights.dtype)
        y = self.denoiser(noised, t.to(weights.dtype), rollouts.trace["condition"][rows])
        error = (y.to(x0) - self.prediction.target(x0, x1, alpha, sigma)).square().flatten(1).mean(dim=1)
        return error.new_zeros(rollouts.mask.shape).index_put((rows, slots), error)


def said(
    denoiser: nn.Module,
    x: Float[Tensor, "N *S"],
    t: Float[Tensor, "N"],
    label: Int[Tensor, "N"],
    guidance: float,
    null: int,
) -> Float[Tensor, "N *S"]:
    """What a denoiser says with classifier-free guidance away from the class `null`, in the type of x."""
    weights = next(chain(denoiser.parameters(), denoiser.buffers()), x)
    state, time = x.to(weights.dtype), t.to(weights.dtype)
    if guidance == 1:
        return denoiser(state, time, label).to(x.dtype)
    labels = torch.cat([torch.full_like(label, null), label])
    without, asked = denoiser(torch.cat([state, state]), torch.cat([time, time]), labels).to(x.dtype).chunk(2)
    return without + guidance * (asked - without)


def _wide(weight: Tensor, x: Tensor) -> Tensor:
    """A number for each row, or one for each dimension, as something that multiplies x."""
    weight = weight.to(x)
    return weight.view(-1, *[1] * (x.dim() - 1)) if weight.dim() == 1 else weight
