"""Candidates and references as one checked batch of token ids. Computes no score.

The letters of this package: B candidates, R references of each, L columns, N the highest order of n-grams. A mask says
which columns are tokens; what stands in the others is never read, and token id 0 is a token like any other. A masked
column inside a sequence splits it: no n-gram reaches across. A reference without a single token is absent, and where
there is none at all, one absent reference stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rlft.types import UserError


@dataclass(frozen=True)
class Batch:
    """B candidates and their references; row b's references are those of row b // group."""

    candidates: Int[Tensor, "B Lc"]
    references: Int[Tensor, "P R Lr"]
    candidate_mask: Bool[Tensor, "B Lc"] | None
    reference_mask: Bool[Tensor, "P R Lr"] | None
    group: int = 1

    def candidate_lengths(self) -> Int[Tensor, "B"]:
        """Tokens in each candidate."""
        return _lengths(self.candidates, self.candidate_mask)

    def reference_lengths(self) -> Int[Tensor, "B R"]:
        """Tokens in each reference; 0 if it is absent."""
        return self.spread(_lengths(self.references, self.reference_mask))

    def spread(self, values: Tensor) -> Tensor:
        """[P …] to [B …]."""
        return values.repeat_interleave(self.group, 0) if self.group > 1 else values

    def pairs(self) -> Batch:
        """Every candidate with every one of its references alone, B·R rows in the order [B, R]."""
        references = self.references.shape[1]
        if references == 1:
            return self
        mask = self.candidate_mask
        return Batch(
            self.candidates.repeat_interleave(references, 0),
            self.spread(self.references).flatten(0, 1)[:, None],
            None if mask is None else mask.repeat_interleave(references, 0),
            None if self.reference_mask is None else self.spread(self.reference_mask).flatten(0, 1)[:, None],
        )


def batch(
    candidates: Tensor,
    references: Tensor,
    candidate_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
    group_size: int = 1,
) -> Batch:
    """Check the shapes: candidates [B Lc]; references [B Lr], [B R Lr], or [P R Lr] with P·group_size = B."""
    if candidates.ndim != 2:
        raise UserError(f"candidates have shape {tuple(candidates.shape)}; expected [B, L], one row for each candidate")
    if references.ndim == 2:
        references = references[:, None]
        reference_mask = reference_mask[:, None] if reference_mask is not None and reference_mask.ndim == 2 else None
    if references.ndim != 3 or references.shape[0] * group_size != candidates.shape[0]:
        raise UserError(
            f"references have shape {tuple(references.shape)} for {candidates.shape[0]} candidates and groups of "
            f"{group_size}; expected [B, L], [B, R, L], or [B / group_size, R, L]"
        )
    for name, tokens, mask in (
        ("candidates", candidates, candidate_mask),
        ("references", references, reference_mask),
    ):
        if tokens.is_floating_point() or tokens.dtype == torch.bool:
            raise UserError(f"{name} are {tokens.dtype}; expected token ids, which are integers")
        if mask is not None and (mask.shape != tokens.shape or mask.dtype != torch.bool):
            raise UserError(
                f"the mask of the {name} is {mask.dtype} {tuple(mask.shape)}; expected bool {tuple(tokens.shape)}, "
                "True for tokens"
            )
    if 0 in references.shape[1:]:
        references, reference_mask = _absent(references)
    return Batch(candidates.long(), references.long(), candidate_mask, reference_mask, group_size)


def _absent(references: Int[Tensor, "P R Lr"]) -> tuple[Int[Tensor, "P S Ls"], Bool[Tensor, "P S Ls"]]:
    """References of which none has a column, as at least one with one column that is no token."""
    shape = (len(references), max(references.shape[1], 1), max(references.shape[2], 1))
    return references.new_zeros(shape), references.new_zeros(shape, dtype=torch.bool)


def windows(mask: Bool[Tensor, "*S L"], orders: int) -> Int[Tensor, "*S N"]:
    """How many n-grams each sequence has, n = 1 … orders."""
    whole, counts = mask, []
    for n in range(1, orders + 1):
        counts.append(whole.sum(-1))
        whole = whole[..., :-1] & mask[..., n:]
    return torch.stack(counts, -1)


def windows_of(length: int, orders: int, like: Tensor) -> Int[Tensor, "N"]:
    """The same for a sequence of this length without a mask."""
    return (length - torch.arange(orders, device=like.device)).clamp(min=0)


def totals(tokens: Int[Tensor, "*S L"], mask: Bool[Tensor, "*S L"] | None, orders: int) -> Int[Tensor, "*S N"]:
    """How many n-grams each sequence has."""
    if mask is not None:
        return windows(mask, orders)
    return windows_of(tokens.shape[-1], orders, tokens).expand(*tokens.shape[:-1], orders)


def _lengths(tokens: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return torch.full(tokens.shape[:-1], tokens.shape[-1], device=tokens.device)
    return mask.sum(-1)
