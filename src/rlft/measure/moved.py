"""What happened to one matrix of weights, or to several together: the measures of `rlft.measure.weights` side by side.

Directions are looked at in matrices of the layers; an embedding, whose rows are words, and a vector are counted only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from rlft.errors import UserError
from rlft.measure import weights

_WORDS = re.compile(r"(^|\.)(embed_tokens|wte|wpe|embeddings?|lm_head|shared)\.")
_BLOCK = 2**22  # entries
_PARAMETER = re.compile(r"\.(weight|bias)$")


@dataclass(frozen=True)
class Looking:
    """How weights are looked at.

    Args:
        eta: an entry that moved by at most this share of its size has not changed; below 2^-8 any change of the
            bfloat16 number counts.
        rank: how many first directions, as a share of a matrix's smaller side.
        share: how many entries are principal, and how many are low, as a share of all.
        only: a regular expression: tensors whose names match it.
    """

    eta: float = weights.ETA
    rank: float = 0.1
    share: float = 0.5
    only: str = ""

    def __post_init__(self):
        if not (0 <= self.eta < 1 and 0 < self.rank <= 1 and 0 < self.share < 1):
            raise UserError(
                f"eta {self.eta:g}, rank {self.rank:g} and share {self.share:g}: they are shares, between 0 and 1"
            )
        try:
            re.compile(self.only)
        except re.error as error:
            raise UserError(f"only {self.only!r} is no regular expression: {error}") from None


@dataclass(frozen=True)
class Moved:
    """What happened to one tensor, or to several together; NaN is what was not measured.

    entries     how many weights
    unchanged   share of entries that are, in bfloat16, what they were
    moved       || W - W0 ||_F / || W0 ||_F
    drift       of singular values
    turned      the largest principal angle of the first left or right directions, in degrees, and `turning` their mean
    principal   share of what changed that lies in the principal weights, less what chance would have there
    low         the same of the low weights
    jaccard     of what two runs changed, and `chance` what it would be for two that know nothing of each other
    """

    name: str
    entries: int
    unchanged: float
    moved: float
    drift: float = math.nan
    turned: float = math.nan
    turning: float = math.nan
    principal: float = math.nan
    low: float = math.nan
    jaccard: float = math.nan
    chance: float = math.nan


MEASURES = tuple(field.name for field in fields(Moved))[2:]


@torch.no_grad()
def moved(name: str, old: Tensor, new: Sequence[Tensor], looking: Looking = Looking()) -> Moved:
    """The measures of one tensor, (m, n) or a vector; `new` is what one run made of it, or two."""
    told = _counted(old, new, looking.eta)
    if old.dim() == 2 and min(old.shape) > 1 and not _WORDS.search(name):
        told |= _turned(old.float(), new[0].float(), looking)
    return Moved(name, old.numel(), **told)


def _counted(old: Tensor, new: Sequence[Tensor], eta: float) -> dict[str, float]:
    """What is a sum over entries, in blocks of rows: copies of an embedding would be most of the memory."""
    rows = max(1, _BLOCK * len(old) // old.numel())
    by_run: list[list[int]] = []
    changes, sizes, both, either = 0.0, 0.0, 0, 0
    for block in zip(old.split(rows), *(one.split(rows) for one in new), strict=True):
        before, *after = (part.float() for part in block)
        changed = [~weights.unchanged(before, part, eta) for part in after]
        by_run.append([int(mask.sum()) for mask in changed])
        both += int((changed[0] & changed[-1]).sum())
        either += int((changed[0] | changed[-1]).sum())
        changes += float((after[0] - before).double().square().sum())
        sizes += float(before.double().square().sum())
    shares = [sum(counts) / old.numel() for counts in zip(*by_run, strict=True)]
    told = {"unchanged": 1 - shares[0], "moved": math.sqrt(changes / sizes) if sizes else math.nan}
    if len(new) > 1:
        told |= {"jaccard": both / either if either else math.nan, "chance": weights.by_chance(*shares)}
    return told


def _turned(old: Tensor, new: Tensor, looking: Looking) -> dict[str, float]:
    changed = ~weights.unchanged(old, new, looking.eta)
    k = max(1, round(looking.rank * min(old.shape)))
    one, other = (weights.directions(matrix, k) for matrix in (old, new))
    found = torch.cat([weights.angles(one.left, other.left), weights.angles(one.right, other.right)])
    masks = {
        "principal": weights.largest(one.reconstructed(), looking.share),
        "low": weights.smallest(old, looking.share),
    }
    over = {name: weights.overlap(mask, changed) - float(mask.double().mean()) for name, mask in masks.items()}
    turns = {"turned": float(found.max()), "turning": float(found.mean())}
    return {"drift": weights.drift(one.values, other.values), **turns, **over}


def kind(name: str) -> str:
    """What a tensor is in every layer alike: `model.layers.3.self_attn.q_proj.weight` is a `self_attn.q_proj`."""
    parts = _PARAMETER.sub("", name).split(".")
    last = max((place for place, part in enumerate(parts) if part.isdigit()), default=-1)
    return ".".join(parts[last + 1 :] if 0 <= last < len(parts) - 1 else parts[-1:])


def together(found: Sequence[Moved], name: str = "all") -> Moved:
    """The mean of each measure over tensors that have it, by their entries; `turned` is the largest."""
    told: dict[str, float] = {}
    for measure in MEASURES:
        having = [(getattr(one, measure), one.entries) for one in found if not math.isnan(getattr(one, measure))]
        if measure == "turned":
            told[measure] = max((value for value, _ in having), default=math.nan)
        else:
            entries = sum(count for _, count in having)
            told[measure] = sum(value * count for value, count in having) / entries if entries else math.nan
    return Moved(name, sum(one.entries for one in found), **told)


def by_kind(found: Sequence[Moved]) -> Mapping[str, Moved]:
    """Together by what they are in every layer, in order of first appearance."""
    kinds: dict[str, list[Moved]] = {}
    for one in found:
        kinds.setdefault(kind(one.name), []).append(one)
    return {name: together(ones, name) for name, ones in kinds.items()}
