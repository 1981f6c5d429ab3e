"""Stable Diffusion 1 and 2: a noise-predicting U-Net over latents, one text encoder, guidance in one batch."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.models.schedules import EPS, X0, V
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Grid, InOneBatch, Told
from rlft.types import UserError

_PREDICTIONS = {"epsilon": EPS, "v_prediction": V, "sample": X0}


class Levels:
    """α and σ of a model that was trained at discrete times; time is the number of the step, from 0."""

    def __init__(self, kept: Float[Tensor, "K1"]):
        self.alpha, self.sigma = kept.double().sqrt(), (1 - kept.double()).clamp(min=0).sqrt()

    def weights(self, t: Float[Tensor, "*B"]) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """(α, σ) before step t."""
        place = t.long()
        return self.alpha.to(t.device)[place], self.sigma.to(t.device)[place]

    def times(self, steps: int) -> Float[Tensor, "K1"]:
        """From 0 to the last."""
        return torch.arange(steps + 1, dtype=torch.float64)

    def __str__(self) -> str:
        return "a schedule of noise levels"


class StableDiffusion(InOneBatch):
    """`StableDiffusionPipeline` (Rombach et al. 2021, arXiv:2112.10752), drawn with DDIM whatever its scheduler is.

    Its safety checker is not asked: a picture that was blackened would earn what black earns.
    """

    core = "unet"
    usual = 7.5
    noise = "ddim(1.0)"

    def __init__(self, pipe: Any, drawing: Drawing):
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        self.ddim: Any = DDIMScheduler.from_config(pipe.scheduler.config)
        told = self.ddim.config
        if told.clip_sample or told.thresholding:
            raise UserError(
                "the pipeline's scheduler clips what the network predicts (clip_sample or thresholding), which no "
                "density here knows of; set it to false in scheduler/scheduler_config.json"
            )
        if pipe.unet.config.time_cond_proj_dim is not None:
            raise UserError("the U-Net reads its guidance as a number (LCM); give one that does not")
        super().__init__(pipe, drawing)

    def sized(self, height: int | None, width: int | None) -> tuple[int, int]:
        size, factor = self.pipe.unet.config.sample_size, self.pipe.vae_scale_factor
        high, wide = (size, size) if isinstance(size, int) else size
        return self._whole(height or high * factor), self._whole(width or wide * factor)

    @property
    def finest(self) -> int:
        # each level but the last of the U-Net halves the latent, and its way back must fit
        return self.pipe.vae_scale_factor * 2 ** (len(self.pipe.unet.config.block_out_channels) - 1)

    @property
    def shape(self) -> tuple[int, ...]:
        factor = self.pipe.vae_scale_factor
        return self.pipe.unet.config.in_channels, self.height // factor, self.width // factor

    def grid(self, steps: int) -> Grid:
        self.ddim.set_timesteps(steps)
        clock = self.ddim.timesteps.cpu()
        kept = torch.cat([self.ddim.alphas_cumprod[clock], self.ddim.final_alpha_cumprod.reshape(1)])
        levels = Levels(kept)
        return Grid(levels, _PREDICTIONS[self.ddim.config.prediction_type], levels.times(steps), clock)

    def encode(self, prompt: str) -> Told:
        text, _ = self.pipe.encode_prompt(prompt, self.pipe.device, 1, False)
        return {"text": text}

    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        said = core(x.to(core.dtype), clock, encoder_hidden_states=told["text"], return_dict=False)[0]
        return said.to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 H W"]:
        vae = self.pipe.vae
        return vae.decode((x / vae.config.scaling_factor).to(vae.dtype)).sample
