"""Kandinsky 5, pictures: a flow over latents with channels last, guidance in two passes, prompts of any length."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Family, Grid, Told, flow_grid, for_rows, guided, plain_flow

_USUAL = 1024


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

    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        _, high, wide, _ = self.shape
        places = [torch.arange(size, device=x.device) for size in (1, high // 2, wide // 2)]
        return core(
            hidden_states=x.to(core.dtype),
            encoder_hidden_states=told["text"].to(core.dtype),
            pooled_projections=told["pooled"].to(core.dtype),
            timestep=clock.to(core.dtype),
            visual_rope_pos=places,
            text_rope_pos=torch.arange(told["text"].shape[1], device=x.device),
            scale_factor=[1.0, 1.0, 1.0],
            sparse_params=None,
            return_dict=True,
        ).sample.to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 H W"]:
        vae = self.pipe.vae
        return vae.decode((x[:, 0].permute(0, 3, 1, 2) / vae.config.scaling_factor).to(vae.dtype)).sample
