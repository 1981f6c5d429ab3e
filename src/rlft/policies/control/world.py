"""What policies for an environment share, whatever their network draws from: a world, chunks, pictures, a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from rlft.environments.protocol import Drawn, Environment, Episode
from rlft.types import UserError


class ForEnvironment(nn.Module):
    """A policy that decides on `chunk` actions at a time in one environment, with networks of this size."""

    def __init__(self, environment: Environment, width: int, layers: int, chunk: int) -> None:
        super().__init__()
        if min(width, layers, chunk) < 1:
            raise UserError(f"width, layers and chunk must be at least 1, not {width}, {layers}, {chunk}")
        self.environment, self.chunk = environment, chunk

    def show(self, output: Episode) -> dict[str, Any]:
        """A trajectory as its environment draws it; rewards over time where it does not draw."""
        if isinstance(self.environment, Drawn):
            return self.environment.picture(output)
        return {"kind": "trajectory", "series": {"reward": output.rewards.tolist()}}

    def save(self, folder: Path) -> None:
        """`weights.safetensors`: a state dict, for a policy of the same environment and size to load."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: weight.contiguous() for name, weight in self.state_dict().items()}, folder / "weights.safetensors"
        )
