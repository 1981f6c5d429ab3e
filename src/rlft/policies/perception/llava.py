"""Pictures of one size as one token for each patch: LLaVA and its like, whose trunk is called as for a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.perception.front import Front
from rlft.policies.perception.kept import Looked
from rlft.policies.perception.media import Shown, picture
from rlft.policies.perception.sight import Laid


class Straight(Front):
    """A trunk that is called as for a text, but for its embeddings."""

    @final
    def states(self, model: Any, laid: Laid, mask: Tensor | None, cache: Any) -> Float[Tensor, "n S H"]:
        """See `sight.Reads`."""
        told = {"attention_mask": mask, "position_ids": laid.position, "past_key_values": cache}
        decoder = model.get_decoder()
        return decoder(inputs_embeds=laid.embedded, use_cache=cache is not None, **told).last_hidden_state


@final
class Llava(Straight):
    """LLaVA (Liu et al. 2023, arXiv:2304.08485): a vision tower's patches through a small MLP."""

    kind: ClassVar[str] = "image"

    @property
    def symbol(self) -> str:
        return self.processor.image_token

    def read(self, shown: Sequence[Shown]) -> Looked:
        pictures = [picture(one.held) for one in shown]
        pixels = self.processor.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        (height, width), side = pixels.shape[-2:], self.processor.patch_size
        count = (height // side) * (width // side) + self.processor.num_additional_image_tokens
        count -= self.processor.vision_feature_select_strategy == "default"
        return Looked({"pixel_values": pixels}, [self.symbol * count] * len(pictures))

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.vision_tower, [model.base_model.multi_modal_projector]
