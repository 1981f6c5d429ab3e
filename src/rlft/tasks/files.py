"""Problems from files: JSONL, JSON, CSV, Parquet, Hugging Face data sets, plain text. Tokenises nothing."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft.errors import nearest
from rlft.tasks.layouts import laid_out, pictures
from rlft.tasks.shown import beside, undecoded
from rlft.types import Problem, UserError, field_of

Rows = Sequence[Mapping[str, Any]]
_ANSWERS = ("answer", "reward_model.ground_truth")
_HUB = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]+)?")


class Files:
    """The rows of a data set; index i is row i, and all its columns reach the reward in `Problem.columns`.

    path     a .jsonl, .ndjson, .json (a list), .csv or .parquet file, a .txt or .md file, whose paragraphs, between
             empty lines, are prompts, a folder written by `datasets.save_to_disk`, a hub id, `owner/name` or
             `owner/name:configuration`, or the rows themselves
    prompt   the column with the prompt: text, or chat messages as a list of {"role": …, "content": …}
    answer   the column with the answer; None is `answer` where there is one, else verl's `reward_model.ground_truth`
    demonstration  the column with what is imitated, where that is not the answer; None is `demonstration` where there
             is one
             A name with dots is a field inside a column: `extra_info.question`
    media    the folder that paths of pictures and sounds begin at, in messages or in columns; None is the data file's
    split    which split of a Hugging Face data set; of a file it only names the noise
    name     the task's name, which names its noise too; by default the file's, without its ending

    Rows as LLaVA, VLM-R1, RefCOCO, COCO and MMAU write them are told in these columns, see `layouts`.

    Raises `UserError` for a file that is missing, empty or broken, a column that is not there, an empty prompt, and
    answers that are objects, of which it must be said which field is meant.
    """

    def __init__(
        self,
        path: str | Path | Rows,
        *,
        prompt: str = "prompt",
        answer: str | None = None,
        demonstration: str | None = None,
        split: str = "train",
        name: str | None = None,
        media: str | Path | None = None,
    ):
        self.folder = None if media is None else Path(media).expanduser()
        if self.folder is not None and not self.folder.is_dir():
            raise UserError(f"there is no folder {self.folder} for pictures and sounds to be in")
        if isinstance(path, str | Path):
            self.rows, source = _read(path, split), str(path)
            file = Path(path).expanduser()
            self.folder = file.parent if self.folder is None and file.is_file() else self.folder
        else:
            self.rows, source = path, name or "rows"
        if prompt == "prompt":
            self.rows = laid_out(self.rows)
        if not len(self.rows):
            raise UserError(f"{source} has no rows")
        self.prompt, self.split = prompt, split
        self.name = name or Path(source).stem
        self.size = len(self.rows)
        columns, faults = _surveyed(self.rows, prompt)
        for wanted in (prompt, answer, demonstration):
            if wanted is not None and wanted not in columns:
                raise UserError(f"{source} has no column {wanted!r}{nearest(wanted, columns)}")
        self.answer = answer or next((name for name in _ANSWERS if name in columns), None)
        self.demonstration = demonstration or ("demonstration" if "demonstration" in columns else None)
        for name in filter(None, (self.answer, self.demonstration)):
            inside = [other for other in columns if other.startswith(f"{name}.")]
            if inside and any(isinstance(field_of(row, name), Mapping) for row in self.rows):
                raise UserError(
                    f"{source}: the column {name!r} has objects, not texts or numbers; say which of their fields is "
                    f"meant: {', '.join(inside)} (--answer-field {inside[0]})"
                )
        if faults:
            raise UserError(f"{source}, {faults[0]}")

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems, none with index {index}")
        row = self.rows[index] if self.folder is None else beside(self.rows[index], self.folder, self.prompt)
        asked, answer, shown = (
            field_of(row, name) if name else None for name in (self.prompt, self.answer, self.demonstration)
        )
        return Problem(index, asked, answer, row, self.name, self.split, demonstration=shown)


def _surveyed(rows: Rows, prompt: str) -> tuple[dict[str, None], list[str]]:
    """All columns of any row, with the fields inside them by their dotted names, and the first fault of a prompt."""
    columns, faults = {}, []
    for number, row in enumerate(rows, 1):
        columns.update(dict.fromkeys(_names(row)))
        if not faults and (fault := _fault(field_of(row, prompt))):
            faults.append(f"row {number}: the prompt (column {prompt!r}) {fault}")
    return columns, faults


def _names(row: Mapping[Any, Any]) -> Iterator[str]:
    for name, value in row.items():
        yield str(name)
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in _names(value))


def _fault(prompt: Any) -> str | None:
    """What is wrong with a prompt, if something is."""
    if prompt is None or (
        isinstance(prompt, str | list) and not (prompt.strip() if isinstance(prompt, str) else prompt)
    ):
        return "is empty"
    if isinstance(prompt, str):
        return None
    if isinstance(prompt, int | float):
        return f'is the number {prompt!r}; expected text or a list of chat messages: write it as text, "{prompt!r}"'
    if not isinstance(prompt, list):
        return f"is a {type(prompt).__name__}; expected text or a list of chat messages"
    if not all(
        isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and "content" in turn for turn in prompt
    ):
        return 'has a message that is not {"role": …, "content": …}'
    return None


def _read(path: str | Path, split: str) -> Rows:
    file = Path(path).expanduser()
    if file.is_dir():
        return _hugging_face(str(file), split, on_disk=True)
    readers = _readers()
    if not file.exists():
        if _HUB.fullmatch(str(path)) and file.suffix not in readers:
            return _hugging_face(str(path), split, on_disk=False)
        raise UserError(f"there is no file {file}")
    if file.suffix not in readers:
        raise UserError(f"cannot read {file}: its ending should be one of {', '.join(readers)}")
    if not file.stat().st_size:
        raise UserError(f"{file} is empty")
    try:
        return readers[file.suffix](file)
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text: {error}") from None


def _readers() -> dict[str, Callable[[Path], Rows]]:
    return {
        **dict.fromkeys((".jsonl", ".ndjson"), _lines),
        ".json": _json,
        ".csv": _csv,
        ".parquet": _parquet,
        **dict.fromkeys((".txt", ".md"), _paragraphs),
    }


def _lines(file: Path) -> Rows:
    """JSON objects, one a line; blank lines are skipped."""
    rows, keys = [], {}
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{file}:{number} is not JSON: {error.msg} (column {error.colno})") from None
            if not isinstance(row, dict):
                raise UserError(f"{file}:{number} is a {type(row).__name__}; expected an object with named columns")
            rows.append({keys.setdefault(key, key): value for key, value in row.items()})  # the names are kept once
    return rows


def _json(file: Path) -> Rows:
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno} is not JSON: {error.msg} (column {error.colno})") from None
    if isinstance(rows, dict) and (found := pictures(rows)) is not None:
        return found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{file} should be a list of objects: [{{…}}, …]; for one object a line use .jsonl")
    return rows


def _paragraphs(file: Path) -> Rows:
    """What stands between empty lines, each a text to be read, for methods that mask words of it."""
    parts = re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", file.read_text(encoding="utf-8-sig"))
    return [{"prompt": part.strip()} for part in parts if part.strip()]


def _csv(file: Path) -> Rows:
    """Comma-separated with a header; every value is text."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise UserError(
                    f"{file}:{reader.line_num} does not have the header's {len(reader.fieldnames or ())} columns"
                )
            rows.append(row)
    return rows


def _parquet(file: Path) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError("Parquet needs pyarrow: pip install 'rlft[tasks]'") from None
    try:
        return pyarrow.parquet.read_table(file).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{file} is not Parquet: {error}") from None


def _hugging_face(path: str, split: str, on_disk: bool) -> Rows:
    try:
        import datasets
    except ImportError:
        found = "is a folder, and to read it as a data set" if on_disk else "is not here, and to look for it on the hub"
        raise UserError(f"{path} {found} needs datasets: pip install 'rlft[hub]'") from None
    try:
        if on_disk:
            found = datasets.load_from_disk(path)
        else:
            name, _, configuration = path.partition(":")
            found = datasets.load_dataset(name, configuration or None)
    except Exception as error:  # of many kinds: no network, no such id, a folder of something else
        raise UserError(f"cannot load the data set {path}: {error}") from error
    if not isinstance(found, datasets.DatasetDict):
        return undecoded(found, datasets)
    if split not in found:
        raise UserError(f"the data set {path} has no split {split!r}{nearest(split, found)}")
    return undecoded(found[split], datasets)
