"""The sense of worlds of pictures: a small LLaVA whose tower has learned what is in each patch of a scene of shapes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlft.models.seeing import seeing
from rlft.models.towers import Lesson
from rlft.noise import hashed
from rlft.tasks.drawn import belongs
from rlft.tasks.scenes import NAMES, Scene, scattered
from rlft.worlds.sensing import Sense

SIDE, PATCH, _BATCH = 32, 8, 64


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


def _blank(words: Sequence[str]) -> tuple[nn.Module, Any]:
    return seeing(words, image_size=SIDE, patch=PATCH, width=96, layers=3, context=192)


def _embed(tower: nn.Module, between: nn.Module, pixels: Tensor) -> Tensor:
    return between(tower(pixels).last_hidden_state[:, 1:])


LOOKING = Sense(
    name="shapes",
    version=2,
    blank=_blank,
    tower=lambda model: model.model.vision_tower,
    embed=_embed,
    glances=glances(0),
    classes=(len(NAMES) + 1, *[SIDE + 1] * 4),
)
taught = LOOKING.taught
