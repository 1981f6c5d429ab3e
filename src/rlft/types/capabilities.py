"""What a policy can do: two methods make one, each further capability is a small protocol. Implements none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.types.rows import Problem, Rollouts


@runtime_checkable
class Sampler(Protocol):
    """Whatever draws rollouts."""

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rollouts for each problem. A row's noise depends on the seed, its problem and its number in the
        group, never on its neighbours."""
        ...


@runtime_checkable
class Policy(Sampler, Protocol):
    """The policy can say how likely each of its decisions was; if it cannot, use a method of `rlft.offpolicy` (pa_rl).

    It is an `nn.Module` with two more methods.
    """

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The log-probability of each decision, differentiable; 0 without gradient off the mask."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[torch.nn.Parameter]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@runtime_checkable
class HasValue(Protocol):
    """The policy has a critic: build it with one (`critic=True`), or use a method with group baselines (rloo, grpo)."""

    def value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The expected reward from each decision on, seen before that decision; differentiable."""
        ...

    def value_parameters(self) -> Iterable[torch.nn.Parameter]:
        """The critic's own parameters; none, if the policy was built without one."""
        ...


@runtime_checkable
class HasStates(Protocol):
    """The policy shows the states it decides from: a language policy of its own, not one that talks to others."""

    def states(self, rollouts: Rollouts) -> Float[Tensor, "N D H"]:
        """The state from which each decision was made, which knows those before it; differentiable, 0 off the mask."""
        ...


@runtime_checkable
class Checking(Protocol):
    """The policy can be asked in words, and says beforehand what it cannot read: a language policy."""

    def check(self, problems: Iterable[Problem]) -> None:
        """`UserError` for the first problem that could not be sampled."""
        ...


@runtime_checkable
class Teachable(Protocol):
    """The policy learns from demonstrations; if it cannot, use a method that learns from rewards alone."""

    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """Rows whose decisions are those of the problems' answers."""
        ...

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The family's own supervised loss of each decision: negative log-likelihood, denoising error."""
        ...


@runtime_checkable
class HasTeacher(Protocol):
    """The policy has a teacher: --teacher, in Python `policies.composed.taught.Taught`; else use sft, or a reward."""

    def distance(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """KL(policy || teacher) of each decision over all that might have been decided there, exact, in nats; the
        gradient is the policy's alone; 0 off the mask."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """The policy can go on from the middle of a row; if it cannot, use a method that starts rows at their problem."""

    def resume(self, rollouts: Rollouts, at: Int[Tensor, "N"], group: int, seed: int) -> Rollouts:
        """`group` continuations of each row from its decision `at` on: N·group rows, group-major.

        What was decided before `at` is the row's own, copied, and not on the mask; `outputs` are whole. The noise of
        a continuation is that of `noise.branch_keys`. `at` lies between 0, a new row of the problem, and the row's
        number of decisions, where nothing is left to decide.
        """
        ...


@runtime_checkable
class Pathwise(Protocol):
    """The policy can be differentiated through what it draws: diffusion, a flow, a pipeline; else use grpo or rloo."""

    def redrawn(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Any:
        """The rows' outputs with a graph of their decisions from `since` (0 to D) on, made with the same noise.

        In value they are what was drawn, as long as the weights are; what was decided before is given.
        """
        ...

    def foreseen(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Any:
        """The outputs that are predicted at once before decision `since` (0 to D - 1), with a graph of that."""
        ...

    def noised_again(self, rollouts: Rollouts, copies: int) -> Rollouts:
        """`copies` rows of each, one after the other, with new noise before the last decision."""
        ...

    def predicted(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Float[Tensor, "N D *S"]:
        """What the network says before each decision from `since` on, 0 before, at the states that were visited: the
        velocity of a flow."""
        ...


@runtime_checkable
class Denoising(Protocol):
    """The policy tells data from noise that is put on it: diffusion, a flow, a pipeline; else use grpo or rloo."""

    def denoised(self, rollouts: Rollouts, at: Int[Tensor, "N L"]) -> Float[Tensor, "N L *S"]:
        """What the network takes a row's own sample for, once it has been noised anew to the levels before the steps
        `at` (0 to D - 1), with a graph. The noise is the row's and the place's, the same at every call.

        The samples themselves are `trace["data"]`, [N *S].
        """
        ...


@runtime_checkable
class Displaced(Protocol):
    """The policy decides by Gaussian steps whose noise is known: diffusion, a flow, a pipeline; else use grpo."""

    def displaced(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """mean z·(μ - μ_old) over the numbers of a step, in float64, z its noise and μ_old the mean it was drawn from;
        0 off the mask, and at the weights that drew it up to rounding."""
        ...

    def spans(self) -> Float[Tensor, "D"]:
        """How much of the noise each step takes away, σ before it less σ after it: dt of a rectified flow."""
        ...


@runtime_checkable
class Exchanging(Protocol):
    """The policy is a pair that can exchange roles: build a `policies.composed.pair.Pair`, or use ppo for one alone."""

    @property
    def members(self) -> Sequence[Policy]:
        """The two policies, each with weights of its own; always in this order, whoever acts first."""
        ...

    def own(self, member: int, rollouts: Rollouts) -> Rollouts:
        """The rows as this member decided them: its own trace, decisions and columns, for it to score."""
        ...

    def exchange(self) -> None:
        """Who acted first acts second from the next sample on. Rows that are drawn already keep their roles."""
        ...


@runtime_checkable
class Writing(Protocol):
    """The policy can say which of its decisions wrote what: a language policy, whose outputs are texts."""

    def placed(self, output: Any, characters: Sequence[int]) -> list[int]:
        """How many of a row's decisions were made before each of these characters of its output.

        A decision that wrote characters on both sides counts to what follows. What is not shown, such as the end of a
        row, belongs to what stands before it; no decision was made before character 0.
        """
        ...


@runtime_checkable
class Packing(Protocol):
    """The policy knows how long its rows are; if it does not, give `rows` to a forward pass, and no `budget`."""

    def packed(self, rollouts: Rollouts, budget: int, together: bool) -> list[list[int]]:
        """All rows, each once, in forward passes that read at most `budget` tokens, or one row that has more.

        With `together` no group is split, and a whole one may have more.
        """
        ...


@runtime_checkable
class HasReference(Protocol):
    """The policy can lend its own starting point, as an adapter's base can, so that no second copy is held."""

    def reference(self) -> Policy:
        """The policy as it was before training, without gradient."""
        ...


@runtime_checkable
class Showable(Protocol):
    """The policy can say how one of its outputs is to be drawn in a report."""

    def show(self, output: Any) -> dict[str, Any]:
        """Plain values with a `kind`: `text`, `conversation`, `image`, `points` …; see `rlft.report.files`."""
        ...


@runtime_checkable
class Illustrating(Protocol):
    """The policy can say how a problem is to be drawn in a report, where it shows something."""

    def illustrate(self, problem: Problem) -> dict[str, Any]:
        """`input` as plain values and `shown`, pictures as data URIs, see `rlft.report.seen`; {} if it is text."""
        ...


@runtime_checkable
class Savable(Protocol):
    """The policy can be saved as others load it (a Hugging Face folder, a file of weights)."""

    def save(self, folder: Path) -> None:
        """Write the trained model into a new folder."""
        ...


def actor_parameters(policy: Policy) -> list[torch.nn.Parameter]:
    """All trainable parameters but the critic's own."""
    critic = {id(p) for p in policy.value_parameters()} if isinstance(policy, HasValue) else set()
    return [p for p in policy.parameters() if p.requires_grad and id(p) not in critic]


def critic_parameters(policy: HasValue) -> list[torch.nn.Parameter]:
    """The critic's own parameters."""
    return list(policy.value_parameters())


def untrained(policy: Policy) -> set[str]:
    """The names of the weights without gradient, which no step changes."""
    named = cast(torch.nn.Module, policy).named_parameters(remove_duplicate=False)
    return {name for name, weight in named if not weight.requires_grad}
