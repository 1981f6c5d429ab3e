"""A diffusion model of handwritten digits that learns to draw with more ink. Not a claim of any paper.

The reward is the mean brightness; what it cannot see is whether a judge still reads the digit that was asked for, and
how far the images have gone from real ones. Both are measured beside the KL to the start: a reward that rises alone
proves nothing.
"""

from __future__ import annotations

from rlft.methods.loop import loop
from rlft.recipes import recipe
from rlft.worlds.digits import bold

digits = recipe(bold, loop(), steps=40, prompts=16, group=8, lr=1e-4, rows=None)
SMOKE = {"denoising_steps": 3, "pretraining": 20}
