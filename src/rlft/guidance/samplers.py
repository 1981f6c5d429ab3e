"""Better samples from a policy as it is, by looking ahead while it samples: best-of-N, SMC, SVDD. Trains nothing.

After Li et al. 2024, "Derivative-Free Guidance in Continuous and Discrete Diffusion Models with Soft Value-Based
Decoding" (arXiv:2408.08252). The target is the tilt p(x)·exp(r(x)/α)/Z of the policy's own law p. The reward is any
function, and so is the state: pixels, points, letters. All of these are samplers, to be evaluated or deployed:

    best_of        N whole rollouts, the best is kept; any policy, also a language model
    svdd           M candidates of each step, one is kept with chance ∝ exp(v/α)
    smc            several particles for each row, now and then drawn anew by their weights
    svdd_r         both: M candidates of each step, and rows drawn anew

Rows that are drawn anew depend on the other rows of their group, and never on rows of other groups. Otherwise a row
depends on its own noise alone, and the first of everything is drawn with the row's own: one candidate and one particle
are the plain policy, bit for bit.

`logp_old` of what comes out is the *policy's* log-probability of what was decided: how natural it is. Nobody knows the
guided law's, so nothing here has `log_prob`, and no method can take ratios to it. Guided rows are data to imitate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rlft.guidance.resampling import effective, pick, systematic, weights_of
from rlft.guidance.values import Halfway, Spent, Value
from rlft.noise import hashed, uniform
from rlft.policies.stepwise.stepwise import Ahead, Foresees
from rlft.training.score import score
from rlft.types import Problem, Reward, Rollouts, Sampler, UserError


@dataclass(frozen=True)
class BestOf:
    """The best by `reward` of `count` rollouts of any policy, the first of them among equals; NaN is the worst.

    Row g of a group is the best of the policy's samples g·count … g·count + count - 1. If p has distribution function F
    of rewards, the best has F^count. `spent.network` counts decisions of rows as long as the longest.
    """

    policy: Sampler
    reward: Reward
    count: int
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"best of {self.count}: draw at least one rollout for each row")

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rows for each problem, each the best of its own `count`."""
        drawn = self.policy.sample(problems, group * self.count, seed)
        earned = score(self.reward, drawn.problems, drawn.outputs, drawn.mask.shape[1]).total
        best = earned.nan_to_num(nan=-torch.inf).view(-1, self.count).argmax(dim=1)
        self.spent.network += drawn.mask.numel()
        self.spent.reward += len(drawn)
        self.spent.rows += len(best)
        return replace(drawn[torch.arange(len(best)) * self.count + best.cpu()], group=group)


@dataclass(frozen=True)
class Guided:
    """A step-wise policy led by a value; `svdd`, `smc` and `svdd_r` are its settings.

    candidates  M next states drawn for each particle and step, one kept with chance ∝ exp(v/α)
    particles   n for each row of a group: n·G in all, of which G come out, drawn by the weights
    below       particles of a group are drawn anew when their effective number is under this share of them: 0 never,
                1 whenever weights differ
    alpha       α, in the reward's unit: ∞ is the policy itself, 0 takes the largest value

    A particle's weight is Π_k mean_m exp(v(x'_m)/α) / exp(v(x)/α), times exp(v/α) of its start: with exact values and
    all possible candidates it is that of the start alone, with one candidate Σ log w telescopes to v/α.
    """

    policy: Foresees
    value: Value
    alpha: float
    candidates: int = 1
    particles: int = 1
    below: float = 0.0
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        if min(self.candidates, self.particles) < 1 or not self.alpha >= 0 or not 0 <= self.below <= 1:
            raise UserError(
                f"{self.candidates} candidates, {self.particles} particles, alpha={self.alpha}, below={self.below}: "
                "at least one of each, alpha not negative, and a share from 0 to 1"
            )
        if self.alpha == 0 and (self.below or self.particles > 1):
            raise UserError("alpha=0 leaves one particle with all the weight: use a small alpha, or svdd")

    @property
    def weighs(self) -> bool:
        """Whether particles' weights are used at all."""
        return self.below > 0 or self.particles > 1

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rows for each problem."""
        swarm = _Swarm(self, problems, group, seed)
        for k in range(self.policy.steps):
            swarm.step(k)
            swarm.renew(k)
        return swarm.rollouts()


class _Swarm:
    """All particles of one call of `sample`, B = P·G·n of them, those of a problem together."""

    def __init__(self, guided: Guided, problems: Sequence[Problem], group: int, seed: int):
        self.guided, self.policy, self.asked, self.group = guided, guided.policy, tuple(problems), group
        self.crowd = group * guided.particles
        self.rows = self.policy.keys(problems, group, seed)
        self.keys = _numbered(self.rows, "particle", guided.particles).flatten()
        self.candidates = _numbered(self.keys, "candidate", guided.candidates)
        self.choices, self.renewals = _apart(self.keys, "choice"), _apart(self.rows[::group], "renewal")
        self.condition = self.policy.condition(problems).repeat_interleave(self.crowd, dim=0)
        start = self.policy.start(self.keys)
        self.everyone = torch.arange(len(start), device=start.device)
        self.states = start.new_zeros(len(start), self.policy.steps + 1, *start.shape[1:])
        self.states[:, 0] = start
        self.logp = torch.zeros(len(start), self.policy.steps, dtype=torch.float64, device=start.device)
        self.mask = torch.zeros(self.logp.shape, dtype=torch.bool, device=start.device)
        self.ahead: Ahead | None = None
        self.worth = self.log_weight = self.logp.new_zeros(len(start))
        if guided.weighs:
            values, self.ahead = guided.value(self._halfway(start, 0, 1))
            self.worth = self.log_weight = self._scaled(values)

    def step(self, k: int) -> None:
        """Draw candidates of every particle's next state, and keep one of them."""
        ahead = self.ahead or self._halfway(self.states[:, k], k, 1).look()[0]
        # what is not drawn at random cannot be chosen either
        count = self.guided.candidates if bool(ahead.stochastic.any()) else 1
        drawn = torch.stack([ahead.draw(ahead.noise(self.candidates[:, m], k)) for m in range(count)], dim=1)
        kept, self.ahead = torch.zeros_like(self.everyone), None
        if count > 1 or self.guided.weighs:
            values, onwards = self.guided.value(self._halfway(drawn.flatten(0, 1), k + 1, count))
            values = values.double().view(-1, count)
            kept = pick(weights_of(values, self.guided.alpha), _once(self.choices, k))
            self._weigh(values, kept)
            self.ahead = None if onwards is None else onwards[self.everyone * count + kept]
        self.states[:, k + 1] = drawn[self.everyone, kept]
        self.logp[:, k], self.mask[:, k] = ahead.log_prob(self.states[:, k + 1]), ahead.stochastic

    def renew(self, k: int) -> None:
        """Draw the particles of a group anew, if too few of them carry its weight."""
        weights = self.log_weight.view(-1, self.crowd).softmax(dim=1)
        poor = effective(weights) < self.guided.below * self.crowd
        if not bool(poor.any()):
            return
        taken = self._drawn(weights, self.crowd, k)
        taken = torch.where(poor.repeat_interleave(self.crowd), taken, self.everyone)
        self._take(taken)
        self.log_weight = torch.where(poor.repeat_interleave(self.crowd), 0, self.log_weight)

    def rollouts(self) -> Rollouts:
        """G rows of each group, drawn by their weights where weights are used at all."""
        if self.guided.weighs:
            weights = self.log_weight.view(-1, self.crowd).softmax(dim=1)
            self._take(self._drawn(weights, self.group, self.policy.steps))
        self.guided.spent.rows += len(self.rows)
        data = self.states[:, -1].contiguous()
        condition = self.condition.view(len(self.asked), self.crowd, *self.condition.shape[1:])
        condition = condition[:, : self.group].flatten(0, 1)
        trace = {"states": self.states, "condition": condition, "data": data, "key": self.rows}
        problems = tuple(problem for problem in self.asked for _ in range(self.group))
        return Rollouts(problems, self.group, self.policy.decode(data), trace, self.mask, self.logp)

    def _halfway(self, x: Shaped[Tensor, "M *S"], k: int, each: int) -> Halfway:
        """`each` states of every particle."""
        problems = [problem for problem in self.asked for _ in range(self.crowd * each)]
        condition = self.condition.repeat_interleave(each, dim=0)
        return Halfway(self.policy, problems, x, k, condition, self.guided.spent)

    def _scaled(self, values: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """v/α; so low where there is no value that the particle lives on only if all others have none either."""
        return (values.double() / max(self.guided.alpha, 1e-300)).nan_to_num(nan=-1e9)

    def _weigh(self, values: Float[Tensor, "B M"], kept: Int[Tensor, "B"]) -> None:
        """Multiply each weight with mean_m exp(v_m/α) / exp(v/α)."""
        scaled = self._scaled(values)
        mean = scaled.logsumexp(dim=1) - math.log(values.shape[1])
        self.log_weight = self.log_weight + mean - self.worth
        self.worth = scaled[self.everyone, kept]

    def _drawn(self, weights: Float[Tensor, "P B"], count: int, k: int) -> Int[Tensor, "C"]:
        """The numbers, among all particles, of `count` of each group."""
        u = _once(self.renewals, k)
        first = torch.arange(len(weights), device=weights.device) * self.crowd
        return (first[:, None] + systematic(weights, count, u)).flatten()

    def _take(self, taken: Int[Tensor, "C"]) -> None:
        """These particles, with all they have been through."""
        self.states, self.logp, self.mask = self.states[taken], self.logp[taken], self.mask[taken]
        self.worth = self.worth[taken]
        self.ahead = None if self.ahead is None else self.ahead[taken]


def _numbered(keys: Int[Tensor, "N"], what: str, count: int) -> Int[Tensor, "N C"]:
    """`count` keys for each key, the first of them itself."""
    table = [[key, *(hashed(key, what, number) for number in range(1, count))] for key in keys.tolist()]
    return torch.tensor(table, dtype=torch.int64, device=keys.device)


def _apart(keys: Int[Tensor, "N"], what: str) -> Int[Tensor, "N"]:
    """For each key one that is used for nothing else."""
    return torch.tensor([hashed(key, what) for key in keys.tolist()], dtype=torch.int64, device=keys.device)


def _once(keys: Int[Tensor, "N"], k: int) -> Float[Tensor, "N"]:
    """A uniform number for each key at step k."""
    return uniform(keys, torch.tensor([k], device=keys.device))[:, 0]


def best_of(policy: Sampler, reward: Reward, count: int) -> BestOf:
    """The best of `count` rollouts; 1 is the policy itself."""
    return BestOf(policy, reward, count)


def _foreseeing(policy: Sampler) -> Foresees:
    if not isinstance(policy, Foresees):
        raise UserError(f"{type(policy).__name__} predicts no sample on its way, so nothing can lead it: use best_of")
    return policy


def svdd(policy: Sampler, value: Value, *, alpha: float, candidates: int = 10) -> Guided:
    """Soft value-based decoding (arXiv:2408.08252, Algorithm 1): one of M candidates of each step by exp(v/α).

    With exact values and M -> ∞ it draws from the tilt p·exp(r/α)/Z, but for the start, which is not chosen (masks say
    nothing, and noise is forgotten, the more steps the more). One candidate, or α = ∞, is the policy. α = 0 takes the
    best candidate, as the authors' code does. A row costs about M times as much as the policy's.
    """
    return Guided(_foreseeing(policy), value, alpha, candidates=candidates)


def smc(policy: Sampler, value: Value, *, alpha: float, particles: int = 1, below: float = 1.0) -> Guided:
    """Sequential Monte Carlo with the same values: n·G particles for the G rows of a group, drawn anew by weights.

    Right in the limit of many particles in a group, whatever the values on the way; with n = 1 and G = 1 it is the
    policy. Rows that share an ancestor are alike.
    """
    return Guided(_foreseeing(policy), value, alpha, particles=particles, below=below)


def svdd_r(policy: Sampler, value: Value, *, alpha: float, candidates: int = 10, below: float = 1.0) -> Guided:
    """`svdd` whose rows are also drawn anew, within their group, by what their candidates were worth on the whole.

    One candidate is `smc`, and groups of one row are `svdd`.
    """
    return Guided(_foreseeing(policy), value, alpha, candidates=candidates, below=below)
