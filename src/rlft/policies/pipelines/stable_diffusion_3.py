"""Stable Diffusion 3 and 3.5: a flow over latents with channels first, three text encoders, guidance in one batch."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import JOINT, Grid, InOneBatch, Told, flow_grid, plain_flow, shift_of


class StableDiffusion3(InOneBatch):
    """`StableDiffusion3Pipeline` (Esser et al. 2024, arXiv:2403.03206)."""

    adapted = JOINT
    usual = 7.0

    def __init__(self, pipe: Any, drawing: Drawing):
        plain_flow(pipe)
        super().__init__(pipe, drawing)

    @property
    def finest(self) -> int:
        return self.pipe.vae_scale_factor * self.pipe.patch_size

    @property
    def shape(self) -> tuple[int, ...]:
        factor = self.pipe.vae_scale_factor
        return self.pipe.transformer.config.in_channels, self.height // factor, self.width // factor

    def grid(self, steps: int) -> Grid:
        told = {}
        if self.pipe.scheduler.config.get("use_dynamic_shifting"):
            _, high, wide = self.shape
            told["mu"] = shift_of(self.pipe.scheduler, high * wide // self.pipe.patch_size**2, 1.16)
        return flow_grid(self.scheduler(num_inference_steps=steps, **told))

    def encode(self, prompt: str) -> Told:
        told = {"do_classifier_free_guidance": False, **self.tokens}
        text, _, pooled, _ = self.pipe.encode_prompt(prompt, None, None, device=self.pipe.device, **told)
        return {"text": text, "pooled": pooled}

    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        return core(
            hidden_states=x.to(core.dtype),
            timestep=clock,
            encoder_hidden_states=told["text"],
            pooled_projections=told["pooled"],
            return_dict=False,
        )[0].to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 H W"]:
        vae = self.pipe.vae
        return vae.decode((x / vae.config.scaling_factor + vae.config.shift_factor).to(vae.dtype)).sample
