"""Wan, films: a flow over latents of space and time, guidance in two passes."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.family import Family, Grid, Told, films, flow_grid, for_rows, guided, unscaled
from rlft.policies.stepwise.solvers import UniPC
from rlft.types import UserError

_USUAL = 480, 832
_FRAMES, _TOKENS = 81, 512
_SCHEDULERS = ("FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler")
# What UniPC is told in released folders, and does by itself: other kinds of it are not ours.
_UNIPC = {
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "solver_order": 2,
    "solver_type": "bh2",
    "predict_x0": True,
    "lower_order_final": True,
    "final_sigmas_type": "zero",
    "thresholding": False,
}


class Wan(Family):
    """`WanPipeline` (arXiv:2503.20314) with one network: 2.1, and 2.2 where each token has a time of its own.

    S = (C, 1 + (T - 1)/4, H/8, W/8) where the VAE is 2.1's. Decisions are steps of Euler's over the scheduler's times.
    Released folders name UniPC, a multistep solver, and without noise it is what draws.
    """

    usual = 5.0
    rate = 16.0

    def __init__(self, pipe: Any, drawing: Drawing):
        if pipe.config.boundary_ratio is not None:
            raise UserError(
                "this Wan has two networks, for much noise and for little (2.2 A14B); one can be trained: take 2.1, or "
                "2.2 TI2V"
            )
        told, kind = pipe.scheduler.config, type(pipe.scheduler).__name__
        if kind not in _SCHEDULERS:
            raise UserError(f"the pipeline's scheduler is {kind}; Wan is drawn with {' or '.join(_SCHEDULERS)}")
        self.looks_back = kind == _SCHEDULERS[1]
        other = {name: told.get(name) for name, usual in _UNIPC.items() if self.looks_back and told.get(name) != usual}
        if other or told.get("disable_corrector"):
            raise UserError(f"the pipeline's UniPC is another one than Wan's: {other or 'without corrections'}")
        super().__init__(pipe, drawing)

    def sized(self, height: int | None, width: int | None) -> tuple[int, int]:
        return self._whole(height or _USUAL[0]), self._whole(width or _USUAL[1])

    def filmed(self, frames: int | None) -> int:
        return films(self.pipe, _FRAMES if frames is None else frames)

    @property
    def finest(self) -> int:
        patch = self.pipe.transformer.config.patch_size
        return self.pipe.vae_scale_factor_spatial * max(patch[1:])

    @property
    def shape(self) -> tuple[int, ...]:
        factor, times = self.pipe.vae_scale_factor_spatial, self.pipe.vae_scale_factor_temporal
        channels = self.pipe.transformer.config.in_channels
        return channels, (self.frames - 1) // times + 1, self.height // factor, self.width // factor

    def grid(self, steps: int) -> Grid:
        return flow_grid(self.scheduler(num_inference_steps=steps))

    def solver(self, grid: Grid) -> UniPC | None:
        return UniPC(grid.schedule, grid.times) if self.looks_back else None

    def encode(self, prompt: str) -> Told:
        told = {"max_sequence_length": _TOKENS, **self.tokens}  # the call's own default; `encode_prompt` alone has 226
        text, _ = self.pipe.encode_prompt(prompt, None, False, device=self.pipe.device, **told)
        return {"text": text}

    def said(self, core: nn.Module, x: Float[Tensor, "M *S"], clock: Tensor, told: Told, null: Told) -> Tensor:
        given = self._said(core, x, clock, told)
        if self.guidance == 1:
            return given
        return guided(self._said(core, x, clock, for_rows(null, len(x))), given, self.guidance)

    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        if self.pipe.config.expand_timesteps:
            _, *places = self.shape
            tokens = places[0] * (places[1] // 2) * (places[2] // 2)
            clock = clock[:, None].expand(-1, tokens)
        return core(
            hidden_states=x.to(core.dtype),
            timestep=clock,
            encoder_hidden_states=told["text"].to(core.dtype),
            return_dict=False,
        )[0].to(x.dtype)

    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 T H W"]:
        return self.pipe.vae.decode(unscaled(self.pipe.vae, x)).sample
