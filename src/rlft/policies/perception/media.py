"""What problems show, as pictures and sounds: parts of messages, columns of data, files of several kinds. No model.

A part is {"type": "image", "image": X} or {"type": "audio", "audio": Y}. X is a Pillow image, a path, the bytes of a
file, {"bytes": …, "path": …}, or an array [H W 3], uint8 or a float in 0..1. Y is an array of samples, a path to a wav
file, its bytes, {"bytes": …, "path": …} or {"array": …, "sampling_rate": …}.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlft.types import Problem, UserError

# The columns of data that show something, and what a part of it is called.
COLUMNS = {"image": "image", "images": "image", "audio": "audio", "audios": "audio"}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class Encoded(tuple[int, ...]):
    """A prompt that is token ids already, and is read as it is: what a policy drew is never tokenised again.

    asked   the problem that it goes on from, which knows what was shown
    """

    asked: Problem | None = None

    @classmethod
    def of(cls, tokens: Sequence[int], asked: Problem) -> Encoded:
        """Tokens that go on from the prompt of a problem."""
        made = cls(tokens)
        made.asked = asked
        return made


@dataclass(frozen=True)
class Shown:
    """One thing that a problem shows: `kind` is image or audio, `held` as it was given, `rate` where one was said."""

    kind: str
    held: Any
    rate: int | None = None


def shown_in(problem: Problem) -> list[Shown]:
    """What the parts of a problem's messages show, in their order; else what its columns do."""
    parts = [part for message in _messages(problem) for part in parts_of(message) if kind_of(part)]
    return [_shown(part) for part in parts] or in_columns(problem)


def in_columns(problem: Problem) -> list[Shown]:
    """What the columns of a problem show."""
    found = []
    for name, kind in COLUMNS.items():
        value = problem.columns.get(name)
        values = value if isinstance(value, list | tuple) and name in ("images", "audios") else [value]
        found += [_shown({"type": kind, kind: one}) for one in values if one is not None]
    return found


def parts_of(message: Mapping[str, Any]) -> Sequence[Any]:
    """The parts of a message; none where its content is a text."""
    content = message.get("content")
    return content if isinstance(content, list | tuple) else ()


def kind_of(part: Any) -> str | None:
    """image or audio, for a part that shows something."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    return kind if kind in ("image", "audio") else None


def picture(held: Any) -> Any:
    """A Pillow image in RGB; UserError for what is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        if isinstance(held, Image.Image):
            return held.convert("RGB")
        if isinstance(held, Mapping):
            held = held.get("bytes") or held.get("path")
        if isinstance(held, bytes):
            return Image.open(io.BytesIO(held)).convert("RGB")
        if isinstance(held, str | Path):
            return Image.open(_file(held)).convert("RGB")
        return Image.fromarray(_pixels(np.asarray(held)))
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"cannot read the picture {_named(held)}: {error}") from error


def sound(held: Any, rate: int | None, wanted: int) -> np.ndarray:
    """Samples [n] float32 in one channel at `wanted` Hz; without a rate of its own it is taken to have that one."""
    if isinstance(held, Mapping):
        rate = held.get("sampling_rate") or rate
        array = held.get("array")
        held = held.get("bytes") or held.get("path") if array is None else array
    if isinstance(held, str | Path):
        try:
            held = _file(held).read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the sound {held}: {error.strerror}") from error
    if isinstance(held, bytes):
        samples, rate = wav(held)
    else:
        samples = np.asarray(held)
        if samples.dtype.kind not in "fiu" or samples.ndim != 1 or not len(samples):
            raise UserError(f"a sound is samples [n], not {samples.dtype} {list(samples.shape)}")
        if samples.dtype.kind != "f":
            samples = samples / float(np.iinfo(samples.dtype).max)
    return resampled(samples.astype(np.float32), rate or wanted, wanted)


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound at another rate: its spectrum cut off or continued by zeros, as if it were periodic."""
    count = round(len(samples) * wanted / rate)
    if count == len(samples):
        return samples
    spectrum = np.fft.rfft(samples.astype(np.float64))
    kept = np.zeros(count // 2 + 1, dtype=complex)
    both = min(len(kept), len(spectrum))
    kept[:both] = spectrum[:both]
    return (np.fft.irfft(kept, count) * (count / len(samples))).astype(np.float32)


def wav(held: bytes) -> tuple[np.ndarray, int]:
    """Samples in one channel and their rate, of a RIFF file with integers of 8 to 32 bits or floats."""
    if held[:4] != b"RIFF" or held[8:12] != b"WAVE":
        raise UserError("a sound is not a wav file (RIFF, WAVE); convert it, for instance: ffmpeg -i SOUND sound.wav")
    place, form, data = 12, None, None
    while place + 8 <= len(held):
        name, size = struct.unpack("<4sI", held[place : place + 8])
        body = held[place + 8 : place + 8 + size]
        form, data = (body, data) if name == b"fmt " else (form, body if name == b"data" else data)
        place += 8 + size + size % 2
    if form is None or data is None:
        raise UserError("a wav file has no sound in it (no fmt or no data chunk)")
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    code = struct.unpack("<H", form[24:26])[0] if code == _EXTENSIBLE else code
    return _samples(data, code, bits).reshape(-1, channels).mean(1), rate


def _samples(data: bytes, code: int, bits: int) -> np.ndarray:
    data = data[: len(data) // (bits // 8) * (bits // 8)]
    if code == _FLOAT and bits in (32, 64):
        return np.frombuffer(data, f"<f{bits // 8}").astype(np.float32)
    if code == _PCM and bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if code == _PCM and bits in (16, 32):
        return np.frombuffer(data, f"<i{bits // 8}").astype(np.float32) / 2.0 ** (bits - 1)
    if code == _PCM and bits == 24:
        bytes_of = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.concatenate([np.zeros((len(bytes_of), 1), np.uint8), bytes_of], 1)
        return wide.reshape(-1).view("<i4").astype(np.float32) / 2.0**31
    raise UserError(f"a wav file has samples of format {code} with {bits} bits; write integers or floats")


def _messages(problem: Problem) -> Sequence[Mapping[str, Any]]:
    """The messages of a chat; none of a text."""
    given = problem.input
    if isinstance(given, str) or not isinstance(given, Sequence):
        return ()
    return [message for message in given if isinstance(message, Mapping)]


def _shown(part: Mapping[str, Any]) -> Shown:
    kind = part["type"]
    held = next((part[name] for name in (kind, "path", "url", "bytes") if part.get(name) is not None), None)
    if held is None:
        raise UserError(
            f'a part {{"type": "{kind}"}} shows nothing: it should have "{kind}": a path, bytes, or an array'
        )
    return Shown(kind, held, part.get("sampling_rate"))


def _file(held: str | Path) -> Path:
    return Path(str(held).removeprefix("file://")).expanduser()


def _pixels(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, 2)
    if array.ndim != 3 or array.shape[2] != 3:
        raise UserError(f"a picture is an array [H, W, 3], not {list(array.shape)}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f" or array.min() < 0 or array.max() > 1:
        raise UserError(f"a picture is uint8 or floats in 0..1, not {array.dtype} in {array.min()}..{array.max()}")
    return np.rint(array * 255).astype(np.uint8)


def _named(held: Any) -> str:
    return repr(held)[:60] if isinstance(held, str | Path) else f"({type(held).__name__})"
