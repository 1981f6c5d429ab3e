"""Where in a completion the program or the proof is. Reads no program."""

from __future__ import annotations

import re
from collections.abc import Collection

_FENCE = re.compile(r"^```[ \t]*([\w+-]*)[^\n]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def last_block(text: str, languages: Collection[str]) -> str:
    """The last closed block of one of these languages ("" for none named), behind any `</think>`; all without blocks.

    Nothing where a block is opened and never closed, as in a completion that was cut off.
    """
    said = text.rpartition("</think>")[2]
    blocks = [body for language, body in _FENCE.findall(said) if language.lower() in languages]
    if blocks:
        return blocks[-1]
    return "" if "```" in said else said
