"""The sums of `rlft.worlds.sums`, by a model whose weights are watched: what has moved, which part, and what turned.

Measured is every matrix of the layers against what it was at the start, and against what another run made of it. The
start can be one with other weights and the same function, in which some layers' values are turned; training can be
kept to some of the entries; and noise instead of training shows what the measures say of a change without a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from rlft.measure import weights
from rlft.measure.moved import Looking, moved, together
from rlft.models.turned import turn_values
from rlft.policies.language.policy import Language
from rlft.training.masked import only
from rlft.worlds import World
from rlft.worlds.sums import sums

Part = Literal["all", "principal", "others", "low", "random"]
Weights = Mapping[str, Tensor]
_TURNED = ("v_proj", "o_proj")


def weighed(
    imitation: int = 800,
    trained: Part = "all",
    turned: tuple[int, ...] = (),
    noise: float = 0.0,
    another: Callable[[], Weights] | None = None,
) -> World:
    """Two-digit sums, and what becomes of the weights.

    Args:
        imitation: supervised steps of the base model, as in `sums`.
        trained: of the layers' matrices: all entries; the half that carries the first tenth of the directions, or the
            other half; the smallest half; any half.
        turned: layers whose values are turned before anything else.
        noise: the matrices are moved by this share of their norm, in random directions.
        another: which entries another run changed, of the model that was not turned.
    """
    world = sums(imitation)
    for layer in turned:
        turn_values(world.policy.causal.model.layers[layer].self_attn, seed=layer)
    start = {name: weight.detach().clone() for name, weight in matrices(world.policy).items()}
    if trained != "all":
        only(
            matrices(world.policy), {name: part(old, trained, place) for place, (name, old) in enumerate(start.items())}
        )
    if noise:
        shake(matrices(world.policy), noise)
    return replace(world, probes=[Watched(start, another, turned)])


def matrices(policy: Language) -> dict[str, torch.nn.Parameter]:
    """The matrices of the layers, by name."""
    return {name: its for name, its in policy.named_parameters() if ".layers." in name and its.dim() == 2}


def part(matrix: Tensor, which: Part, seed: int = 0, looking: Looking = Looking()) -> Tensor:
    """Which entries are trained, (m, n)."""
    if which == "low":
        return weights.smallest(matrix, looking.share)
    if which == "random":
        draws = torch.Generator().manual_seed(seed)
        return torch.rand(matrix.shape, generator=draws) < looking.share
    k = max(1, round(looking.rank * min(matrix.shape)))
    principal = weights.largest(weights.directions(matrix, k).reconstructed(), looking.share)
    return principal if which == "principal" else ~principal


@torch.no_grad()
def shake(of: Mapping[str, torch.nn.Parameter], share: float) -> None:
    """Add to each matrix a random one of `share` of its norm."""
    for place, matrix in enumerate(of.values()):
        added = torch.randn(matrix.shape, generator=torch.Generator().manual_seed(place))
        matrix.add_(added * (share * matrix.norm() / added.norm()))


class Watched:
    """Measures of the layers' matrices, by their entries, at every evaluation.

    unchanged, moved, drift, turning, principal, low   as `rlft.measure.moved` has them, of all
    shared         Jaccard of what this run and another changed, less what chance would have
    shared/turned  the same of the values and outputs of the layers that were turned, and of
    shared/same    those of the layers that were not
    """

    def __init__(self, start: Weights, another: Callable[[], Weights] | None = None, turned: tuple[int, ...] = ()):
        self.start, self.another, self.turned = start, another, turned

    def __call__(self, policy: Any) -> dict[str, float]:
        """The numbers."""
        now = {name: matrix.detach() for name, matrix in matrices(policy).items()}
        seen = together([moved(name, self.start[name], [new]) for name, new in now.items()])
        told = {name: getattr(seen, name) for name in ("unchanged", "moved", "drift", "turning", "principal", "low")}
        if self.another is None:
            return told
        theirs = self.another()
        ours = {name: ~weights.unchanged(self.start[name], new) for name, new in now.items()}
        told["shared"] = shared(ours, theirs)
        if self.turned:
            values = {name for name in ours if any(word in name for word in _TURNED)}
            turned = {name for name in values if any(f".layers.{layer}." in name for layer in self.turned)}
            for name, chosen in (("turned", turned), ("same", values - turned)):
                told[f"shared/{name}"] = shared({n: ours[n] for n in sorted(chosen)}, theirs)
        return told


def shared(ours: Weights, theirs: Weights) -> float:
    """Jaccard of two runs' masks of what they changed less what chance would have, a mean by entries of `ours`."""
    total, entries = 0.0, 0
    for name, mask in ours.items():
        p, q = (float(one.double().mean()) for one in (mask, theirs[name]))
        total += mask.numel() * (weights.jaccard(mask, theirs[name]) - weights.by_chance(p, q))
        entries += mask.numel()
    return total / entries
