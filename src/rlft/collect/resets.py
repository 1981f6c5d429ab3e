"""Dataset resets: groups that start inside a demonstration and go on as the policy would. Nothing here imitates."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from rlft.collect.sources import one_batch
from rlft.noise import hashed, row_keys, uniform
from rlft.types import Collect, Rollouts, Source, UserError


def resets(share: float) -> Collect:
    """A fixed share of each step's problems starts from a state of its demonstration (arXiv:2404.08495, Alg. 1).

    round(share·P) problems are demonstrated, each demonstration is cut after h decisions, uniform on 1 … length - 1,
    and all G rows of the group go on from there: what stands before is off the mask and has neither gradient nor
    credit. The other problems are drawn from their start. The cut belongs to (seed, problem, visit). A demonstration of
    one decision has no inside: its rows start at the problem.

    share=0 is `one_batch`, draw for draw, and asks nothing of the policy. Notes `groups/reset`, how many were. Raises
    `UserError` where the two kinds of groups cannot be shared over the processes.
    """
    if not 0 <= share <= 1:
        raise UserError(f"share must lie between 0, no resets, and 1, resets only; got {share}")

    def collect(source: Source) -> Rollouts:
        count = round(share * source.prompts)
        source.notes["groups/reset"] = count
        if not count:
            return one_batch(source)
        _check(count, source.prompts - count, source.runtime.world)
        taught = source.demonstrate(count)
        reset = source.resume(taught, cuts(taught, source.seed), source.group)
        if count == source.prompts:
            return reset
        drawn = source.draw(source.prompts - count)
        return Rollouts.concat([reset, drawn.place(drawn.position + count * source.group)])

    return collect


def cuts(taught: Rollouts, seed: int) -> Int[Tensor, "N"]:
    """A place inside each demonstration, uniform on 1 … length - 1; 0 where there is none."""
    length = taught.mask.sum(1)
    u = uniform(row_keys(taught.problems, 1, hashed("cut", seed), length.device), 1)[:, 0]
    return (1 + (u * (length - 1)).long()).clamp(max=length - 1)


def _check(reset: int, drawn: int, world: int) -> None:
    if reset < world or 0 < drawn < world:
        raise UserError(
            f"{reset} groups that are reset and {drawn} that are not cannot be shared over {world} processes: "
            "raise prompts, or change share"
        )
