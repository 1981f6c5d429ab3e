"""What a judge is asked of a row: a text with fields. Sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft.errors import UserError
from rlft.rewards.judging.verdicts import said
from rlft.types import Problem, field_of

# `\boxed{score}` and `\frac{x}{y}` are no fields: the first half takes such commands, and names nothing.
_FIELD = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})+|\{([A-Za-z_][\w.]*)\}")
_JUDGED = ("completion", "final", "steps", "responses")


class Template:
    """A prompt with the fields

        {prompt}      what the policy was asked; of a conversation its messages, each with its role
        {completion}  all that it wrote
        {final}       what follows its last </think>, nothing where a thought is not ended
        {answer}      the problem's answer
        {NAME}        a column of the row, {extra_info.index} one inside a column
        {steps}       of a critique, its steps, numbered
        {responses}   of a ranking, the answers, numbered

    Filled in at once, so that a completion that has fields in it shows them as they are. `UserError` for a row without
    such a column or answer.
    """

    def __init__(self, text: str):
        self.text = text
        if not set(_JUDGED) & set(_FIELD.findall(text)):
            raise UserError(
                f"the judge's prompt shows it nothing to judge: it has neither {{completion}} nor {{final}} in it: "
                f"{text[:80]!r}"
            )

    def filled(self, problem: Problem, output: Any) -> str:
        """The prompt of a row."""
        whole = str(output)
        own = {"prompt": written(problem.input), "completion": whole, "final": said(whole) or ""}
        own |= {} if problem.answer is None else {"answer": written(problem.answer)}

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name is None:
                return found[0]
            if name in own:
                return own[name]
            column = field_of(problem.columns, name)
            if column is None:
                there = ", ".join([*own, *map(str, problem.columns)])
                raise UserError(f"the judge's prompt asks for {{{name}}}, and a row has only {there}")
            return written(column)

        return _FIELD.sub(value, self.text)


def template(told: str) -> Template:
    """A prompt, or the file that holds it."""
    if any(_FIELD.findall(told)):
        return Template(told)
    path = Path(told).expanduser()
    try:
        return Template(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"prompt={told!r} is neither a text with {{completion}} in it nor a file that can be read: {error}"
        ) from None


def written(value: Any) -> str:
    """A value as a prompt shows it: of a conversation its messages, each with its role."""
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(m, Mapping) for m in value):
        return "\n".join(f"{one.get('role', 'user')}: {one.get('content', '')}" for one in value)
    return str(value)
