"""Rows as known collections write them, told as prompts, answers and what is shown: pictures, sounds, options.

    conversations   LLaVA, VLM-R1: [{"from": "human", "value": "<image>…"}, {"from": "gpt", "value": …}], and `image`
    sentence        RefCOCO as VLM-R1 has it: `image`, `problem` or `sentence`, `solution` or `bbox` [x0, y0, x1, y1]
    audio_id        MMAU: `audio_id`, `question`, `choices`, `answer`
    options, opa    MedQA, MMLU, MedMCQA: see `multiple_choice`
    annotations     COCO: {"images": …, "annotations": …, "categories": …}, a row a picture

All columns stay. A row that has a prompt is left as it is. Opens no picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from rlft.tasks.multiple_choice import optional, places_of
from rlft.types import UserError

Rows = Sequence[Mapping[str, Any]]
Tell = Callable[[Mapping[str, Any]], dict[str, Any]]
LABELS = "Find every object of these kinds: {}. Answer with a list in JSON, {}, or None where there is none."
PHRASE = "Where is {}? Answer with its box in pixels, [x0, y0, x1, y1]."
_BOX = '[{"bbox_2d": [x0, y0, x1, y1], "label": "…"}]'
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_MARK = "<image>"


def laid_out(rows: Rows) -> Rows:
    """The rows with a `prompt` and an `answer`, where the first of them is written in a way that is known here."""
    if not len(rows) or not isinstance(rows[0], Mapping) or "prompt" in rows[0]:
        return rows
    known = next((tell for names, tell in _KNOWN if all(name in rows[0] for name in names)), None)
    if known is None and all(name in rows[0] for name in ("question", "opa", "cop")):
        known = places_of(rows)
    return rows if known is None else _Told(rows, known)


@final
class _Told(Sequence[Mapping[str, Any]]):
    """Rows that are told when they are asked for: a data set with pictures in it does not fit into memory."""

    def __init__(self, rows: Rows, tell: Tell):
        self.rows, self.tell = rows, tell

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        row = self.rows[index]
        try:
            return {**row, **self.tell(row)}
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UserError(
                f"row {index + 1} is not written as the first one is: {type(error).__name__}: {error}; "
                "give all rows one layout, or a column `prompt`"
            ) from None


def pictures(collection: Mapping[str, Any]) -> Rows | None:
    """A COCO file's pictures, each with all its boxes [x0, y0, x1, y1] as the answer; None of another file's object.

    Crowds are left out. Columns: `image` (its `file_name`), `labels` (all categories), `image_id`, `width`, `height`.
    """
    if not all(isinstance(collection.get(name), list) for name in ("images", "annotations", "categories")):
        return None
    labels = {one["id"]: one["name"] for one in collection["categories"]}
    held: dict[Any, list[dict[str, Any]]] = {one["id"]: [] for one in collection["images"]}
    for one in collection["annotations"]:
        if one.get("iscrowd"):
            continue
        if one["image_id"] not in held or one["category_id"] not in labels:
            raise UserError(
                f"annotation {one.get('id')} is of picture {one['image_id']} and category {one['category_id']}; the "
                "file should list both under `images` and `categories`"
            )
        x, y, width, height = one["bbox"]
        box = [round(value, 2) for value in (x, y, x + width, y + height)]
        held[one["image_id"]].append({"bbox_2d": box, "label": labels[one["category_id"]]})
    asked = LABELS.format(", ".join(labels.values()), _BOX)
    return [
        {
            "prompt": asked,
            "answer": json.dumps(held[one["id"]]) if held[one["id"]] else "None",
            "image": one["file_name"],
            "labels": list(labels.values()),
            "image_id": one["id"],
            "width": one.get("width"),
            "height": one.get("height"),
        }
        for one in collection["images"]
    ]


def _conversation(row: Mapping[str, Any]) -> dict[str, Any]:
    """Up to the model's last turn a prompt, and that turn the answer, out of its tags."""
    shown = row.get("image", row.get("images")) or []
    left = [shown] if isinstance(shown, str | Mapping) else list(shown)
    turns = [(_ROLES[turn["from"]], turn["value"]) for turn in row["conversations"]]
    answer = None
    if turns[-1][0] == "assistant":
        answer = turns.pop()[1]
    marks = sum(text.count(_MARK) for _, text in turns if isinstance(text, str))
    if marks and marks != len(left):
        raise ValueError(f"{marks} places {_MARK} for {len(left)} pictures")
    messages = []
    for role, text in turns:
        parts = re.split(f"({_MARK})", text) if marks else [_MARK] * len(left) + [text]
        made = [
            {"type": "image", "image": left.pop(0)} if part == _MARK else {"type": "text", "text": part.strip("\n")}
            for part in parts
            if part.strip("\n")
        ]
        shows = any(part["type"] == "image" for part in made)
        messages.append({"role": role, "content": made if shows else text})
    return {"prompt": messages, "answer": _inside(answer)}


def _inside(answer: Any) -> Any:
    """What stands in an answer's tags, if it has some."""
    if not isinstance(answer, str):
        return answer
    found = re.findall(r"<answer>(.*?)</answer>", answer, re.DOTALL)
    return found[-1].strip() if found else answer


def _phrase(row: Mapping[str, Any]) -> dict[str, Any]:
    said = row.get("problem") or row.get("sentence") or row["normal_caption"]
    asked = said if "problem" in row else PHRASE.format(said)
    return {"prompt": asked.replace(_MARK, "").strip(), "answer": row["solution"] if "solution" in row else row["bbox"]}


def _heard(row: Mapping[str, Any]) -> dict[str, Any]:
    options = ", ".join(f"'{choice}'" for choice in row["choices"])
    asked = f"{row['question']} Please choose the answer from the following options: [{options}]."
    return {"prompt": asked, "answer": row.get("answer"), "audio": row["audio_id"]}


_KNOWN: Sequence[tuple[tuple[str, ...], Tell]] = (
    (("conversations",), _conversation),
    (("image", "problem", "solution"), _phrase),
    (("image", "sentence", "solution"), _phrase),
    (("image", "sentence", "bbox"), _phrase),
    (("image", "normal_caption", "solution"), _phrase),
    (("audio_id", "question", "choices"), _heard),
    (("question", "options"), optional),
    (("question", "choices"), optional),
)
