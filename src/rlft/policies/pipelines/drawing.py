"""How pictures are drawn, as options: steps, guidance, size, noise, and which steps are decisions. Draws nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rlft.noise import hashed
from rlft.policies.stepwise.noise_rules import FixedRule, cps, dance_sde, ddim, ddpm, flow_sde, ode
from rlft.policies.stepwise.stepwise import Event
from rlft.types import Problem, UserError

_RULES = {rule.__name__: rule for rule in (ode, ddim, ddpm, flow_sde, dance_sde, cps)}
_NUMBERLESS = ("ode", "ddpm")


@dataclass(frozen=True)
class Drawing:
    """How pictures are drawn.

    Args:
        denoising_steps: steps from noise to picture, at least 2. The last one has no noise and is no decision.
        guidance: classifier-free guidance, the same in drawing and scoring; 1 is none. By default that of the family:
            7.5 for Stable Diffusion, 7 for Stable Diffusion 3, 3.5 for FLUX (a number that it reads) and Kandinsky 5,
            4 for Qwen-Image, 5 for Wan and for Kandinsky 5's films.
        negative: the prompt that guidance leads away from; by default the empty one, and for Kandinsky 5's films the
            pipeline's own.
        height: pixels; by default as the pipeline draws.
        width: pixels; by default as the pipeline draws.
        num_frames: of a film, for pipelines that draw films; by default 81 for Wan and 121 for Kandinsky 5.
        noise: how a decision is taken: "flow_sde(0.7)", "dance_sde(0.3)", "cps(0.7)", or "ddim(1.0)" for models that
            predict noise; by default flow_sde(0.7) for flows and ddim(1.0) for others.
        event: what the log-probability of a step is of those of its numbers: sum, or as the code of DDPO and
            Flow-GRPO has it their mean, or sqrt, the sum over the root of their number. Clip ranges belong to it.
        text_tokens: tokens that the longest text encoder reads of a prompt; by default the pipeline's.
        block: rows in one call of the denoiser, always exactly so many; memory, and rounding.
    """

    denoising_steps: int = 10
    guidance: float | None = None
    negative: str = ""
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    noise: str | None = None
    event: Event = "mean"
    text_tokens: int | None = None
    block: int = 8

    def __post_init__(self) -> None:
        if self.denoising_steps < 2:
            raise UserError(f"{self.denoising_steps} denoising steps: it takes 2, for the last one is no decision")
        if self.guidance is not None and not self.guidance >= 1:
            raise UserError(f"guidance {self.guidance}: 1 is none, and more leads away from the negative prompt")
        if self.block < 1:
            raise UserError(f"a block of {self.block} rows: give at least 1")


@dataclass(frozen=True)
class Window:
    """Which steps are decisions: drawn with noise, scored and trained. The others follow the ODE.

    MixGRPO (Li et al. 2025, arXiv:2507.21802) moves a window over the steps as training goes on, Flow-GRPO-Fast (Liu et
    al. 2025, arXiv:2505.05470) draws a short one at random.

    Args:
        window: how many steps; by default all but the last.
        window_at: where they stand: fixed at window_first, random for each problem and visit, or moving from batch to
            batch from window_first to the end and around.
        window_first: the first step of a fixed window, and of a moving one's way; 0 is the noisiest.
        window_every: batches after which a moving window goes on.
        window_stride: steps by which it does.
        same_start: all rows of a problem begin with the same noise; steps before the window are then taken once.
    """

    window: int | None = None
    window_at: Literal["fixed", "random", "moving"] = "fixed"
    window_first: int = 0
    window_every: int = 1
    window_stride: int = 1
    same_start: bool = False

    def size(self, steps: int) -> int:
        """How many of so many steps are decisions; UserError where they are not among them."""
        most = steps - 1 - self.window_first
        size = most if self.window is None else self.window
        if not 1 <= size <= most or self.window_first < 0 or self.window_every < 1 or self.window_stride < 1:
            raise UserError(
                f"a window of {size} steps from step {self.window_first} on does not lie in the {steps - 1} of "
                f"{steps} denoising steps that may be decisions (counted from 0); it moves by at least 1"
            )
        return size

    def firsts(self, problems: Sequence[Problem], seed: int, batches: int, steps: int) -> list[int]:
        """The first step of each problem's window, when so many batches have been drawn before."""
        places = steps - self.window_first - self.size(steps)
        if self.window_at == "fixed":
            return [self.window_first] * len(problems)
        if self.window_at == "moving":
            passed = batches // self.window_every * self.window_stride % places
            return [self.window_first + passed] * len(problems)
        return [self.window_first + hashed("window", seed, *problem.key) % places for problem in problems]


def rule_named(words: str) -> FixedRule:
    """`flow_sde(0.7)` as the rule that it names; UserError for another one."""
    found = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*([\d.]*)\s*\))?\s*", words)
    if not found or found[1] not in _RULES or bool(found[2]) == (found[1] in _NUMBERLESS):
        raise UserError(f"noise {words!r} is not one of flow_sde(0.7), dance_sde(0.3), cps(0.7), ddim(1.0), ddpm, ode")
    try:
        return _RULES[found[1]](*([float(found[2])] if found[2] else []))
    except ValueError:
        raise UserError(f"noise {words!r}: {found[2]!r} is not a number") from None
