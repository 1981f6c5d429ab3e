"""Pictures whose tokens look at each other in both directions: Gemma 3. The trunk is told which tokens they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.policies.perception.apart import setting
from rlft.policies.perception.front import Front
from rlft.policies.perception.kept import Looked
from rlft.policies.perception.media import Shown, picture
from rlft.policies.perception.sight import Laid


@final
class Typed(Front):
    """Gemma 3 (Gemma Team 2025, arXiv:2503.19786). What is generated is of the type of text, and looks back alone."""

    kind: ClassVar[str] = "image"

    @property
    def symbol(self) -> str:
        return self.tokenizer.image_token

    @property
    def mark(self) -> str:
        return self.tokenizer.boi_token

    def read(self, shown: Sequence[Shown]) -> Looked:
        pictures = [picture(one.held) for one in shown]
        # A list for each picture: how many crops of it are taken besides is then a number for each.
        made = self.processor.image_processor(images=[[one] for one in pictures], return_tensors="pt")
        count = setting(self.processor, "image_seq_length", 256)
        whole = f"\n\n{self.mark}{self.symbol * count}{self.tokenizer.eoi_token}\n\n"
        return Looked({"pixel_values": made["pixel_values"]}, [_told(whole, int(n)) for n in made["num_crops"]])

    def told(self, tokens: Int[Tensor, "1 L"]) -> dict[str, Any]:
        return {"token_type_ids": (tokens == self.tower.symbol).long()}

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.vision_tower, [model.base_model.multi_modal_projector]

    def states(self, model: Any, laid: Laid, mask: Tensor | None, cache: Any) -> Float[Tensor, "n S H"]:
        told = {"attention_mask": mask, "position_ids": laid.position, "past_key_values": cache}
        told |= {"token_type_ids": laid.shown.long(), "use_cache": cache is not None}
        return model.base_model(inputs_embeds=laid.embedded, **told).last_hidden_state


def _told(whole: str, crops: int) -> str:
    """The words that the model was trained with around the crops of a picture."""
    if not crops:
        return whole
    return (
        f"Here is the original image {whole} and here are some crops to help you see better {' '.join([whole] * crops)}"
    )
