"""The front of a model that is shown nothing: text as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlft.policies.perception.media import kind_of, parts_of
from rlft.types import Problem, UserError


class Blind:
    """What `Front` is for models that read text alone."""

    def __init__(self, tokenizer: Any):
        self.processor = self.tokenizer = tokenizer

    def shows(self, problem: Problem) -> bool:
        """Never."""
        return False

    def placed(self, problem: Problem, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The messages as they are; UserError for one that shows something."""
        for message in messages:
            for kind in filter(None, map(kind_of, parts_of(message))):
                raise UserError(
                    f"problem {problem.index} of {problem.task}/{problem.split} has a message with a part of kind "
                    f"{kind}, and the model reads text alone; give an image-text or audio-text model"
                )
        return [dict(message) for message in messages]

    def before(self, problem: Problem, text: str) -> str:
        """The text as it is."""
        return text

    def expanded(self, problem: Problem, text: str) -> str:
        """The text as it is."""
        return text

    def hold(self, model: Any, tower: str, adapters: bool) -> None:
        """There is nothing to hold."""

    def still(self, model: Any) -> list[Any]:
        """Nothing."""
        return []

    def alone_with(self, what: str) -> None:
        """What is named knows text alone, and so does this."""

    def illustrate(self, problem: Problem) -> dict[str, Any]:
        """Nothing to draw."""
        return {}

    def glance(self, model: Any, problems: Iterable[Problem]) -> None:
        """There is nothing to see."""

    def sight(self, model: Any, problems: Sequence[Problem], prompts: Iterable[Sequence[int]]) -> None:
        """Nothing."""
        return
