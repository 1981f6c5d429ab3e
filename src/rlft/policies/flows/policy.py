"""A flow policy whose chunks of actions have likelihoods: π_RL's Flow-SDE and Flow-Noise (Chen et al. 2025,
arXiv:2510.25889), ReinFlow (arXiv:2505.22094). Not image flows, and not `control.flow.Flow`, which has none.

Two processes in one: the environment goes from decision to decision, and in each of them a chunk is denoised in K
steps. Credit is the outer one's: a decision is a chunk, with one log-probability, one reward, one value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.environments.acted import Acted, Blocks, starts_of
from rlft.environments.play import Played, play
from rlft.environments.protocol import Box, Environment
from rlft.models.mlp import MLP
from rlft.models.schedules import VELOCITY, RectifiedFlow
from rlft.noise import START, normal, row_keys, uniform
from rlft.policies.control.critic import Judge
from rlft.policies.control.world import ForEnvironment
from rlft.policies.flows.velocity import HasVelocity
from rlft.policies.stepwise.noise_rules import NoiseRule, flow_sde, ode
from rlft.policies.stepwise.stepwise import Gaussian
from rlft.types import HasValue, Problem, Rollouts, UserError

Noisy = Literal["every", "one"]
"""Which of a decision's denoising steps are drawn with the rule's noise: every one, or one that is chosen at random
while the others follow the ODE (π_RL's hybrid)."""


class FlowPolicy(ForEnvironment):
    """A policy of `steps` denoising steps for each chunk of actions, whose drawn steps are Gaussians.

        x_1 ~ N(0, I),   x_t' ~ N(w0 x̂0 + w1 x̂1, s²),   a = clip(x_0, ±1)
        log p(chunk) = Σ_(noisy steps) Σ_(h A) log N(x_t'; …)

    with x̂0, x̂1 of the velocity and (w0, w1, s) of `noise_rules`. It is the likelihood of the chain of denoising, which
    is what was drawn; that of the chunk alone is not known. x_1 has no parameters and is left out, as are numbers of
    a chunk that an episode's end cut off only as actions: in the chain they are drawn all the same. A problem's `input`
    names the start state (see `tasks.starts`).

    trace, N rows, D decisions, K denoising steps:
        observations [N D O]         what each decision saw
        states       [N D K+1 h A]   the chain, from noise to actions, float64
        noisy        [N D K]         which steps were drawn with noise: those are scored
        clock        [N D]           the share of the horizon that had passed
    outputs: one `Episode` per row. With rule `ode()` nothing is on the mask.

    net     what has the velocity: `control.flow.Flow`, or another library's in `velocity.Foreign`
    steps   K
    rule    how a noisy step is taken: `flow_sde(0.5)`, or `flow_noise(NoiseNet(…))`, whose net is trained too
    noisy   which steps are; with "one" only that step is scored, with one pass of the net in place of K
    critic  a network of the observation, and of the clock if that is True; see `control.policy.Control`
    width   and `layers`, `seed`: the critic's
    """

    def __init__(
        self,
        environment: Environment,
        net: HasVelocity,
        *,
        steps: int = 4,
        rule: NoiseRule | None = None,
        noisy: Noisy = "every",
        critic: bool = False,
        clock: bool = True,
        width: int = 64,
        layers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(environment, width, layers, net.chunk)
        if not isinstance(environment.action, Box):
            raise UserError(f"a flow needs a Box of actions, not {environment.action}")
        if noisy not in ("every", "one"):
            raise UserError(f"noisy={noisy!r}: 'every' denoising step, or 'one' of each decision")
        self.net, self.steps, self.rule = net, steps, rule or flow_sde(0.5)
        self.noisy: Noisy = noisy
        self.shape = (net.chunk, environment.action.size)
        self.times = RectifiedFlow().times(steps)
        self._check()
        self.clock = clock
        if critic:
            size = environment.observation_size + clock
            self.critic = MLP([size, *[width] * layers, 1], seed + 1)
            # Set here and not in the class, so that only a policy with a critic has the capability.
            self.value, self.value_parameters = self._value, self.critic.parameters

    def _check(self) -> None:
        k = torch.arange(self.steps, device=self.device)
        seen = torch.zeros(self.steps, self.environment.observation_size, dtype=torch.float64, device=self.device)
        x = seen.new_zeros(self.steps, *self.shape)
        with torch.no_grad():
            said = self.net.velocity(seen, x, self.times[:-1].to(x))
            if said.shape != x.shape:
                raise UserError(
                    f"velocity(observation {list(seen.shape)}, actions {list(x.shape)}, t [{self.steps}]) gave "
                    f"{list(said.shape)}; it should have the shape of the actions"
                )
            self.ahead(seen, x, k, torch.ones_like(k).bool())  # whether the rule can take every step

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters(), torch.zeros(())).device

    def ahead(
        self,
        observation: Float[Tensor, "M O"],
        x: Float[Tensor, "M h A"],
        k: Int[Tensor, "M"],
        noisy: Bool[Tensor, "M"],
    ) -> Gaussian:
        """How denoising step k leads on from x in these states; of std 0 where it is not noisy."""
        times, schedule = self.times.to(x.device), RectifiedFlow()
        t, after = times[k], times[k + 1]
        share = t[:, None, None]
        x0, x1 = VELOCITY.estimates(x, self.net.velocity(observation, x, t), 1 - share, share)
        drawn, plain = self.rule(schedule, t, after, x, observation), ode()(schedule, t, after)
        w0, w1, s = (
            torch.where(noisy[:, None, None], _wide(one), _wide(other)) for one, other in zip(drawn, plain, strict=True)
        )
        return Gaussian(w0 * x0 + w1 * x1, s.expand_as(x), 1.0)

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` episodes from the start of each problem."""
        rows = tuple(problem for problem in problems for _ in range(group))
        player = _Player(self, row_keys(problems, group, seed, self.device))
        played = play(self.environment, starts_of(rows, self.device), player.keys, player, self.chunk)
        return player.rollouts(rows, group, played)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """Of each chunk on the mask, float64; one pass of the net for each of its noisy steps, 0 off the mask."""
        trace = rollouts.trace
        rows, decisions, steps = (rollouts.mask[..., None] & trace["noisy"]).nonzero(as_tuple=True)
        here, there = (trace["states"][rows, decisions, steps + i] for i in (0, 1))
        ahead = self.ahead(trace["observations"][rows, decisions], here, steps, torch.ones_like(rows).bool())
        logp = ahead.log_prob(there)
        return logp.new_zeros(trace["noisy"].shape).index_put((rows, decisions, steps), logp).sum(dim=-1)

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D h A"]:
        """Where `act` starts, for these decisions of rows with these keys: there `sample` starts, too."""
        return normal(keys, decisions, self.shape)

    def act(self, observation: Float[Tensor, "N O"], noise: Float[Tensor, "N h A"]) -> Float[Tensor, "N h A"]:
        """The ODE's chunk in each state, in units of the space: nothing is drawn but where it starts."""
        x, nowhere = noise.to(observation), torch.zeros(len(noise), dtype=torch.bool, device=noise.device)
        for k in range(self.steps):
            x = self.ahead(observation, x, torch.full_like(nowhere, k, dtype=torch.long), nowhere).mean
        return x.clamp(-1, 1)

    def deployed(self) -> Acted:
        """The policy at test: the ODE, without the rule and its net. It samples, and its rows are off the mask."""
        return Acted(self, self.environment, self.device)

    def _value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The critic's estimate of the reward from each decision to the episode's end; 0 off the mask."""
        return self._judge().of(rollouts)

    def _judge(self) -> Judge:
        return Judge(self.critic, self.clock, self.environment.horizon)


class _Player:
    """Denoises for `play`, and remembers each chain and the log-probability of its steps."""

    def __init__(self, policy: FlowPolicy, keys: Int[Tensor, "N"]) -> None:
        self.policy, self.keys = policy, keys
        decisions = -(-policy.environment.horizon // policy.chunk)
        steps, like = policy.steps, {"dtype": torch.float64, "device": keys.device}
        self.states = torch.zeros(len(keys), decisions, steps + 1, *policy.shape, **like)
        self.logp = torch.zeros(len(keys), decisions, steps, **like)
        self.noisy = torch.zeros_like(self.logp, dtype=torch.bool)
        self.chances, self.places = Blocks(keys), Blocks(keys)

    def __call__(self, observation: Float[Tensor, "n O"], rows: Int[Tensor, "n"], decision: int) -> Tensor:
        policy, seen = self.policy, observation.double()
        z = self.chances.at(self._normal, decision)[rows]
        place = (self.places.at(_place, decision)[rows] * policy.steps).long()
        x = self.states[rows, decision, 0] = z[:, 0]
        for k in range(policy.steps):
            chosen = torch.ones_like(place, dtype=torch.bool) if policy.noisy == "every" else place == k
            ahead = policy.ahead(seen, x, torch.full_like(rows, k), chosen)
            x = ahead.draw(z[:, k + 1])
            self.states[rows, decision, k + 1], self.noisy[rows, decision, k] = x, ahead.stochastic
            self.logp[rows, decision, k] = ahead.log_prob(x)
        return policy.environment.action.stretch(x.clamp(-1, 1))

    def _normal(self, keys: Tensor, decisions: Tensor) -> Float[Tensor, "N D _ h A"]:
        return normal(keys, decisions, (self.policy.steps + 1, *self.policy.shape))

    def rollouts(self, rows: Sequence[Problem], group: int, played: Played) -> Rollouts:
        """What was played, as rollouts whose every decision with a noisy step is on the mask."""
        chunk, horizon = played.chunk, self.policy.environment.horizon
        decisions = -(-played.actions.shape[1] // chunk)
        first = chunk * torch.arange(decisions, device=self.keys.device)
        happened = first < played.length[:, None]
        noisy = self.noisy[:, :decisions]
        trace = {
            "observations": torch.where(happened[..., None], played.observations[:, :-1][:, ::chunk], 0),
            "states": self.states[:, :decisions],
            "noisy": noisy,
            "clock": (first.double() / horizon).repeat(len(rows), 1),
        }
        mask, logp = happened & noisy.any(dim=-1), self.logp[:, :decisions].sum(dim=-1)
        made = Rollouts(tuple(rows), group, played.episodes(), trace, mask, torch.where(mask, logp, 0))
        if not isinstance(self.policy, HasValue):
            return made
        return made.fill(beyond=self.policy._judge().beyond(played, decisions))


def _wide(weight: Tensor) -> Tensor:
    """A number for each row, or one for each of the chunk's, as something that multiplies chunks."""
    return weight.view(-1, 1, 1) if weight.dim() == 1 else weight


def _place(keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D"]:
    """Where among a decision's steps a noisy one stands, in (0, 1); apart from the noise itself."""
    return uniform(keys, decisions, START)
