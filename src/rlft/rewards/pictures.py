"""Rewards of pictures that need no weights, and functions of TRL's and Flow-GRPO's kind as rewards.

Pictures are [N, 3, H, W] in [-1, 1] and films [N, 3, T, H, W], as policies that draw give them to rewards. What is
measured of a film is the mean of its frames.
"""

from __future__ import annotations

import inspect
import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlft.errors import shown
from rlft.types import Parts, Problem, Reward, UserError

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114  # of luma, ITU-R BT.601


def brightness(problems: Sequence[Problem], pictures: Float[Tensor, "N 3 *T H W"]) -> Float[Tensor, "N"]:
    """Mean luma, from 0 (black) to 1 (white)."""
    red, green, blue = _levels(pictures).flatten(2).mean(2).unbind(1)
    return _RED * red + _GREEN * green + _BLUE * blue


def colour(red: float = 0.0, green: float = 0.0, blue: float = 0.0) -> Reward:
    """The mean colour weighted so, each channel from 0 to 1: `colour(red=1, green=-0.5, blue=-0.5)` wants red."""

    def reward(problems: Sequence[Problem], pictures: Float[Tensor, "N 3 *T H W"]) -> Float[Tensor, "N"]:
        means = _levels(pictures).flatten(2).mean(2)
        return means @ means.new_tensor([red, green, blue])

    return reward


def compressibility(quality: int = 95) -> Reward:
    """Minus the kilobytes of the picture as a JPEG of this quality: DDPO's (Black et al. 2023, arXiv:2305.13301)."""
    return _jpeg(quality, -1.0)


def incompressibility(quality: int = 95) -> Reward:
    """The kilobytes of the picture as a JPEG of this quality."""
    return _jpeg(quality, 1.0)


def _jpeg(quality: int, sign: float) -> Reward:
    if not 1 <= quality <= 100:
        raise UserError(f"quality={quality}: a JPEG has one from 1 to 100")

    def reward(problems: Sequence[Problem], pictures: Float[Tensor, "N 3 *T H W"]) -> Float[Tensor, "N"]:
        films = ([one] if isinstance(one, Image) else one for one in pil_images(pictures))
        sizes = ([_kilobytes(image, quality) for image in frames] for frames in films)
        return torch.tensor([sign * sum(one) / len(one) for one in sizes])

    from PIL.Image import Image

    return reward


def _kilobytes(image: Any, quality: int) -> float:
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", quality=quality)
    return buffer.tell() / 1000


def _levels(pictures: Any) -> Tensor:
    """In [0, 1], float32."""
    if not isinstance(pictures, Tensor) or pictures.ndim not in (4, 5) or pictures.shape[1] != 3:
        raise UserError("this reward is for pictures [N, 3, H, W] or films [N, 3, T, H, W]; the policy draws none")
    return (pictures.float().clamp(-1, 1) + 1) / 2


def pil_images(pictures: Any) -> list[Any]:
    """The pictures as Pillow's, at 256 levels; of each film a list of its frames."""
    from PIL import Image

    levels = (_levels(pictures) * 255).round().byte().movedim(1, -1).cpu().numpy()
    if levels.ndim == 4:
        return [Image.fromarray(one) for one in levels]
    return [[Image.fromarray(frame) for frame in film] for film in levels]


def of_images(f: Callable[..., Any]) -> Reward:
    """A reward function written for TRL's DDPOTrainer or for Flow-GRPO: `f(images, prompts, metadata)`.

    `images` are [N, 3, H, W] in [0, 1] and films, as Flow-GRPO has them, [N, T, 3, H, W], or where that parameter is
    called `pil_images` Pillow's, of a film a list of its frames; `prompts` are the texts, `metadata` the other columns
    of the data, a dict a row. It returns N numbers, or a dict of such: its `avg` is then the reward and the others are
    watched, or without `avg` they add. `(scores, info)`, as both libraries return, is such scores and a dict whose
    columns of numbers are watched.
    """
    name, parameters = getattr(f, "__name__", type(f).__name__), list(inspect.signature(f).parameters)

    def reward(problems: Sequence[Problem], pictures: Any) -> Any:
        images = pil_images(pictures) if parameters[0] == "pil_images" else _framed(pictures)
        given: list[Any] = [images, [problem.input for problem in problems], [_row(problem) for problem in problems]]
        said = f(*given[: len(parameters)])  # what it has besides keeps its defaults
        scores, info = said if isinstance(said, tuple) and len(said) == 2 else (said, {})
        return _read(name, scores, info, len(problems))

    reward.__name__ = name
    return reward


def _framed(pictures: Any) -> Tensor:
    levels = _levels(pictures)
    return levels if levels.ndim == 4 else levels.transpose(1, 2)


def _row(problem: Problem) -> dict[str, Any]:
    answer = {} if problem.answer is None else {"answer": problem.answer}
    return {"prompt": problem.input, **answer, **problem.columns}


def _read(name: str, scores: Any, info: Any, rows: int) -> Any:
    watch = _numeric(info, rows) if isinstance(info, Mapping) else {}
    if not isinstance(scores, Mapping):
        total = _column(name, scores, rows)
        return Parts({name: total}, watch) if watch else total
    parts = {str(key): _column(f"{name}: {key}", values, rows) for key, values in scores.items()}
    if "avg" not in parts:
        return Parts(parts, watch)
    total = parts.pop("avg")
    return Parts({name: total}, {**parts, **watch})


def _column(name: str, values: Any, rows: int) -> Float[Tensor, "N"]:
    """Numbers as float32; None is NaN. A tensor of torch keeps its gradient."""
    if isinstance(values, Tensor) and values.requires_grad and values.shape == (rows,):
        return values.float()
    try:
        given = values.tolist() if isinstance(values, Tensor | np.ndarray) else list(values)
        found = [math.nan if value is None else float(value) for value in given]
    except (TypeError, ValueError):
        raise UserError(f"{name} returned {shown(values)}; expected {rows} numbers, or (numbers, info)") from None
    if len(found) != rows:
        raise UserError(f"{name} returned {len(found)} numbers for {rows} pictures; expected one for each")
    return torch.tensor(found)


def _numeric(info: Mapping[Any, Any], rows: int) -> dict[str, Tensor]:
    """Its columns of numbers."""
    found = {}
    for key, values in info.items():
        with suppress(UserError):
            found[str(key)] = _column(str(key), values, rows)
    return found
