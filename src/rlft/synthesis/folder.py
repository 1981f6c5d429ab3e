"""A folder of made data: `train.jsonl`, `dropped.jsonl` with why, and a card that counts both. Asks nobody."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlft.errors import UserError
from rlft.synthesis.make import Data, shares, told

TRAIN, DROPPED, CARD, TOLD, REPLIES = "train.jsonl", "dropped.jsonl", "README.md", "made.json", "replies.jsonl"


def begin(out: Path, asked: Mapping[str, Any]) -> None:
    """The folder, with what it is made of; `UserError` for one of something else, or with other settings."""
    file = out / TOLD
    try:
        if file.is_file():
            before = json.loads(file.read_text(encoding="utf-8"))
            changed = sorted(name for name in {*before, *asked} if before.get(name) != asked.get(name))
            if changed:
                raise UserError(f"{out} was begun with another {', '.join(changed)}; choose another --out")
            return
        if out.exists() and any(out.iterdir()):
            raise UserError(f"{out} is there already and holds something else; choose another --out")
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot use {out}: {error}; choose another --out") from None


def write(data: Data, who: Mapping[str, str], out: Path) -> dict[str, int]:
    """The files; how many are kept and dropped. `who`: what wrote, checked and worked them out, by name."""
    dropped = [{**one.row(), "why": one.why} for one in data.problems if one.why]
    for name, rows in ((TRAIN, [one.row() for one in data.kept]), (DROPPED, dropped)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / name).write_text(text, encoding="utf-8")
    (out / CARD).write_text(card(data, who), encoding="utf-8")
    return {"topics": len(data.taxonomy), "written": len(data.problems), "kept": len(data.kept)}


def card(data: Data, who: Mapping[str, str]) -> str:
    """A data set card, as hubs read it."""
    count, all_of = len(data.kept), len(data.problems)
    size = next((name for most, name in _SIZES if count < most), "n>1M")
    lines = ["---", "configs:", "- config_name: default", f"  data_files: {TRAIN}", "tags:", "- synthetic"]
    lines += ["size_categories:", f"- {size}", "---", "", f"# {count} problems of {len(data.taxonomy)} topics", ""]
    lines += [f"Made by models, of which {count} of {all_of} were kept. Dropped: {shares(data.reasons())}.", ""]
    lines += [f"- {what}: {name}" for what, name in who.items()]
    lines += ["", "| topic | written | kept |", "|---|---|---|"]
    made, left = Counter(one.topic for one in data.problems), Counter(one.topic for one in data.kept)
    lines += [f"| {told(topic)} | {made[topic]} | {left[topic]} |" for topic in data.taxonomy.leaves]
    fields = "`prompt`, `answer`, `subject`, `topic`"
    worked = (
        " and `demonstration`, a working that ends with the answer" if any(p.demonstration for p in data.kept) else ""
    )
    return "\n".join([*lines, "", f"Columns: {fields}{worked}. `{DROPPED}` has the others, with `why`.", ""])


_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
