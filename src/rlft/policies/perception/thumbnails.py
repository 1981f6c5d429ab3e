"""What problems show, small enough for a report: a picture's thumbnail, a sound's spectrogram. Reads no model."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from rlft.policies.perception.media import Shown, kind_of, parts_of, picture, sound
from rlft.types import Problem

# Pixels along a thumbnail's longer side; those of a larger picture are kept with losses.
_LARGEST, _EXACT = 160, 64
_RATE, _WINDOW, _DEPTH = 16000, 512, 80.0  # of a spectrogram: Hz, samples, decibels below its loudest


def illustrated(problem: Problem, shown: Sequence[Shown]) -> dict[str, Any]:
    """`input`, of whose messages only the texts and kinds of parts are left, and `shown`, each thing as a data URI.

    A picture has its `size` [W, H], in whose pixels boxes are, and what the columns boxes, box or bbox say of them.
    """
    if not shown:
        return {}
    made = [thumbnail(one) for one in shown]
    boxes = next((problem.columns[name] for name in ("boxes", "box", "bbox") if name in problem.columns), None)
    if boxes is not None:
        made[0]["boxes"] = boxes
    return {"input": bare(problem.input), "shown": made}


def bare(given: Any) -> Any:
    """A prompt without what it shows."""
    if isinstance(given, str) or not isinstance(given, list | tuple):
        return given
    return [{**message, "content": _texts(message)} if parts_of(message) else message for message in given]


def thumbnail(shown: Shown) -> dict[str, Any]:
    """One thing that is shown, as plain values."""
    if shown.kind == "image":
        whole = picture(shown.held)
        small = whole.copy()
        small.thumbnail((_LARGEST, _LARGEST))
        return {"kind": "image", "size": list(whole.size), "uri": _uri(small)}
    samples = sound(shown.held, shown.rate, _RATE)
    return {"kind": "audio", "seconds": round(len(samples) / _RATE, 2), "uri": _uri(_drawn(spectrogram(samples)))}


def spectrogram(samples: Float[np.ndarray, "n"]) -> Float[np.ndarray, "f t"]:
    """Loudness by frequency, lowest first, and time, from 0 (80 dB below the loudest) to 1."""
    padded = np.pad(samples, (0, max(0, _WINDOW - len(samples))))
    hop = max(_WINDOW // 2, -(-len(padded) // _LARGEST))
    starts = range(0, len(padded) - _WINDOW + 1, hop)
    frames = np.stack([padded[start : start + _WINDOW] for start in starts]) * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, : _WINDOW // 2] ** 2
    bands = power.reshape(len(power), _EXACT, -1).mean(-1).T
    loud = 10 * np.log10(np.maximum(bands, 1e-12))
    return np.clip((loud - loud.max()) / _DEPTH + 1, 0, 1)


def _drawn(loudness: Float[np.ndarray, "f t"]) -> Any:
    from PIL import Image

    return Image.fromarray(np.uint8(255 * loudness[::-1]))


def _uri(image: Any) -> str:
    kind, buffer = "png" if max(image.size) <= _EXACT or image.mode == "L" else "jpeg", io.BytesIO()
    image.save(buffer, kind, **({"quality": 80} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _texts(message: Any) -> list[Any]:
    return [part if kind_of(part) is None else {"type": kind_of(part)} for part in parts_of(message)]
