"""What a family of pipelines says for itself: encoding, times, prediction, decoding. The steps are `pipeline`'s.

A family is told once how to draw; it holds the pipeline of `diffusers`, whose schedulers are read and never stepped:
they count their steps by themselves, draw noise that is nobody's row, and cast.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.models.schedules import VELOCITY, Prediction, RectifiedFlow, Schedule
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.stepwise.solvers import UniPC
from rlft.types import UserError

Told = Mapping[str, Tensor]
"""What the network is told of prompts, by the family's own names, rows first."""


# The linear layers of a network in which text and picture are two streams with attention in common.
JOINT = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")


@dataclass(frozen=True)
class Grid:
    """Where the K steps stand.

    schedule, prediction   what the network was trained with
    times                  [K+1] in float64, what `schedule` and noise rules call time
    clock                  [K] what the network calls time, in the type in which the pipeline has it
    """

    schedule: Schedule
    prediction: Prediction
    times: Float[Tensor, "K1"]
    clock: Tensor


class Family(ABC):
    """One family of pipelines.

    core      the name of the part that is trained
    adapted   the linear layers of it that adapters stand at
    usual     its guidance where none is asked for
    noise     its noise rule where none is asked for
    rate      frames a second of the films that it draws; None draws pictures
    negative  what guidance leads away from where nothing is asked
    """

    core: ClassVar[str] = "transformer"
    adapted: ClassVar[tuple[str, ...]] = ("to_q", "to_k", "to_v", "to_out.0")
    usual: ClassVar[float]
    noise: ClassVar[str] = "flow_sde(0.7)"
    rate: ClassVar[float | None] = None
    negative: ClassVar[str] = ""

    def __init__(self, pipe: Any, drawing: Drawing):
        self.pipe, self.drawing = pipe, drawing
        self.guidance = self.usual if drawing.guidance is None else drawing.guidance
        self.height, self.width = self.sized(drawing.height, drawing.width)
        self.frames = self.filmed(drawing.num_frames)

    @property
    def network(self) -> nn.Module:
        """The pipeline's own network."""
        return getattr(self.pipe, self.core)

    @property
    def away(self) -> str | None:
        """The prompt that guidance leads away from; None where nothing does."""
        return (self.drawing.negative or self.negative) if self.guidance > 1 else None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """S, of a latent as the network reads it."""

    @property
    @abstractmethod
    def finest(self) -> int:
        """Height and width in pixels are multiples of this."""

    @abstractmethod
    def grid(self, steps: int) -> Grid:
        """The times of the pipeline itself."""

    def solver(self, grid: Grid) -> UniPC | None:
        """How the pipeline itself goes over these times without noise, where that is not Euler's way."""
        return None

    @abstractmethod
    def encode(self, prompt: str) -> Told:
        """What the network is told of one prompt, one row of each; read alone, so that no neighbour can pad it."""

    @abstractmethod
    def said(self, core: nn.Module, x: Float[Tensor, "M *S"], clock: Tensor, told: Told, null: Told) -> Tensor:
        """What the network predicts, guided away from `null`, in the type of x."""

    @abstractmethod
    def decode(self, x: Float[Tensor, "n *S"]) -> Float[Tensor, "n 3 *T H W"]:
        """Pictures, or films, in [-1, 1]."""

    def sized(self, height: int | None, width: int | None) -> tuple[int, int]:
        """Height and width in pixels; the pipeline's own where nothing was asked."""
        usual = self.pipe.default_sample_size * self.pipe.vae_scale_factor
        return self._whole(height or usual), self._whole(width or usual)

    def filmed(self, frames: int | None) -> int:
        """Frames of a film, the pipeline's own number where nothing was asked; of a picture 1, and it is not asked."""
        if frames is not None:
            raise UserError(f"num_frames={frames}: {type(self.pipe).__name__} draws pictures; leave it out")
        return 1

    def _whole(self, size: int) -> int:
        if size % self.finest:
            raise UserError(f"{size} pixels: {type(self.pipe).__name__} draws multiples of {self.finest}")
        return size

    def scheduler(self, **told: Any) -> Any:
        """A copy of the pipeline's scheduler with so many steps or these noise levels; its own stays as it was."""
        scheduler = copy.deepcopy(self.pipe.scheduler)
        scheduler.set_timesteps(**told)
        return scheduler

    @property
    def tokens(self) -> Mapping[str, int]:
        """`max_sequence_length`, where it was asked for."""
        asked = self.drawing.text_tokens
        return {} if asked is None else {"max_sequence_length": asked}


class InOneBatch(Family):
    """A family whose network is asked with a prompt and away from another in one batch."""

    def said(self, core: nn.Module, x: Float[Tensor, "M *S"], clock: Tensor, told: Told, null: Told) -> Tensor:
        """See `Family`."""
        if self.guidance == 1:
            return self._said(core, x, clock, told)
        both = self._said(core, torch.cat([x, x]), torch.cat([clock, clock]), together(null, told))
        without, given = both.chunk(2)
        return guided(without, given, self.guidance)

    @abstractmethod
    def _said(self, core: Any, x: Tensor, clock: Tensor, told: Told) -> Tensor:
        """What the network predicts of these rows, in the type of x."""


def flow_grid(scheduler: Any) -> Grid:
    """The times of a flow's scheduler after `set_timesteps`, taken as they are: it has shifted them already."""
    return Grid(RectifiedFlow(), VELOCITY, scheduler.sigmas.double().cpu(), scheduler.timesteps.cpu())


def plain_flow(pipe: Any) -> None:
    """UserError for a flow pipeline whose scheduler is not Euler's of flow matching."""
    kind = type(pipe.scheduler).__name__
    if kind != "FlowMatchEulerDiscreteScheduler":
        raise UserError(f"the pipeline's scheduler is {kind}; flows are drawn with FlowMatchEulerDiscreteScheduler")


def for_rows(null: Told, count: int) -> Told:
    """A prompt for all as each row's own."""
    return {name: one.expand(count, *one.shape[1:]) for name, one in null.items()}


def together(null: Told, told: Told) -> Told:
    """One batch of a prompt for all, then each row's own."""
    return {name: torch.cat([null[name].expand_as(rows), rows]) for name, rows in told.items()}


def guided(without: Tensor, given: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598)."""
    return without + guidance * (given - without)


def films(pipe: Any, count: int) -> int:
    """A number of frames that the pipeline can draw; UserError for another one."""
    factor = pipe.vae_scale_factor_temporal
    if count < 1 or (count - 1) % factor:
        raise UserError(f"a film of {count} frames: {type(pipe).__name__} draws 1 and a multiple of {factor}")
    return count


def unscaled(vae: Any, x: Float[Tensor, "n C T h w"]) -> Float[Tensor, "n C T h w"]:
    """Latents as the decoder reads them, of a VAE with a mean and a deviation for each channel."""
    latents = x.to(vae.dtype)
    std, mean = (latents.new_tensor(vae.config[name]).view(1, -1, 1, 1, 1) for name in ("latents_std", "latents_mean"))
    return latents * std + mean


def shift_of(scheduler: Any, tokens: int, most: float) -> float:
    """mu of dynamic shifting, linear in the number of image tokens; `most` is for configs without one."""
    told = scheduler.config
    first, last = told.get("base_image_seq_len", 256), told.get("max_image_seq_len", 4096)
    low, high = told.get("base_shift", 0.5), told.get("max_shift", most)
    slope = (high - low) / (last - first)
    return tokens * slope + (low - slope * first)
