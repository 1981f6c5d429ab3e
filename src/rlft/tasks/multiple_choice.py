"""Rows of questions with options, as MedQA, MedMCQA and MMLU write them, told as a prompt and a letter.

    options   MedQA: `question`, `options` {"A": …} or [{"key": "A", "value": …}] or [text, …], `answer_idx` "A", and
              `answer`, which is that option's text; without `answer_idx`, `answer` is the letter, the text or, counted
              from 0, the place
    choices   MMLU: `question`, `choices` [text, …], `answer`, as above
    opa       MedMCQA: `question`, `opa` … `opd`, `cop`, the place, from 1 in the authors' files and from 0 on the hub;
              -1 and null are no answer

The letter is what `choice()` compares: more than four options need `choice('ABCDE')`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from rlft.types import UserError

Row = Mapping[str, Any]
ASKED = "Answer with the letter of one option in \\boxed{}."
_MEDMCQA = ("opa", "opb", "opc", "opd")


def with_options(question: str, options: Mapping[str, Any]) -> str:
    """The question, a line for each option, and what is asked for."""
    return "\n".join([str(question).strip(), *(f"{letter}. {text}" for letter, text in options.items()), ASKED])


def optional(row: Row) -> dict[str, Any]:
    """A row with a column of options: `prompt` and `answer`, a letter or None."""
    options = _lettered(row["options"] if "options" in row else row["choices"])
    told = row.get("answer_idx")
    gold = _letter(row.get("answer") if told is None else told, options)
    return {"prompt": with_options(row["question"], options), "answer": gold}


def places_of(rows: Sequence[Row]) -> Callable[[Row], dict[str, Any]]:
    """How rows of MedMCQA are told: whether `cop` counts from 0 or from 1 is looked up in all of them.

    `UserError` where they do not say: a wrong guess would reward wrong options.
    """
    found = {row.get("cop") for row in rows}
    if odd := [one for one in found if not (one is None or (isinstance(one, int) and -1 <= one <= 4))]:
        raise UserError(f"cop is the place of the right option, 0 to 3 or 1 to 4; got {odd[0]!r}")
    known = {one for one in found if one not in (None, -1)}
    if known and (0 in known) == (4 in known):
        said = "both 0 and 4" if 0 in known else "neither 0 nor 4"
        raise UserError(
            f"cop counts from 0 or from 1, and these rows have {said}: give them a column `answer_idx` with a letter "
            "and `options` with the texts"
        )
    first = 0 if 0 in known else 1

    def told(row: Row) -> dict[str, Any]:
        options = {letter: row[name] for letter, name in zip(ascii_uppercase, _MEDMCQA, strict=False)}
        place = row.get("cop")
        gold = None if place in (None, -1) else ascii_uppercase[place - first]
        return {"prompt": with_options(row["question"], options), "answer": gold}

    return told


def _lettered(options: Any) -> dict[str, Any]:
    """The options by their letters."""
    if isinstance(options, Mapping):
        if set(options) == {"key", "value"}:  # how a Parquet file of the hub may have a list of objects
            return dict(zip(options["key"], options["value"], strict=True))
        return {str(letter): text for letter, text in options.items() if text is not None}
    if all(isinstance(one, Mapping) for one in options):
        return {str(one["key"]): one["value"] for one in options}
    return dict(zip(ascii_uppercase, options, strict=False))


def _letter(answer: Any, options: Mapping[str, Any]) -> str | None:
    """The letter of an answer: itself, the letter of the option with this text, or of that in this place from 0."""
    if answer is None:
        return None
    if isinstance(answer, int) and not isinstance(answer, bool):
        if not 0 <= answer < len(options):
            raise ValueError(f"the answer {answer} is no place among {len(options)} options, counted from 0")
        return list(options)[answer]
    text = str(answer).strip()
    if text in options:
        return text
    found = [letter for letter, option in options.items() if str(option).strip() == text]
    if len(found) != 1:
        raise ValueError(f"the answer {text!r} is {'no' if not found else 'more than one'} option of {dict(options)}")
    return found[0]
