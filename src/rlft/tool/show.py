"""How commands say what they found: numbers as a table or JSON, conversations turn by turn, a bar. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress

from rlft.types import Text, Transcript


def show(numbers: dict[str, Any], as_json: bool) -> int:
    """Print them, and say that all went well."""
    if as_json:
        print(json.dumps(numbers))
        return 0
    for name, value in numbers.items():
        written = f"[{', '.join(map(_number, value))}]" if isinstance(value, list) else _number(value)
        print(f"  {name:<12} {written}")
    return 0


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines, each column as wide as its widest cell."""
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def messages(output: Any) -> dict[str, Any]:
    """What was said in a conversation, as chat messages; nothing of a plain completion."""
    if not isinstance(output, Transcript):
        return {}
    return {"messages": [{"role": message.role, "content": message.content} for message in output.messages]}


def spoken(output: Text) -> str:
    """A completion, or a conversation turn by turn."""
    if not isinstance(output, Transcript):
        return output
    return "\n".join(m.content if m.role == "assistant" else f"  {m.role}: {m.content}" for m in output.messages)


@contextmanager
def counting(shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for `evaluate`."""
    with Progress(console=Console(stderr=True, quiet=not shown), transient=True) as bar:
        task = bar.add_task("problems", total=None)
        yield lambda done, count: bar.update(task, completed=done, total=count)
