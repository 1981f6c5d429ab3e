"""`--overlong drop`: problems whose prompts do not fit into a model's context are left out and counted."""

from __future__ import annotations

import contextlib

from rlft.errors import say
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.policy import Language
from rlft.policies.language.text import TooLong
from rlft.tasks.subset import Subset
from rlft.types import Task, UserError


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
