"""Pictures and films as files and as people see them. Judges none of them."""

from __future__ import annotations

import base64
import importlib
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import UserError

# Pixels along the longer side of a report's picture, and frames of a film there.
_LARGEST, _FRAMES = 160, 4


def as_pil(picture: Float[Tensor, "3 H W"]) -> Any:
    """A picture in [-1, 1] as one of Pillow's; a pixel from -1 to 1 is a level from 0 to 255."""
    from PIL import Image

    levels = ((picture.detach().float().clamp(-1, 1) + 1) * 127.5).round()
    return Image.fromarray(levels.byte().permute(1, 2, 0).cpu().numpy())


def thumbnail(picture: Float[Tensor, "3 *T H W"]) -> dict[str, Any]:
    """A small copy as plain values, its pixels in a PNG as a data URI; of a film four frames side by side."""
    image = as_pil(_strip(picture) if picture.dim() == 4 else picture)
    size = list(image.size)
    image.thumbnail((_LARGEST, _LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return {
        "kind": "image",
        "size": size,
        "uri": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}",
    }


def _strip(film: Float[Tensor, "3 T H W"]) -> Float[Tensor, "3 H W4"]:
    count = film.shape[1]
    which = torch.linspace(0, count - 1, min(count, _FRAMES)).round().long()
    return torch.cat([film[:, k] for k in which], dim=2)


def suffix(rate: float | None) -> str:
    """What a file of a picture, or of a film of so many frames a second, ends in; UserError where none can be
    written."""
    if rate is None:
        return ".png"
    _av()
    return ".mp4"


def write(picture: Float[Tensor, "3 *T H W"], file: Path, rate: float | None = None) -> None:
    """A PNG of the picture's own size, or an mp4 (H.264) of a film at `rate` frames a second."""
    if picture.dim() == 3:
        as_pil(picture).save(file, "png")
        return
    film = picture.unbind(1)
    with _av().open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate or 16.0).limit_denominator(1001))
        stream.height, stream.width = film[0].shape[1:]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
        for image in (as_pil(frame) for frame in film):
            container.mux(stream.encode(_av().VideoFrame.from_image(image)))
        container.mux(stream.encode())


def _av() -> Any:
    try:
        return importlib.import_module("av")
    except ImportError:
        raise UserError("films are written by PyAV: pip install 'rlft[video]'") from None
