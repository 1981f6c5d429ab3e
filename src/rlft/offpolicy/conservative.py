"""Terms that keep critics from believing in actions nobody took. Pure functions of critics' values.

E members, B states, n candidates in each.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.acting import Candidates
from rlft.environments.protocol import Discrete, Space


def uniform_candidates(space: Space, chunk: int, like: Float[Tensor, "B _"], n: int, generator: torch.Generator):
    """n decisions drawn uniformly in each state, or a list of all actions of a Discrete space."""
    rows = len(like)
    if isinstance(space, Discrete):
        action = torch.arange(space.n, device=like.device).expand(rows, -1)[..., None, None]
        flat = like.new_zeros(rows, space.n)
        return Candidates(action, flat - torch.tensor(float(space.n)).log(), flat - torch.tensor(float(space.n)).log())
    drawn = torch.rand((rows, n, chunk, space.size), generator=generator, dtype=like.dtype).to(like.device)
    flat = like.new_zeros(rows, n)
    density = -chunk * space.size * torch.tensor(2.0).log()
    return Candidates(2 * drawn - 1, flat + density, flat - torch.tensor(float(n)).log())


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
