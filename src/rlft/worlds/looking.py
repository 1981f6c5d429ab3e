"""The sense of worlds of pictures: a small LLaVA whose tower has learned what is in each patch of a scene of shapes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from rlft.models.seeing import seeing
from rlft.models.towers import Lesson
from rlft.tasks.drawn import belongs
from rlft.tasks.scenes import NAMES, Scene, scattered
from rlft.worlds import sensing
from rlft.worlds.sensing import Sense

SIDE, PATCH = 32, 8


@runtime_checkable
class Sight(Protocol):
    """A picture of which it is known what is in each patch."""

    def picture(self) -> np.ndarray:
        """The pixels, [SIDE SIDE 3], rows from the top."""
        ...

    def patches(self, side: int) -> np.ndarray:
        """Of each patch of `side` pixels, row by row, a class for each head; -100 is not counted."""
        ...


def _scene(draw: random.Random) -> Scene | None:
    """One with one to four things."""
    scene = scattered(draw.choices(NAMES, k=draw.randint(1, 4)), draw, SIDE, draw.getrandbits(60))
    return scene if scene is not None and belongs(scene, "train") else None


def glances(seed: int, drawn: Callable[[random.Random], Sight | None] = _scene) -> Callable[[int], Lesson]:
    """Batches of pictures as the tower reads them, and their patches; `drawn` are scenes of the training split, or
    other pictures of it, None for one that is left out."""

    return sensing.glances(drawn, _read, seed)


def _read(seen: Sequence[Sight]) -> Lesson:
    pixels = torch.from_numpy(np.stack([one.picture() for one in seen])).permute(0, 3, 1, 2)
    return pixels / 127.5 - 1, torch.from_numpy(np.stack([one.patches(PATCH) for one in seen]))


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
