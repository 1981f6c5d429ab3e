"""A model with other weights and the same function: the values of an attention layer in other coordinates.

For any orthogonal R, (O_h R^T)(R V_h) = O_h V_h: each head's values are turned, its output weights turn them back. So
singular directions and large entries are others, and all answers are the same (Zhu et al. 2025, arXiv:2511.08567).
"""

from __future__ import annotations

from typing import Any

import torch


@torch.no_grad()
def turn_values(attention: Any, seed: int = 0) -> None:
    """Turn `v_proj` and `o_proj` of an attention layer as in Llama, in place, by a random rotation of each value head.

    Args:
        attention: with `v_proj`, `o_proj`, `head_dim`, and `config.num_key_value_heads`; heads that share values turn
            together.
        seed: of the rotations.
    """
    size, heads = attention.head_dim, attention.config.num_key_value_heads
    draws = torch.Generator().manual_seed(seed)
    random = torch.randn(heads, size, size, generator=draws, dtype=torch.float64)
    turns = torch.linalg.qr(random).Q.to(attention.v_proj.weight)
    values = attention.v_proj.weight.view(heads, size, -1)
    values.copy_(turns @ values)
    if attention.v_proj.bias is not None:
        bias = attention.v_proj.bias.view(heads, size, 1)
        bias.copy_(turns @ bias)
    output = attention.o_proj.weight  # (width, all heads x size), those of one value head side by side
    sharing = output.shape[1] // (heads * size)
    by_head = output.view(len(output), heads, sharing, size)
    by_head.copy_(torch.einsum("whsd,hed->whse", by_head, turns))
