"""Sentences of a proof in Coq's language of tactics, as Coq divides a text into them. Not a parser of what they say."""

from __future__ import annotations

import re

_END = re.compile(r"\.(?=\s|\Z)")
_MARK = re.compile(r"[{}]|-+|\++|\*+|(?:\d+|\[\w+\])\s*:\s*\{")


def sentences(text: str) -> list[str]:
    """The sentences of a text, without space and comments around them; what stands behind the last end is one as well.

    A bullet (`-`, `+`, `*`, or several of one kind), a brace, and a brace with a goal's number before it are sentences
    of their own. [] where a comment or a quoted text is never closed.
    """
    hidden = masked(text)
    found: list[str] = []
    at = 0
    while hidden is not None and (at := _solid(hidden, at)) < len(hidden):
        mark = _MARK.match(hidden, at)
        end = mark or _END.search(hidden, at)
        stop = end.end() if end else len(hidden)
        found.append(text[at:stop].strip())
        at = stop
    return found


def masked(text: str) -> str | None:
    """The text, as long as it is, with spaces for comments and an `x` for each sign of quoted texts; None if one is
    never closed."""
    kept, depth, quoted, at = [], 0, False, 0
    while at < len(text):
        pair = text[at : at + 2]
        if quoted or text[at] == '"':
            quoted = quoted != (text[at] == '"')
            kept.append(" " if depth else "x")
        elif pair == "(*" or (pair == "*)" and depth):
            depth += 1 if pair == "(*" else -1
            kept.append("  ")
            at += 1
        else:
            kept.append(" " if depth else text[at])
        at += 1
    return None if depth or quoted else "".join(kept)


def _solid(hidden: str, at: int) -> int:
    """The first place from `at` on that is no space."""
    while at < len(hidden) and hidden[at].isspace():
        at += 1
    return at
