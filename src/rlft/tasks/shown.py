"""Pictures, sounds and films that a row of a data file names: where their files are. Opens none of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KINDS = ("image", "images", "audio", "audios", "video", "videos")
# What names a file in a part of a message.
_NAMES = ("image", "audio", "video", "path", "url")


def beside(row: Mapping[str, Any], folder: Path, prompt: str) -> Mapping[str, Any]:
    """The row, in which paths that lead to a file from the data's folder say so."""
    found = {name: _placed(row[name], folder) for name in _KINDS if name in row}
    messages = row.get(prompt)
    if isinstance(messages, list) and any(_shows(message) for message in messages):
        found[prompt] = [_message(message, folder) for message in messages]
    return {**row, **found} if found else row


def undecoded(rows: Any, datasets: Any) -> Any:
    """A Hugging Face data set whose sounds stay bytes: they are read here, with no library for it."""
    for name, feature in (getattr(rows, "features", None) or {}).items():
        if type(feature).__name__ == "Audio":
            rows = rows.cast_column(name, datasets.Audio(decode=False))
    return rows


def _shows(message: Any) -> bool:
    return isinstance(message, Mapping) and isinstance(message.get("content"), list)


def _message(message: Any, folder: Path) -> Any:
    return {**message, "content": [_part(p, folder) for p in message["content"]]} if _shows(message) else message


def _part(part: Any, folder: Path) -> Any:
    if not isinstance(part, Mapping) or part.get("type") not in ("image", "audio", "video"):
        return part
    return {**part, **{name: _placed(part[name], folder) for name in _NAMES if name in part}}


def _placed(value: Any, folder: Path) -> Any:
    """A path, several, or an object with one."""
    if isinstance(value, list) and all(isinstance(one, str | Mapping) for one in value):
        return [_placed(one, folder) for one in value]
    if isinstance(value, Mapping) and isinstance(value.get("path"), str) and value.get("bytes") is None:
        return {**value, "path": _placed(value["path"], folder)}
    if isinstance(value, str) and not Path(value).is_absolute() and (folder / value).exists():
        return str(folder / value)
    return value
