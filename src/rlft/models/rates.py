"""The learning rate that small base models are taught with. Not that of any fine-tuning."""

from __future__ import annotations

import math


def rate_at(lr: float, step: int, steps: int, warmup: int = 50) -> float:
    """lr · min((step + 1)/warmup, 1) · (1 + cos(π step/steps))/2: a straight rise, and half a cosine down to 0."""
    return lr * min((step + 1) / max(warmup, 1), 1.0) * (1 + math.cos(math.pi * step / steps)) / 2
