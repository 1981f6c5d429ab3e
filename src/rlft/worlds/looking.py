"""Small models that have looked at shapes and imitated a teacher: what worlds of pictures start from, cached.

A tower learns once, for all of them, what is in each patch of a scene. Then it is frozen, and a decoder behind it
learns from questions and answers in words.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rlft.cache import cached
from rlft.models.seeing import seeing
from rlft.models.towers import Lesson, even_out, taught_tower
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.tasks.scenes import NAMES, Scene, belongs, scattered
from rlft.types import Problem
from rlft.worlds.characters import Lessons

# Raised when the tower would come out otherwise.
VERSION = 2
SIDE, PATCH, _BATCH = 32, 8, 64
_SHAPE: dict[str, Any] = {"image_size": SIDE, "patch": PATCH, "width": 96, "layers": 3, "context": 192}


def taught(
    name: str,
    words: Sequence[str],
    *lessons: Lessons,
    tokens: int,
    looks: int = 1000,
    evened: int = 0,
    critic: bool = False,
) -> Language:
    """The model that speaks these words after these lessons in turn, cached under `name`.

    tokens  in an answer, its end included
    looks   batches of 64 pictures that its tower has learned from
    evened  batches of pictures over which what the tower gives is evened out (`even_out`); 0 leaves it as it is
    critic  whether the policy has one besides, untrained
    """

    def build() -> Language:
        model, processor = seeing(words, **_SHAPE)
        tower = _parts(model)
        tower.load_state_dict(_tower(looks))
        if evened:
            _even(tower, evened)
        tower.requires_grad_(False)
        policy = Language(model, processor, max_new_tokens=tokens)
        for lesson in lessons:
            imitate(policy, _glanced(policy, lesson.at), steps=lesson.steps, lr=lesson.lr)
        return policy

    return cached_language(f"{name}-{VERSION}-{looks}", build, max_new_tokens=tokens, critic=critic)


def _glanced(policy: Language, at: Callable[[int], Sequence[Problem]]) -> Callable[[int], Sequence[Problem]]:
    """The same problems, which the tower has looked at together: each is seen once, and nothing is resumed."""

    def glanced(step: int) -> Sequence[Problem]:
        problems = at(step)
        policy.front.glance(policy.causal, problems)
        return problems

    return glanced


def _parts(model: Any) -> nn.ModuleDict:
    """The tower, and what stands between it and the decoder."""
    return nn.ModuleDict({"tower": model.model.vision_tower, "between": model.model.multi_modal_projector})


def _even(parts: nn.ModuleDict, batches: int) -> None:
    """Even out what the decoder gets, over so many batches of scenes that no tower has learned from."""
    between: Any = parts["between"]
    pixels = torch.cat([glances(1)(step)[0] for step in range(batches)])
    with torch.no_grad():
        even_out(between.linear_2, _embedded(parts, pixels).flatten(0, 1))


def _embedded(parts: nn.ModuleDict, pixels: Tensor) -> Tensor:
    """What the decoder gets of each patch, [B patches width]."""
    return parts["between"](parts["tower"](pixels).last_hidden_state[:, 1:])


def _tower(looks: int) -> dict[str, Tensor]:
    """The cached weights of `_parts`."""

    def build() -> dict[str, Tensor]:
        parts = _parts(seeing("?", **_SHAPE)[0])

        classes = (len(NAMES) + 1, *[SIDE + 1] * 4)
        taught_tower(lambda pixels: _embedded(parts, pixels), list(parts.values()), glances(0), classes, looks)
        return parts.state_dict()

    return cached(f"shapes-tower-{VERSION}-{looks}", build, save_file, load_file)


def glances(seed: int) -> Callable[[int], Lesson]:
    """Batches of scenes of the training split with one to four things, as the tower reads them, and their patches."""

    def at(step: int) -> Lesson:
        draw = random.Random(hashed("glances", seed, step))
        scenes: list[Scene] = []
        while len(scenes) < _BATCH:
            scene = scattered(draw.choices(NAMES, k=draw.randint(1, 4)), draw, SIDE, draw.getrandbits(60))
            if scene is not None and belongs(scene, "train"):
                scenes.append(scene)
        pixels = torch.from_numpy(np.stack([scene.picture() for scene in scenes])).permute(0, 3, 1, 2)
        return pixels / 127.5 - 1, torch.from_numpy(np.stack([scene.patches(PATCH) for scene in scenes]))

    return at
