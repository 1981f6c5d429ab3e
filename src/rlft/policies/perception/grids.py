"""Pictures as grids of their own size: Qwen2-VL, Qwen2.5-VL and Qwen3-VL.

A token's rotary position is three numbers, its time, row and column; behind a picture the text goes on from the largest
of them (M-RoPE, Wang et al. 2024, arXiv:2409.12191). Qwen3-VL adds features of the tower's middle layers to the hidden
states after the decoder's first ones (DeepStack, Meng et al. 2024, arXiv:2406.04334).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.policies.perception.front import Front
from rlft.policies.perception.kept import Looked
from rlft.policies.perception.media import Shown, picture
from rlft.policies.perception.sight import Laid


@final
class Grids(Front):
    """Qwen's models that see; of what they do with films nothing is here."""

    kind: ClassVar[str] = "image"
    forgets: ClassVar[tuple[str, ...]] = ("rope_deltas",)

    @property
    def symbol(self) -> str:
        return "<|image_pad|>"

    @property
    def alone(self) -> str:
        return f"<|vision_start|>{self.symbol}<|vision_end|>"

    def read(self, shown: Sequence[Shown]) -> Looked:
        maker = self.processor.image_processor
        made = maker(images=[picture(one.held) for one in shown], return_tensors="pt")
        grid = made["image_grid_thw"]
        counts = (grid.prod(-1) // maker.merge_size**2).tolist()
        features = {"pixel_values": made["pixel_values"], "image_grid_thw": grid}
        return Looked(features, [self.symbol * count for count in counts])

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        # What comes between tower and decoder, the merger, is the tower's last layer here.
        return model.base_model.visual, []

    def told(self, tokens: Int[Tensor, "1 L"]) -> dict[str, Any]:
        return {"mm_token_type_ids": (tokens == self.tower.symbol).int()}

    def positions(self, model: Any, tokens: Int[Tensor, "1 L"], looked: Looked) -> Int[Tensor, "3 L"] | None:
        told = self.told(tokens) | {
            "image_grid_thw": looked.features["image_grid_thw"].to(tokens.device),
            "attention_mask": torch.ones_like(tokens),
        }
        return model.base_model.get_rope_index(tokens, **told)[0][:, 0]

    def states(self, model: Any, laid: Laid, mask: Tensor | None, cache: Any) -> Float[Tensor, "n S H"]:
        told = {"attention_mask": mask, "position_ids": laid.position, "past_key_values": cache}
        if laid.layers:
            told |= {"visual_pos_masks": laid.shown, "deepstack_visual_embeds": list(laid.layers)}
        decoder = model.get_decoder()
        return decoder(inputs_embeds=laid.embedded, use_cache=cache is not None, **told).last_hidden_state
