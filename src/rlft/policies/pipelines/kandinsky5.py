"""Kandinsky 5, pictures and films: a flow over latents with channels last, guidance in two passes, prompts of any
length."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Family, Grid, Told, films, flow_grid, for_rows, guided, plain_flow

_USUAL, _FILM, _FRAMES = 1024, (512, 768), 121
# What the network has learned its positions at, and how far others are stretched.
_LEARNED, _STRETCHED = range(480, 855), (1.0, 3.16, 3.16)


class Kandinsky5(Family):
    """`Kandinsky5T2IPipeline` (arXiv:2511.14993). Its network masks no text: rows of a block have texts of one length.

    The pipeline itself draws the nearest of a list of sizes (`resolutions`); here a picture has the size asked for.
    """

    adapted = ("to_query", "to_key", "to_value")
    usual = 3.5

    def __init__(self, pipe: Any, drawing: Drawing):
        plain_flow(pipe)
        super().__init__(pipe, drawing)

    def sized(self, height: int | None, width: int | None) -> tuple[int, int]:
        return self._whole(height or _USUAL), self._whole(width or _USUAL)

    @property
    def _factor(self) -> int:
        return self.pipe.vae_scale_factor_spatial

    @property
    def finest(self) -> int:
        return self._factor * 2

    @property
    def shape(self) -> tuple[int, ...]:
        channels = self.pipe.transformer.config.in_visual_dim
        return 1, self.height // self._factor, self.width // self._factor, channels

    def grid(self, steps: int) -> Grid:
        return flow_grid(self.scheduler(num_inference_steps=steps))

    def encode(self, prompt: str) -> Told:
        text, pooled, _ = self.pipe.encode_prompt(prompt, device=self.pipe.device, **self.tokens)
        return {"text": text, "pooled": pooled}

    def said(self, core: nn.Module, x: Float[Tensor, "M *S"], clock: Tensor, told: Told, null: Told) -> Tensor:
        given = self._said(core, x, clock, told)
        if self.guidance == 1:
            return given
        return guided(self._said(core, x, clock, for_rows(null, len(x))), given, self.guidance)

    @property
    def scale(self) -> tuple[float, float, float]:
        """How far rotary positions are stretched in time, height and width."""
        return 1.0, 1.0, 1.0

    def conditioned(self, core: Any, x: Tensor) -> tuple[Tensor, Any]:
        """What the network reads of the latents, and how its attention is cut."""
        return x, None

    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        long, high, wide, _ = self.shape
        places = [torch.arange(size, device=x.device) for size in (long, high // 2, wide // 2)]
        read, sparse = self.conditioned(core, x)
        return core(
            hidden_states=read.to(core.dtype),
            encoder_hidden_states=told["text"].to(core.dtype),
            pooled_projections=told["pooled"].to(core.dtype),
            timestep=clock.to(core.dtype),
            visual_rope_pos=places,
            text_rope_pos=torch.arange(told["text"].shape[1], device=x.device),
            scale_factor=self.scale,
            sparse_params=sparse,
            return_dict=True,
        ).sample.to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 H W"]:
        vae = self.pipe.vae
        return vae.decode((x[:, 0].permute(0, 3, 1, 2) / vae.config.scaling_factor).to(vae.dtype)).sample


class Kandinsky5Film(Kandinsky5):
    """`Kandinsky5T2VPipeline`: S = (1 + (T - 1)/4, H/8, W/8, C) where the VAE is HunyuanVideo's.

    Networks that can go on from a picture read zeros in its place, and those for long films cut their attention, as the
    pipeline has them do.
    """

    usual = 5.0
    rate = 24.0
    negative = (
        "Static, 2D cartoon, cartoon, 2d animation, paintings, images, worst quality, low quality, ugly, deformed, "
        "walking backwards"
    )

    def sized(self, height: int | None, width: int | None) -> tuple[int, int]:
        return self._whole(height or _FILM[0]), self._whole(width or _FILM[1])

    def filmed(self, frames: int | None) -> int:
        return films(self.pipe, _FRAMES if frames is None else frames)

    @property
    def shape(self) -> tuple[int, ...]:
        _, *rest = super().shape
        return (self.frames - 1) // self.pipe.vae_scale_factor_temporal + 1, *rest

    @property
    def scale(self) -> tuple[float, float, float]:
        return (1.0, 2.0, 2.0) if self.height in _LEARNED and self.width in _LEARNED else _STRETCHED

    def conditioned(self, core: Any, x: Tensor) -> tuple[Tensor, Any]:
        sparse = self.pipe.get_sparse_params(x, x.device)
        if not core.visual_cond:
            return x, sparse
        return torch.cat([x, torch.zeros_like(x), x.new_zeros(*x.shape[:-1], 1)], dim=-1), sparse

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 T H W"]:
        vae = self.pipe.vae
        return vae.decode((x.permute(0, 4, 1, 2, 3) / vae.config.scaling_factor).to(vae.dtype)).sample
