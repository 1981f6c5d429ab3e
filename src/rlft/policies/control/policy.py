"""Control policies: one small network, one decision per action or chunk of actions. Not diffusion or token policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int, Num
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rlft.cache import cached
from rlft.environments.acted import Blocks, starts_of
from rlft.environments.experts import demonstrations
from rlft.environments.play import Played, following, play
from rlft.environments.protocol import Discrete, Environment, Episode, Space
from rlft.models.mlp import MLP, Activation
from rlft.noise import branch_keys, hashed, row_keys
from rlft.policies.control.binned import Binned
from rlft.policies.control.critic import Judge
from rlft.policies.control.heads import Categorical, Differentiable, StateTanhGaussian, TanhGaussian
from rlft.policies.control.world import ForEnvironment
from rlft.policies.resume import copied, parents
from rlft.types import HasValue, Problem, Rollouts, UserError
from rlft.types.acting import Candidates

__all__ = ["Binned", "Categorical", "Control", "Deterministic", "StateTanhGaussian", "TanhGaussian"]

# Of the bases: a version to raise when their recipe changes, the demonstrations, and how many go into one step.
_BASE, _DEMONSTRATIONS, _BATCH = 1, 64, 16

MakeHead = Callable[[Space, int], nn.Module]


class Control(ForEnvironment):
    """A policy for an environment: observation -> tanh network -> distribution over the next `chunk` actions.

    A decision is one chunk of h actions executed open loop (h = 1: one action), and its log-probability the sum over
    the h·A numbers, less those an episode's end left unexecuted. A problem's `input` names the start state (an
    integer, see `tasks.starts`); all rows of a group start there, and only their actions and the world's gusts differ.

    trace, N rows, D decisions:
        observations [N D O]     what each decision saw
        actions      [N D h A]   pre-tanh u for a Box, integers for Discrete (A = 1) and for bins
        executed     [N D h]     which of the chunk's actions were taken
        clock        [N D]       the share of the horizon that had passed
        world        [N D]       the key of the world's own noise
    outputs: one `Episode` per row.

    Forward passes run in float64 whatever the weights are (see `models.mlp`); results have the weights' dtype.

    head     what makes the distribution: TanhGaussian for a Box and Categorical for Discrete unless given;
             StateTanhGaussian, Binned, or functools.partial(TanhGaussian, std=0.3), are others
    critic   a second network of the same size, and with it the capability `value`. Where a world cuts an episode off
             (truncated, not terminated), rows have what it expects of the last state in the column `beyond`, so that
             methods that read values take no cut for an end
    clock    the critic also sees the share of the horizon that has passed. Then the horizon is the task's own end
             (Pardo et al. 2018, arXiv:1712.00378, Sec. 3): nothing is earned after it, the value of a state falls as
             time runs out, and only cuts before it are bootstrapped. False makes the horizon a cut like any other
             (Sec. 4), as for a task that goes on for ever; discount then (gamma < 1), or values have no bound
    seed     of the weights
    activation  between the layers: tanh, or torch.relu as methods that learn from a buffer have it
    """

    def __init__(
        self,
        environment: Environment,
        *,
        head: MakeHead | None = None,
        width: int = 64,
        layers: int = 2,
        critic: bool = False,
        clock: bool = True,
        seed: int = 0,
        chunk: int = 1,
        activation: Activation = torch.tanh,
    ) -> None:
        super().__init__(environment, width, layers, chunk)
        self.clock = clock
        discrete = isinstance(environment.action, Discrete)
        self.head: Any = (head or (Categorical if discrete else TanhGaussian))(environment.action, chunk)
        hidden = [width] * layers
        self.actor = MLP([environment.observation_size, *hidden, self.head.inputs], seed, 0.01, activation)
        # Set here and not in the class, so that only a policy that has the head or the critic has the capability.
        if isinstance(self.head, Differentiable):
            self.candidates = self._candidates
            if not discrete:  # where there is nothing to follow a critic's gradient along
                self.centre = self._centre
        if critic:
            self.critic = MLP([environment.observation_size + clock, *hidden, 1], seed + 1, activation=activation)
            self.value, self.value_parameters = self._value, self.critic.parameters

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` episodes from the start of each problem."""
        return _play(self, self.head.draw, problems, group, seed)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """One forward pass over all decisions; 0 without gradient off the mask."""
        trace = rollouts.trace
        logp = self.head.log_prob(self.actor(trace["observations"].double()), trace["actions"])
        taken = torch.where(trace["executed"], logp, 0).sum(dim=-1)
        return torch.where(rollouts.mask, taken, 0).to(self.dtype)

    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """Rows, one per problem, whose decisions are the actions of `problem.lesson`.

        An answer is an `Episode`, or a mapping with `observations` [T or T+1, O] and `actions` [T, A]. `logp_old` is
        0: nobody knows what the demonstrator's was. Actions at a bound of the box are read as just inside it.
        """
        return _demonstrated(self, problems, seed)

    def resume(self, rollouts: Rollouts, at: Int[Tensor, "N"], group: int, seed: int) -> Rollouts:
        """`group` continuations of each row from its decision `at` on; see `types.Resumable`.

        The state is restored by playing the row's own actions from its start again, under its own world's noise, so
        it is exact; from `at` on both kinds of noise are the continuation's. UserError where that does not lead
        through what the row saw: a demonstration from another start, or one whose gusts nobody knows.
        """
        return _resumed(self, rollouts, at, group, seed)

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """Negative log-likelihood of each decision."""
        return -self.log_prob(rollouts)

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D *E"]:
        """The noise of these decisions of rows with these keys."""
        return self.head.noise(keys, decisions)

    def act(self, observation: Float[Tensor, "N O"], noise: Float[Tensor, "N *E"]) -> Num[Tensor, "N h A"]:
        """One decision in each state, in units of the space; as all below, in the dtype of the observation."""
        unit = self.head.unit(self.head.draw(self.actor(observation), noise.to(observation.dtype)))
        return unit.to(observation.dtype) if unit.is_floating_point() else unit

    def propose(self, observation: Float[Tensor, "B O"], n: int, generator: torch.Generator) -> Num[Tensor, "B n h A"]:
        """n draws in each state, or every action of a Discrete space."""
        return self.head.propose(self.actor(observation), n, generator)

    def imitation(
        self, observation: Float[Tensor, "B O"], action: Num[Tensor, "B h A"], generator: torch.Generator
    ) -> Float[Tensor, "B h"]:
        """Negative log-likelihood of each action; one at a bound of the box is read as just inside it."""
        return -self.head.log_prob(self.actor(observation), self.head.inside(action))

    def deterministic(self) -> Deterministic:
        """The policy to deploy: the same weights, without noise."""
        return Deterministic(self)

    @property
    def dtype(self) -> torch.dtype:
        return self.actor.biases[0].dtype

    @property
    def device(self) -> torch.device:
        return self.actor.biases[0].device

    def _candidates(self, observation: Float[Tensor, "B O"], n: int, generator: torch.Generator) -> Candidates:
        """n draws in each state, or every action of a Discrete space, with their densities."""
        return self.head.candidates(self.actor(observation), n, generator)

    def _centre(self, observation: Float[Tensor, "B O"]) -> Num[Tensor, "B h A"]:
        """The head's mode."""
        return self.head.unit(self.head.mode(self.actor(observation)))

    def _value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The critic's estimate of the reward from each decision to the episode's end; 0 off the mask."""
        return self._judge().of(rollouts).to(self.dtype)

    def _judge(self) -> Judge:
        return Judge(self.critic, self.clock, self.environment.horizon)


class Deterministic(nn.Module):
    """A `Control` that takes the head's mode at every decision. Nothing is drawn, so its rows have mask False."""

    def __init__(self, control: Control) -> None:
        super().__init__()
        self.control = control

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        mode = self.control.head.mode
        rollouts = _play(self.control, lambda outputs, noise: mode(outputs), problems, group, seed)
        return replace(rollouts, mask=torch.zeros_like(rollouts.mask), logp_old=torch.zeros_like(rollouts.logp_old))

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        return torch.zeros_like(rollouts.mask, dtype=self.control.dtype)


class _Player:
    """Acts for `play`, and remembers each decision and its log-probability."""

    def __init__(self, control: Control, choose: Callable[[Tensor, Tensor], Tensor], keys: Int[Tensor, "N"]) -> None:
        self.control, self.choose, self.keys = control, choose, keys
        shape = (len(keys), -(-control.environment.horizon // control.chunk), control.chunk)
        size, dtype = control.environment.action.size, control.head.dtype
        self.actions = torch.zeros(*shape, size, dtype=dtype, device=keys.device)
        self.logp = torch.zeros(shape, dtype=torch.float64, device=keys.device)
        self.noise = Blocks(keys)

    def __call__(self, observation: Float[Tensor, "n O"], rows: Int[Tensor, "n"], decision: int) -> Tensor:
        head = self.control.head
        outputs = self.control.actor(observation.double())
        chosen = self.choose(outputs, self.noise.at(head.noise, decision)[rows])
        self.actions[rows, decision] = chosen
        self.logp[rows, decision] = head.log_prob(outputs, chosen)
        return head.action(chosen)

    def rollouts(self, rows: Sequence[Problem], group: int, played: Played, world: Int[Tensor, "N _"]) -> Rollouts:
        """What was played, as rollouts whose every decision is on the mask."""
        decisions = -(-played.actions.shape[1] // self.control.chunk)
        seen = played.observations[:, :-1]
        trace = _trace(self.control, seen, self.actions[:, :decisions], played.length, world)
        logp = torch.where(trace["executed"], self.logp[:, :decisions], 0).sum(dim=-1)
        mask = trace["executed"][..., 0]
        made = Rollouts(tuple(rows), group, played.episodes(), trace, mask, logp.to(self.control.dtype))
        if not isinstance(self.control, HasValue):
            return made
        return made.fill(beyond=self.control._judge().beyond(played, decisions).to(made.logp_old))


@torch.no_grad()
def _play(
    control: Control, choose: Callable[[Tensor, Tensor], Tensor], problems: Sequence[Problem], group: int, seed: int
) -> Rollouts:
    """Rollouts of the control's network with actions chosen from (outputs, noise)."""
    rows = tuple(problem for problem in problems for _ in range(group))
    player = _Player(control, choose, row_keys(problems, group, seed, control.device))
    world = player.keys[:, None].expand(player.logp.shape[:2])
    played = play(control.environment, starts_of(rows, control.device), world, player, control.chunk)
    return player.rollouts(rows, group, played, world)


@torch.no_grad()
def _resumed(control: Control, rollouts: Rollouts, at: Int[Tensor, "N"], group: int, seed: int) -> Rollouts:
    """The rows played again up to `at`, and from there on by the control."""
    length = rollouts.trace["executed"][..., 0].sum(dim=1)
    rows, cut = parents(rollouts, at, length, group)
    player = _Player(control, control.head.draw, branch_keys(rollouts.problems, at, group, seed, control.device))
    world = copied(player.keys[:, None].expand(player.logp.shape[:2]), rows.trace["world"], cut)
    taken = torch.zeros_like(player.actions, dtype=control.environment.action.dtype)
    for steps, episode in zip(taken.flatten(1, 2), rows.outputs, strict=True):
        steps[: len(episode.actions)] = episode.actions[: len(steps)].to(steps)
    act = following(taken, cut, player)
    played = play(control.environment, starts_of(rows.problems, control.device), world, act, control.chunk)
    _check_replay(rows, played, cut)
    made = player.rollouts(rows.problems, group, played, world)
    own = torch.arange(made.mask.shape[1], device=cut.device) >= cut[:, None]
    trace = {name: copied(column, rows.trace[name], cut) for name, column in made.trace.items()}
    return replace(made, trace=trace, mask=made.mask & own)


def _check_replay(rows: Rollouts, played: Played, at: Int[Tensor, "N"]) -> None:
    """Whether the actions before `at` led through what the rows saw, to the precision of recorded data."""
    for i, episode in enumerate(rows.outputs):
        steps = min(int(at[i]) * played.chunk, len(episode.actions))
        seen = episode.observations[: steps + 1].to(played.observations)
        again = played.observations[i, : len(seen)]
        # a chunk that the row's end cut short can only be played again if the world ends there too
        ended = steps == int(at[i]) * played.chunk or int(played.length[i]) == steps
        if int(played.length[i]) < steps or not ended or not torch.allclose(again, seen, rtol=1e-4, atol=1e-4):
            raise UserError(
                f"row {i} cannot be resumed: its actions, played from the start of problem {rows.problems[i].index}, "
                "do not lead where they did; is it a demonstration from another start, or from a world with noise?"
            )


def _trace(
    control: Control,
    observations: Float[Tensor, "N T O"],
    actions: Num[Tensor, "N D h A"],
    length: Int[Tensor, "N"],
    world: Int[Tensor, "N _"],
) -> dict[str, Tensor]:
    """What `log_prob` and `value` read, from episodes padded to T steps and D = ceil(T / h) decisions."""
    decisions, h = actions.shape[1:3]
    steps = torch.arange(decisions * h, device=length.device).view(decisions, h)
    executed = steps < length[:, None, None]
    return {
        "observations": torch.where(executed[..., :1], observations[:, ::h], 0),
        "actions": actions,
        "executed": executed,
        "clock": (steps[:, 0].double() / control.environment.horizon).repeat(len(length), 1),
        "world": world[:, :decisions].clone(),
    }


def _demonstrated(control: Control, problems: Sequence[Problem], seed: int) -> Rollouts:
    h, device = control.chunk, control.device
    episodes = [replace(_as_episode(problem, control.environment), chunk=h) for problem in problems]
    length = torch.tensor([len(episode.actions) for episode in episodes], device=device)
    decisions = -(-int(length.max()) // h)
    space = control.environment.action
    seen = torch.zeros(len(episodes), decisions * h, control.environment.observation_size).double().to(device)
    done = torch.zeros(len(episodes), decisions * h, space.size, dtype=space.dtype, device=device)
    for i, episode in enumerate(episodes):
        seen[i, : length[i]] = episode.observations[: length[i]].to(seen)
        done[i, : length[i]] = episode.actions.to(done)
    world = row_keys(problems, 1, seed, device)[:, None].expand(-1, decisions)
    trace = _trace(control, seen, control.head.decision(done.unflatten(1, (decisions, h))), length, world)
    mask = trace["executed"][..., 0]
    made = Rollouts(tuple(problems), 1, episodes, trace, mask, mask.to(control.dtype) * 0)
    return made.fill(beyond=torch.full_like(made.logp_old, torch.nan)) if isinstance(control, HasValue) else made


def _as_episode(problem: Problem, environment: Environment) -> Episode:
    """The problem's answer, from an Episode or a mapping of two arrays, if it fits the environment."""
    answer, space = problem.lesson, environment.action
    if isinstance(answer, Mapping) and {"observations", "actions"} <= set(answer):
        actions = torch.as_tensor(answer["actions"])
        seen = torch.as_tensor(answer["observations"]).double()
        answer = Episode(seen, actions, torch.zeros(len(actions)), terminated=False, truncated=True)
    if not isinstance(answer, Episode) or not 0 < len(answer.actions) <= len(answer.observations):
        raise UserError(
            f"problem {problem.index} has no demonstration: its answer is {answer!r:.80}, expected an Episode or a "
            "mapping with observations [T or T+1, O] and actions [T, A], T > 0"
        )
    given = (*answer.observations.shape[1:], *answer.actions.shape[1:])
    if given != (environment.observation_size, space.size):
        raise UserError(
            f"demonstration {problem.index} has observations and actions of {given} numbers; {environment.name} has "
            f"{environment.observation_size} and {space.size}"
        )
    if isinstance(space, Discrete) and not 0 <= int(answer.actions.min()) <= int(answer.actions.max()) < space.n:
        raise UserError(f"demonstration {problem.index} has actions outside 0 … {space.n - 1}")
    return answer


def base(environment: Environment, steps: int, seed: int = 0, *, critic: bool = False, chunk: int = 1) -> Control:
    """A policy that has begun to imitate the scripted expert, for reinforcement learning to go on from.

    `steps` of Adam on the likelihood of 64 clumsy demonstrations. Few leave it poor, many make it the expert: PointMass
    reaches its goal from 0.3 of the starts after 40 steps, and from all of them after 400; with discrete actions it
    takes 100 steps, and Pendulum 450 (mean return -900; random -1200, expert -160). Built once, in less than a second
    (Pendulum: seven) of CPU, and cached. A critic is untrained.
    """
    name = f"control/{environment.name}-{hashed(_BASE, environment, steps, seed, chunk):x}.safetensors"

    def build() -> dict[str, Tensor]:
        control = Control(environment, seed=seed, chunk=chunk)
        _imitate(control, demonstrations(environment, _DEMONSTRATIONS, seed, clumsy=0.2), steps)
        return control.state_dict()

    weights = cached(name, build, save_file, load_file)
    control = Control(environment, critic=critic, seed=seed, chunk=chunk)
    control.load_state_dict(weights, strict=not critic)
    return control


def _imitate(control: Control, episodes: Sequence[Episode], steps: int) -> None:
    problems = [Problem(index=i, input=0, answer=episode) for i, episode in enumerate(episodes)]
    rows = control.demonstrate(problems, seed=0)
    optimizer = torch.optim.Adam(control.parameters(), lr=1e-3)
    for step in range(steps):
        batch = rows[[(step * _BATCH + i) % len(rows) for i in range(_BATCH)]]
        optimizer.zero_grad()
        (control.loss_on(batch).sum() / batch.mask.sum()).backward()
        optimizer.step()
