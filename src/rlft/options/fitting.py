"""Which problems of a task a model can be asked: those to be checked first, and with `--overlong drop` what fits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rlft.errors import say
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.policy import Language
from rlft.policies.language.text import TooLong
from rlft.tasks.subset import Subset
from rlft.types import Problem, Task, UserError


def to_check(source: Task) -> Iterator[Problem]:
    """A task's problems, to be looked at before training; of an endless one 256."""
    return (source.at(index) for index in range(source.size if source.size is not None else 256))


def fitting(source: Task, policy: Language | Conversation, lessons: bool = False) -> Task:
    """The task, with `overlong="drop"` of a finite one those problems that fit, numbered anew, and a line on stderr.

    `lessons` must fit as well, where there are any. `UserError` if nothing fits.
    """
    codec = (policy.language if isinstance(policy, Conversation) else policy).codec
    if source.size is None or codec.prompting.overlong != "drop":
        return source
    kept = []
    for index in range(source.size):
        problem = source.at(index)
        with contextlib.suppress(TooLong):
            policy.check([problem])
            if lessons and problem.lesson is not None:
                policy.check_lessons([problem])
            kept.append(index)
    if not kept:
        raise UserError(f"no problem of {source.name} fits into the model's context; lower max_new_tokens")
    if len(kept) < source.size:
        say(f"{source.size - len(kept)} of {source.size} problems of {source.name} do not fit")
    return Subset(source, kept) if len(kept) < source.size else source
