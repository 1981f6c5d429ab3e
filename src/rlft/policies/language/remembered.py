"""What a trained model is used with, beside it in its folder: how it was prompted, how long it might speak, its tools.

Options by their names, as JSON; `transformers` does not look at the file. Nothing is decided here: commands take these
options for what they are not told, `Language.load(folder, **remembered(folder))` does so in Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlft.machine import here
from rlft.types import UserError

FILE, MADE = "rlft.json", "made"


def remember(folder: Path, options: Mapping[str, Any]) -> None:
    """Write the options that say something into a model's folder; an earlier file of another training goes.

    With tools or an agent, which are code, who has made it as well.
    """
    told = {name: value for name, value in options.items() if value not in (None, False, (), "", "refuse")}
    made = {MADE: here()} if "tools" in told or "agent" in told else {}
    (folder / FILE).write_text(json.dumps({**told, **made}, indent=1) + "\n")


def remembered(folder: str | Path) -> dict[str, Any]:
    """The options in a model's folder, lists as tuples; none of a hub id or a folder without them."""
    told = {name: value for name, value in _read(Path(folder)).items() if name != MADE}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}


def maker(folder: str | Path) -> Mapping[str, str]:
    """Who has made a model's folder that remembers code: `host` and `user`; nothing where it does not say."""
    made = _read(Path(folder)).get(MADE)
    return made if isinstance(made, dict) else {}


def _read(folder: Path) -> dict[str, Any]:
    file = folder.expanduser() / FILE
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}; remove it, and say the options again") from None
