"""Families whose latents are packed two by two into tokens, by whose number their times are shifted."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import JOINT, Family, Grid, flow_grid, plain_flow, shift_of


class Packed(Family):
    """FLUX and Qwen-Image: S = (H/2f · W/2f, 4C), with f the reduction of the VAE and C its channels."""

    adapted = JOINT

    def __init__(self, pipe: Any, drawing: Drawing):
        plain_flow(pipe)
        super().__init__(pipe, drawing)

    @property
    def finest(self) -> int:
        return self.pipe.vae_scale_factor * 2

    @property
    def tiles(self) -> tuple[int, int]:
        """Tokens from top to bottom and from left to right."""
        return self.height // self.finest, self.width // self.finest

    @property
    def shape(self) -> tuple[int, ...]:
        high, wide = self.tiles
        return high * wide, self.pipe.transformer.config.in_channels

    def grid(self, steps: int) -> Grid:
        scheduler = self.pipe.scheduler
        mu = shift_of(scheduler, self.shape[0], 1.15)
        sigmas = np.linspace(1.0, 1 / steps, steps)
        told = {"num_inference_steps": steps} if scheduler.config.get("use_flow_sigmas") else {"sigmas": sigmas}
        return flow_grid(self.scheduler(mu=mu, **told))
