"""FLUX.1: a flow over latents packed two by two into tokens; guidance is a number that the network reads."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Told
from rlft.policies.pipelines.packed import Packed
from rlft.types import UserError


class Flux(Packed):
    """`FluxPipeline`: dev, whose network reads the guidance, and schnell, whose network does not."""

    usual = 3.5

    def __init__(self, pipe: Any, drawing: Drawing):
        self.reads = bool(pipe.transformer.config.guidance_embeds)
        if not self.reads and drawing.guidance not in (None, 1):
            raise UserError(
                f"guidance {drawing.guidance}: this FLUX reads no guidance (schnell), and it would change nothing"
            )
        if drawing.negative:
            raise UserError("FLUX reads its guidance as a number and no negative prompt; leave it out")
        super().__init__(pipe, drawing)

    @property
    def away(self) -> None:
        return None

    def encode(self, prompt: str) -> Told:
        text, pooled, ids = self.pipe.encode_prompt(prompt, None, device=self.pipe.device, **self.tokens)
        return {"text": text, "pooled": pooled, "ids": ids[None]}

    def said(self, core: Any, x: Float[Tensor, "M *S"], clock: Tensor, told: Told, null: Told) -> Tensor:
        # the pipeline rounds the time to the type of its latents, and the network was never asked otherwise
        places = self.pipe._prepare_latent_image_ids(len(x), *self.tiles, x.device, core.dtype)
        guidance = torch.full((len(x),), self.guidance, device=x.device, dtype=torch.float32) if self.reads else None
        return core(
            hidden_states=x.to(core.dtype),
            timestep=clock.to(core.dtype) / 1000,
            guidance=guidance,
            pooled_projections=told["pooled"],
            encoder_hidden_states=told["text"],
            txt_ids=told["ids"][0],
            img_ids=places,
            return_dict=False,
        )[0].to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 H W"]:
        vae, factor = self.pipe.vae, self.pipe.vae_scale_factor
        latents = self.pipe._unpack_latents(x, self.height, self.width, factor)
        return vae.decode((latents / vae.config.scaling_factor + vae.config.shift_factor).to(vae.dtype)).sample
