"""Pictures as files and as people see them. Judges none of them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

# Pixels along the longer side of a report's picture.
_LARGEST = 160


def as_pil(picture: Float[Tensor, "3 H W"]) -> Any:
    """A picture in [-1, 1] as one of Pillow's; a pixel from -1 to 1 is a level from 0 to 255."""
    from PIL import Image

    levels = ((picture.detach().float().clamp(-1, 1) + 1) * 127.5).round()
    return Image.fromarray(levels.byte().permute(1, 2, 0).cpu().numpy())


def thumbnail(picture: Float[Tensor, "3 H W"]) -> dict[str, Any]:
    """A small copy as plain values, its pixels in a PNG as a data URI."""
    image = as_pil(picture)
    size = list(image.size)
    image.thumbnail((_LARGEST, _LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return {
        "kind": "image",
        "size": size,
        "uri": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}",
    }


def write(picture: Float[Tensor, "3 H W"], file: Path) -> None:
    """A PNG of the picture's own size."""
    as_pil(picture).save(file, "png")
