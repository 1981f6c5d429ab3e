"""The sense of worlds of sounds: a small Qwen2-Audio whose tower has learned what is heard in each forty milliseconds.

25 tokens a second; from each a linear head tells the event's kind, pitch, loudness, length, count and place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlft.models.seeing import hearing
from rlft.models.towers import Lesson
from rlft.tasks.drawn import belongs
from rlft.tasks.sounds import CLASSES, KINDS, RATE, Sound, event, sequenced
from rlft.worlds import sensing
from rlft.worlds.sensing import Sense

_MELS = 32


def glances(seed: int) -> Callable[[int], Lesson]:
    """Batches of sounds of the training split with two to four events, as the tower reads them, and their tokens."""

    return sensing.glances(_sound, _read, seed)


def _sound(draw: random.Random) -> Sound | None:
    """One with two to four events."""
    sound = sequenced([event(kind, draw) for kind in draw.choices(KINDS, k=draw.randint(2, 4))], draw)
    return sound if belongs(sound, "train") else None


def _read(heard: Sequence[Sound]) -> Lesson:
    made = [sound.samples() for sound in heard]
    read = _extractor()(made, sampling_rate=RATE, padding="max_length", return_tensors="pt")["input_features"]
    return read, torch.from_numpy(np.stack([sound.tokens() for sound in heard]))


def _blank(words: Sequence[str]) -> tuple[nn.Module, Any]:
    return hearing(words, mels=_MELS, width=96, layers=3, context=192)


def _embed(tower: nn.Module, between: nn.Module, read: Tensor) -> Tensor:
    return between(tower(read).last_hidden_state)


@cache
def _extractor() -> Any:
    return _blank("?")[1].feature_extractor


LISTENING = Sense(
    name="sounds",
    version=1,
    blank=_blank,
    tower=lambda model: model.model.audio_tower,
    embed=_embed,
    glances=glances(0),
    classes=CLASSES,
)
taught = LISTENING.taught
