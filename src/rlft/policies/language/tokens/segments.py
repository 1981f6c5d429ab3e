"""Rows that were read in segments, each in a context of its own, and how their decisions are asked for. No model.

A row of S + 1 segments is its decisions one segment after the other. The first follows the prompt; where a later one
begins, its `context` stands for everything before it: log p(row) = Σ_segments Σ_tokens log p(token | segment so far).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rlft.policies.language.tokens.scoring import Asked


def segments(later: Sequence[Sequence[tuple[int, list[int]]]], device: torch.device) -> dict[str, Tensor]:
    """The later segments of N rows as part of a trace: context [N S L], context_length [N S], begins [N S].

    Shorter contexts, and rows with fewer segments, are filled up with zeros; no context is of length 0.
    """
    count = max(map(len, later), default=0)
    width = max((len(context) for row in later for _, context in row), default=0)
    found = {
        "context": torch.zeros(len(later), count, width, dtype=torch.long),
        "context_length": torch.zeros(len(later), count, dtype=torch.long),
        "begins": torch.zeros(len(later), count, dtype=torch.long),
    }
    for i, row in enumerate(later):
        for j, (begin, context) in enumerate(row):
            found["context"][i, j, : len(context)] = torch.tensor(context)
            found["context_length"][i, j], found["begins"][i, j] = len(context), begin
    return {name: values.to(device) for name, values in found.items()}


def by_segment(asked: Asked, trace: Mapping[str, Tensor]) -> Asked:
    """The same decisions, asked of rows that are one segment each.

    First come the first segments of all rows, so that those of a group stand together, then the second.
    """
    context, length, begins = (trace[n].to(asked.length.device) for n in ("context", "context_length", "begins"))
    if not context.shape[1]:
        return asked
    rows, width = asked.completion.shape
    there = torch.cat([torch.ones_like(length[:, :1]), length], 1) > 0
    begins = torch.cat([torch.zeros_like(begins[:, :1]), begins.where(length > 0, width)], 1)
    segment = (asked.place[:, None] >= begins[asked.row]).sum(1) - 1
    place = asked.place - begins[asked.row, segment]
    reach = int(place.max()) + 1 if len(place) else 1
    columns = (begins[..., None] + torch.arange(reach, device=begins.device)).clamp(max=width - 1)
    completion = asked.completion[:, None].expand(-1, begins.shape[1], -1).gather(2, columns)
    wide = max(asked.prompt.shape[1], context.shape[2])
    prompt = torch.nn.functional.pad(asked.prompt, (0, wide - asked.prompt.shape[1]))[:, None]
    prompt = torch.cat([prompt, torch.nn.functional.pad(context, (0, wide - context.shape[2]))], 1)
    length = torch.cat([asked.length[:, None], length], 1)
    kept = there.T.flatten()
    number = (kept.cumsum(0) - 1)[segment * rows + asked.row]
    prompt, length, completion = (part.transpose(0, 1).flatten(0, 1)[kept] for part in (prompt, length, completion))
    return Asked(prompt, length, completion, number, place)
