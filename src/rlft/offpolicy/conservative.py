"""Terms that keep critics from believing in actions nobody took. No targets, no policies' losses.

E members, B states, n candidates in each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Num
from torch import Tensor

from rlft.environments.protocol import Box, Discrete, Space
from rlft.offpolicy.buffer import Batch
from rlft.offpolicy.method import Agent
from rlft.types.acting import Candidates

Judge = Callable[[Tensor, Tensor], Tensor]
"""`(Q [E B n] of the policy's own actions, returns [B]) -> [E B n]`, what is pushed down."""


def anywhere(space: Space, chunk: int, like: Float[Tensor, "B _"], n: int, generator: torch.Generator) -> Candidates:
    """n decisions drawn uniformly in each state, or a list of all actions of a Discrete space."""
    match space:
        case Discrete():
            action = torch.arange(space.n, device=like.device).expand(len(like), -1)[..., None, None]
            density = torch.full_like(action[..., 0, 0], -math.log(space.n), dtype=like.dtype)
            return Candidates(action, density, density)
        case Box():
            drawn = torch.rand((len(like), n, chunk, space.size), generator=generator, dtype=like.dtype)
            density = like.new_full((len(like), n), -chunk * space.size * math.log(2))
            return Candidates(2 * drawn.to(like.device) - 1, density, torch.full_like(density, -math.log(n)))


def conservative(
    q: Float[Tensor, "E B n"], log_volume: Float[Tensor, "B n"], data: Float[Tensor, "E B"], temperature: float = 1.0
) -> Float[Tensor, "E B"]:
    """CQL(H) (arXiv:2006.04779, Eq. 4): T log ∫ exp(Q/T) - Q(data), with the integral Σ_n volume exp(Q/T).

    With the data's own actions as the only candidates, of volume 1/n each, it is 0 and has no gradient.
    """
    return temperature * torch.logsumexp(q / temperature + log_volume, dim=-1) - data


def calibrated(q: Float[Tensor, "E B n"], returns: Float[Tensor, "B"]) -> Float[Tensor, "E B n"]:
    """max(Q, R) (Cal-QL, arXiv:2303.05479, Eq. 6): a value below a return that was earned is not pushed down further.

    With returns of -inf it is Q, and the method CQL.
    """
    return torch.maximum(q, returns[:, None])


def as_they_are(q: Float[Tensor, "E B n"], returns: Float[Tensor, "B"]) -> Float[Tensor, "E B n"]:
    """Q itself: CQL."""
    return q


def gap_of(
    agent: Agent,
    batch: Batch,
    data: Float[Tensor, "E B"],
    ahead: Candidates,
    n: int,
    own: Judge,
    generator: torch.Generator,
) -> Float[Tensor, "E B"]:
    """The conservative term of each state, from three kinds of candidates in equal parts: uniform, of π(s), of π(s').

    ahead   of π(s'), judged in s as the others are
    own     what the values of the policy's own two kinds count as
    """
    observation = batch.observation
    with torch.no_grad():
        here = agent.policy.candidates(observation, n, generator)
        kinds = (anywhere(agent.space, agent.policy.chunk, observation, n, generator), here, ahead)
        volume = torch.cat([kind.log_volume for kind in kinds], dim=1) - math.log(len(kinds))
        action = torch.cat([kind.action for kind in kinds], dim=1)
    return conservative(_judged(agent, batch, action, kinds[0].action.shape[1], own), volume, data)


def gap_among(
    agent: Agent,
    batch: Batch,
    data: Float[Tensor, "E B"],
    proposed: Num[Tensor, "B m h A"],
    n: int,
    own: Judge,
    generator: torch.Generator,
) -> Float[Tensor, "E B"]:
    """The conservative term of each state from n uniform candidates and m of a policy whose density nobody knows.

    T log mean exp Q - Q(data): all candidates count alike, as in CQL without importance weights.
    """
    uniform = anywhere(agent.space, agent.policy.chunk, batch.observation, n, generator).action
    action = torch.cat([uniform, proposed.to(uniform)], dim=1)
    volume = data.new_full(action.shape[:2], -math.log(action.shape[1]))
    return conservative(_judged(agent, batch, action, uniform.shape[1], own), volume, data)


def gap_to(
    agent: Agent, batch: Batch, data: Float[Tensor, "E B"], action: Float[Tensor, "B h A"], own: Judge
) -> Float[Tensor, "E B"]:
    """own(Q(s, π(s)), R(s)) - Q(s, a): the conservative term of a policy that is one action in each state.

    It is `gap_among` of that one candidate and no uniform ones.
    """
    q = agent.q(batch.observation, action.detach())
    return own(q[..., None], batch.returns)[..., 0] - data


def _judged(agent: Agent, batch: Batch, action: Tensor, uniform: int, own: Judge) -> Float[Tensor, "E B m"]:
    """What is pushed down: values of the first candidates, which are uniform, as they are."""
    q = agent.q.of(batch.observation, action)
    return torch.cat([q[..., :uniform], own(q[..., uniform:], batch.returns)], dim=-1)
