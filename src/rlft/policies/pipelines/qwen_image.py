"""Qwen-Image: a flow over latents packed two by two; guidance in two passes turns a token and keeps its length."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Told, for_rows, guided, unscaled
from rlft.policies.pipelines.packed import Packed
from rlft.types import UserError


class QwenImage(Packed):
    """`QwenImagePipeline` (arXiv:2508.02324). Rows of a block have texts of one length, so nothing is masked.

    The pipeline itself guides only where it is given a negative prompt, whatever its `true_cfg_scale`; here the empty
    one is led away from where no other is given. Guided is v = v_0 + g (v_1 - v_0), scaled to the length of v_1 in each
    token.
    """

    usual = 4.0

    def __init__(self, pipe: Any, drawing: Drawing):
        if pipe.transformer.config.guidance_embeds:
            raise UserError("this Qwen-Image reads its guidance as a number (distilled); ours asks it in two passes")
        super().__init__(pipe, drawing)

    def encode(self, prompt: str) -> Told:
        text, mask = self.pipe.encode_prompt(prompt, device=self.pipe.device, **self.tokens)
        if mask is not None:
            raise UserError(f"the tokenizer pads {prompt!r:.80} though it stands alone; it must not")
        return {"text": text}

    def said(self, core: nn.Module, x: Float[Tensor, "M *S"], clock: Tensor, told: Told, null: Told) -> Tensor:
        given = self._said(core, x, clock, told)
        if self.guidance == 1:
            return given
        combined = guided(self._said(core, x, clock, for_rows(null, len(x))), given, self.guidance)
        return combined * (given.norm(dim=-1, keepdim=True) / combined.norm(dim=-1, keepdim=True))

    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        # the pipeline rounds the time to the type of its latents, and the network was never asked otherwise
        return core(
            hidden_states=x.to(core.dtype),
            timestep=clock.to(core.dtype) / 1000,
            guidance=None,
            encoder_hidden_states_mask=None,
            encoder_hidden_states=told["text"],
            img_shapes=[[(1, *self.tiles)]] * len(x),
            return_dict=False,
        )[0].to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 H W"]:
        vae, factor = self.pipe.vae, self.pipe.vae_scale_factor
        latents = self.pipe._unpack_latents(x, self.height, self.width, factor)
        return vae.decode(unscaled(vae, latents)).sample[:, :, 0]
