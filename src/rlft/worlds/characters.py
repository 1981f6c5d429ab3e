"""Small character models that have imitated a teacher: what worlds of language start from, built once and cached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.types import Problem


@dataclass(frozen=True)
class Lessons:
    """What a teacher shows: problems with his answers at each of `steps` steps, and the learning rate."""

    at: Callable[[int], Sequence[Problem]]
    steps: int
    lr: float = 3e-3


def taught(name: str, alphabet: str, *lessons: Lessons, tokens: int, critic: bool = False, **shape: Any) -> Language:
    """The model of this alphabet and shape (`small_llama`'s) after these lessons in turn, cached under `name`.

    tokens  in an answer, its end included
    critic  whether the policy has one besides, untrained
    """

    def build() -> Language:
        policy = blank(alphabet, tokens, **shape)
        for lesson in lessons:
            imitate(policy, lesson.at, steps=lesson.steps, lr=lesson.lr)
        return policy

    return cached_language(name, build, max_new_tokens=tokens, critic=critic)


def blank(alphabet: str, tokens: int, **shape: Any) -> Language:
    """The model before any lesson."""
    tokenizer = character_tokenizer(alphabet)
    return Language(small_llama(len(tokenizer), **shape), tokenizer, max_new_tokens=tokens)
