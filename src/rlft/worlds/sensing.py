"""Small models that have looked or listened and imitated a teacher: what worlds of pictures and sounds start from.

A tower learns once, for all worlds of its sense, what is in each patch. Then it is frozen, and a decoder behind it
learns from questions and answers in words. Both are cached. The senses are `looking` and `listening`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rlft.cache import cached
from rlft.models.towers import Lesson, even_out, taught_tower
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.types import Problem
from rlft.worlds.characters import Lessons

_GLANCED = 64
T = TypeVar("T")


def batch(imitation: int, most: int = 32) -> int:
    """Questions in a batch of a base's schooling of so many: one that only has to begin has small ones."""
    return min(most, max(imitation // 10, 4))


def glances(
    drawn: Callable[[random.Random], T | None], read: Callable[[Sequence[T]], Lesson], seed: int
) -> Callable[[int], Lesson]:
    """Batches of 64 things as a tower reads them, and what is in their patches.

    drawn  one of the training split, by chance; None for one that is left out
    read   what the tower is given of them, and told
    """

    def at(step: int) -> Lesson:
        draw = random.Random(hashed("glances", seed, step))
        seen: list[T] = []
        while len(seen) < _GLANCED:
            one = drawn(draw)
            seen += [] if one is None else [one]
        return read(seen)

    return at


@dataclass(frozen=True)
class Sense:
    """A tower, and what it is told before any word.

    name     of what it is told of, in the cache
    version  raised when the tower would come out otherwise
    blank    the model that speaks these words, before any lesson, and its processor
    tower    of such a model
    embed    from what the tower reads to one embedding for each patch, through the tower and the projector
    glances  batches of what the tower reads, and of what is in each patch
    classes  how many each of the tower's heads tells apart
    """

    name: str
    version: int
    blank: Callable[[Sequence[str]], tuple[nn.Module, Any]]
    tower: Callable[[Any], nn.Module]
    embed: Callable[[nn.Module, nn.Module, Tensor], Tensor]
    glances: Callable[[int], Lesson]
    classes: tuple[int, ...]

    def parts(self, model: Any) -> nn.ModuleDict:
        """The tower, and what stands between it and the decoder."""
        return nn.ModuleDict({"tower": self.tower(model), "between": model.model.multi_modal_projector})

    def taught(
        self,
        name: str,
        words: Sequence[str],
        *lessons: Lessons,
        tokens: int,
        looks: int = 1000,
        evened: int = 0,
        critic: bool = False,
        lora: int | None = None,
    ) -> Language:
        """The model that speaks these words after these lessons in turn, cached under `name`.

        tokens  in an answer, its end included
        looks   batches that its tower has learned from
        evened  batches over which what the tower gives is evened out (`towers.even_out`); 0 leaves it as it is
        critic  whether the policy has one besides, untrained
        lora    rank of new adapters, behind which the model is frozen; None trains the decoder
        """

        def build() -> Language:
            model, processor = self.blank(words)
            parts = self.parts(model)
            parts.load_state_dict(self._told(looks))
            if evened:
                self._even(parts, looks, evened)
            parts.requires_grad_(False)
            policy = Language(model, processor, max_new_tokens=tokens)
            for lesson in lessons:
                imitate(policy, _glanced(policy, lesson.at), steps=lesson.steps, lr=lesson.lr)
            return policy

        called = f"{name}-{self.version}-{looks}"
        return cached_language(called, build, max_new_tokens=tokens, critic=critic, lora=lora)

    def _even(self, parts: nn.ModuleDict, looks: int, batches: int) -> None:
        """Even out what the decoder is given, over the batches behind those that the tower has learned from."""
        shown = torch.cat([self.glances(looks + step)[0] for step in range(batches)])
        last = [layer for layer in parts["between"].modules() if isinstance(layer, nn.Linear)][-1]
        with torch.no_grad():
            even_out(last, self.embed(parts["tower"], parts["between"], shown).flatten(0, 1))

    def _told(self, looks: int) -> dict[str, Tensor]:
        """The cached weights of `parts`."""

        def build() -> dict[str, Tensor]:
            parts = self.parts(self.blank("?")[0])

            def embed(shown: Tensor) -> Tensor:
                return self.embed(parts["tower"], parts["between"], shown)

            taught_tower(embed, list(parts.values()), self.glances, self.classes, looks)
            return parts.state_dict()

        return cached(f"{self.name}-tower-{self.version}-{looks}", build, save_file, load_file)


def _glanced(policy: Language, at: Callable[[int], Sequence[Problem]]) -> Callable[[int], Sequence[Problem]]:
    """The same problems, which the tower has looked at together: each is seen once, and nothing is resumed."""

    def glanced(step: int) -> Sequence[Problem]:
        problems = at(step)
        policy.front.glance(policy.causal, problems)
        return problems

    return glanced
