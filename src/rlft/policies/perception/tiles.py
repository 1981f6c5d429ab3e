"""Pictures cut into tiles of one size, of which each is a few tokens: Idefics3, SmolVLM, InternVL, LLaVA-OneVision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from torch import nn

from rlft.policies.perception.apart import setting
from rlft.policies.perception.kept import Looked
from rlft.policies.perception.llava import Straight
from rlft.policies.perception.media import Shown, picture


@final
class Tiles(Straight):
    """Idefics3 (Laurençon et al. 2024, arXiv:2408.12637) and SmolVLM: rows of tiles, and the whole picture behind them.

    Each tile begins with a token that says which it is; a line break ends a row of them.
    """

    kind: ClassVar[str] = "image"

    @property
    def symbol(self) -> str:
        return _named(self.tokenizer, "image_token", "<image>")

    def read(self, shown: Sequence[Shown]) -> Looked:
        pictures = [picture(one.held) for one in shown]
        # One list inside another: the pictures of one prompt.
        made = self.processor.image_processor(images=[pictures], return_row_col_info=True, return_tensors="pt")
        features = {name: made[name] for name in ("pixel_values", "pixel_attention_mask")}
        sizes = zip(made["rows"][0], made["cols"][0], strict=True)
        return Looked(features, [self._text(int(rows), int(columns)) for rows, columns in sizes])

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.vision_model, [model.base_model.connector]

    def _text(self, rows: int, columns: int) -> str:
        edge = _named(self.tokenizer, "fake_image_token", "<fake_token_around_image>")
        whole = _named(self.tokenizer, "global_image_token", "<global-img>")
        tile = self.symbol * setting(self.processor, "image_seq_len", 169)
        lines = [
            "".join(f"{edge}<row_{row}_col_{column}>{tile}" for column in range(1, columns + 1)) + "\n"
            for row in range(1, rows + 1)
        ]
        between = "\n" if lines else ""
        return f"{''.join(lines)}{between}{edge}{whole}{tile}{edge}"


@final
class Crops(Straight):
    """InternVL (Chen et al. 2023, arXiv:2312.14238): as many crops of one size as the picture's shape asks for."""

    kind: ClassVar[str] = "image"

    @property
    def symbol(self) -> str:
        return self.tokenizer.context_image_token

    def read(self, shown: Sequence[Shown]) -> Looked:
        pictures = [picture(one.held) for one in shown]
        made = self.processor.image_processor(images=pictures, crop_to_patches=True, return_tensors="pt")
        each = setting(self.processor, "image_seq_length", 256)
        first, last = self.tokenizer.start_image_token, self.tokenizer.end_image_token
        texts = [f"{first}{self.symbol * each * int(count)}{last}" for count in made["num_patches"]]
        return Looked({"pixel_values": made["pixel_values"]}, texts)

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.vision_tower, [model.base_model.multi_modal_projector]


@final
class Anyres(Straight):
    """LLaVA-OneVision (Li et al. 2024, arXiv:2408.03326): a picture alone in tiles, as wide as it is, several whole."""

    kind: ClassVar[str] = "image"

    @property
    def symbol(self) -> str:
        return _named(self.tokenizer, "image_token", "<image>")

    def read(self, shown: Sequence[Shown]) -> Looked:
        pictures = [picture(one.held) for one in shown]
        made = self.processor.image_processor(images=[pictures], return_tensors="pt")
        whole = int(setting(self.processor, "num_image_tokens", 729))
        counts = [whole + 1] * len(pictures)
        if len(pictures) == 1:
            high, wide = (int(size) for size in made["image_sizes"][0])
            counts = [whole + self._tiled(high, wide, math.isqrt(whole), made["pixel_values"].shape[-2:])]
        features = {name: made[name] for name in ("pixel_values", "image_sizes")}
        features["batch_num_images"] = torch.tensor([len(pictures)])
        return Looked(features, [self.symbol * count for count in counts])

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.vision_tower, [model.base_model.multi_modal_projector]

    def _tiled(self, high: int, wide: int, side: int, tile: Sequence[int]) -> int:
        """Tokens of the tiles of a picture without its padding, and one for the end of each of their lines."""
        from transformers.image_processing_utils import select_best_resolution

        best = select_best_resolution((high, wide), self.processor.image_processor.image_grid_pinpoints)
        rows, columns = best[0] // tile[0] * side, best[1] // tile[1] * side
        if wide * rows > columns * high:
            rows -= 2 * ((rows - int(round(high * (columns / wide), 7))) // 2)
        else:
            columns -= 2 * ((columns - int(round(wide * (rows / high), 7))) // 2)
        most = int(setting(self.processor, "vision_aspect_ratio", "anyres_max_9").rpartition("_")[2])
        ratio = math.sqrt(rows * columns / (most * side**2))
        if ratio > 1.1:
            rows, columns = int(rows // ratio), int(columns // ratio)
        return rows * (columns + 1)


def _named(tokenizer: Any, name: str, usual: str) -> str:
    return getattr(tokenizer, name, None) or usual
