"""What is read off replies: the JSON that was asked for, whatever stands around it."""

from __future__ import annotations

import json
from typing import Any

_DECODER = json.JSONDecoder()


def values_in(reply: str | None) -> list[Any]:
    """The outermost JSON objects and lists of a text, behind any `</think>`, in their order."""
    text, found, at = (reply or "").rpartition("</think>")[2], [], 0
    while at < len(text):
        if text[at] in "{[":
            try:
                value, at = _DECODER.raw_decode(text, at)
                found.append(value)
                continue
            except ValueError:
                pass
        at += 1
    return found


def object_in(reply: str | None, *names: str) -> dict[str, Any] | None:
    """The last object with all of these names."""
    objects = [one for one in values_in(reply) if isinstance(one, dict) and all(name in one for name in names)]
    return objects[-1] if objects else None


def names_in(reply: str | None) -> list[str]:
    """The last list of texts."""
    lists = [one for one in values_in(reply) if isinstance(one, list) and one and all(isinstance(w, str) for w in one)]
    return [name.strip() for name in lists[-1]] if lists else []
