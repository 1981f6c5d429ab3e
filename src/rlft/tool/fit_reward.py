"""`rlft fit-reward`: a reward model or a classifier from preferences, demonstrations or labels. Trains no policy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlft.errors import UserError, shown
from rlft.models.sequence import Reader
from rlft.rewards.learned.fitting import Demonstrated, Example, Fitted, Fitting, Labelled, Preference, Said, fit
from rlft.runs.folder import model_folder, refuse_taken, written_whole
from rlft.tasks.files import Files, Rows
from rlft.tasks.subset import with_columns
from rlft.types import Message


def fit_reward(
    model: str,
    data: str,
    out: Path,
    fitting: Fitting = Fitting(),
    drawn: str | None = None,
    where: tuple[str, ...] = (),
    dtype: str = "float32",
    device: str | None = None,
) -> int:
    """Fit a reward model to preferences or demonstrations, or a classifier to labels, and save it as a model folder.

    Rows with `prompt`, `chosen` and `rejected` make a scorer (Bradley and Terry), for --reward "scorer('OUT')"; rows
    with `prompt`, `completion` and `label` a classifier, for --reward "classifier('OUT', label='NAME')". With --drawn,
    rows with `prompt` and `completion` are demonstrations, and make a scorer too: by maximum likelihood inverse
    reinforcement learning (arXiv:2503.18991), which tells them from what a policy wrote. Texts or chat messages;
    messages in `chosen` and `rejected` may begin with the prompt's. What it says is calibrated by a temperature, which
    is divided into its head. Numbers are of prompts that were held out, and stand in OUT/fit.json.

    Args:
        model: what is fitted, a language model or a scorer: a folder, a hub id, or a run folder.
        data: a JSONL, JSON, CSV or Parquet file, a saved data set or a hub id.
        out: a new folder.
        drawn: a file of what the policy that is to learn writes for the same prompts, rows with `prompt` and
            `completion`, as `rlft eval --out FILE --samples 4` writes them.
        where: COLUMN=VALUE, one or several, the rows that are taken: category=fraud.
        dtype: of the weights: float32, bfloat16, float64.
        device: cpu, cuda, cuda:1; a GPU where there is one.
    """
    refuse_taken(out)
    if drawn:
        examples, names = demonstrations(_taken(Files(data), where), data, drawn), []
    else:
        examples, names = examples_of(rows_of(data, where), data)
    reader = Reader.load(model_folder(model), labels=max(len(names), 1), dtype=dtype, device=device)
    if names:
        reader.model.config.id2label = dict(enumerate(names))
        reader.model.config.label2id = {name: number for number, name in enumerate(names)}
    found = fit(reader, examples, fitting)
    with written_whole(out) as beside:
        reader.save(beside)
        (beside / "fit.json").write_text(json.dumps({**asdict(found), "data": data, "model": model}, indent=1) + "\n")
    print(_told(found))
    return 0


def _told(found: Fitted) -> str:
    where = "held out" if found.held_out else "of those it was fitted to: nothing was left to measure on"
    by = f"found on {found.calibrated}" if found.calibrated else "with nothing left to calibrate on"
    return (
        f"fitted to {found.examples} examples; on {found.measured} ({where}): accuracy {found.accuracy:.3f}, "
        f"loss {found.loss:.3f}\n"
        f"calibration error {found.ece_before:.3f}, and {found.ece:.3f} at temperature {found.temperature:.3g} ({by})"
    )


def demonstrations(rows: Rows, data: str, drawn: str) -> list[Demonstrated]:
    """Each row's completion, and as many that were drawn for its prompt as there are of every prompt."""
    written: dict[str, list[Said]] = {}
    for place, row in enumerate(Files(drawn).rows, 1):  # a policy may have written nothing
        prompt, said = _parted(row.get("prompt"), _had(row, "completion", drawn, place))
        written.setdefault(json.dumps(prompt), []).append(said)
    found = [_parted(row.get("prompt"), _had(row, "completion", data, at)) for at, row in enumerate(rows, 1)]
    beside = [written.get(json.dumps(prompt), []) for prompt, _ in found]
    if [] in beside:
        place = beside.index([]) + 1
        raise UserError(f"{drawn} has nothing that was written for the prompt of row {place} of {data}")
    fewest = min(map(len, beside))
    return [Demonstrated(*one, tuple(theirs[:fewest])) for one, theirs in zip(found, beside, strict=True)]


def _had(row: Mapping[str, Any], column: str, data: str, place: int) -> Any:
    if row.get(column) is None:
        raise UserError(f"{data}, row {place} has no {column!r}")
    return row[column]


def examples_of(rows: Rows, data: str) -> tuple[list[Example], list[str]]:
    """The examples of a file's rows, and the names of their labels in order; none of preferences."""
    preferred = "chosen" in rows[0]
    found: list[Example] = []
    names = [] if preferred else sorted({_label(row, place) for place, row in enumerate(rows, 1)})
    if not preferred and len(names) < 2:
        raise UserError(f"{data}: all labels are {names[0]!r}, so there is nothing to tell apart")
    for place, row in enumerate(rows, 1):
        try:
            if preferred:
                prompt, chosen = _parted(row.get("prompt"), row["chosen"])
                found.append(Preference(prompt, chosen, _parted(row.get("prompt"), row["rejected"])[1]))
            else:
                prompt, completion = _parted(row.get("prompt"), row["completion"])
                found.append(Labelled(prompt, completion, names.index(_label(row, place))))
        except KeyError as error:
            raise UserError(f"{data}, row {place} has no {error.args[0]!r}, as the first row has") from None
    return found, names


def rows_of(data: str, where: Sequence[str] = ()) -> Rows:
    """The rows of a file of preferences or labels, those whose columns have these values."""
    for column in ("chosen", "completion"):
        try:
            return _taken(Files(data, prompt=column), where)
        except UserError as error:
            if f"no column '{column}'" not in str(error):
                raise
    raise UserError(f"{data} has neither `chosen` and `rejected` nor `completion` and `label`")


def _taken(files: Files, where: Sequence[str]) -> Rows:
    return [files.rows[at] for at in with_columns(files, where).indices] if where else files.rows


def _label(row: Mapping[str, Any], place: int) -> str:
    label = row.get("label")
    if not isinstance(label, str | int | bool):
        raise UserError(f"row {place}: its label is {shown(label)}; expected a name, a whole number, or true or false")
    return str(label)


def _parted(prompt: Any, said: Any) -> tuple[Any, Said]:
    """Prompt and completion, where the completion may be messages, and have the prompt's before its own; several
    behind a prompt are a conversation."""
    if isinstance(said, str):
        return "" if prompt is None else prompt, said
    messages, asked = list(said), prompt if isinstance(prompt, list) else None
    if prompt is None:
        asked = prompt = messages[:-1]
    if asked is not None and messages[: len(asked)] == asked:
        messages = messages[len(asked) :]
    if not messages or not all(isinstance(one, Mapping) and {"role", "content"} <= set(one) for one in messages):
        raise UserError(f'a completion is a text or messages, [{{"role": …, "content": …}}, …], not {shown(said)}')
    made = [Message(str(one["role"]), str(one["content"])) for one in messages]
    return prompt, made[0].content if len(made) == 1 and made[0].own else made
