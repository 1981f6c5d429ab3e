"""Several networks of one pipeline as one policy: what they say is added with weights at each step. Trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from rlft.policies.mix import Weighted, frozen_view
from rlft.policies.pipelines.drawing import Window
from rlft.policies.pipelines.pipeline import Pipeline, wide
from rlft.types import Policy, UserError

Alone = Callable[[Tensor], Tensor]
"""Which rows, with this share of noise each, the first network speaks alone for."""


class MixedPipeline(Pipeline):
    """A pipeline whose network says Σ w·(what each network says, guided), as RL guidance has it (arXiv:2508.21016).

    like        whose encoders, decoder, guidance and steps it has
    networks    of its kind; views of them are kept, that follow them and have no gradient
    mix         their weights, which add up to 1
    alone       where the first speaks alone and the others are not asked, by the share of noise in the state, σ/(α+σ),
                which is the time of a flow; None is nowhere

    It costs as many calls as it has networks. It is drawn and scored; UserError where it would be saved.
    """

    def __init__(self, like: Pipeline, networks: Sequence[nn.Module], mix: Weighted, alone: Alone | None = None):
        first, *others = (frozen_view(network) for network in networks)
        super().__init__(like.family, like.drawing, like.window, core=first, origin=like.origin)
        self.prompts, self.rule = like.prompts, like.rule
        self.others, self.mix, self.alone = nn.ModuleList(others), mix, alone
        self.train()

    def _like(self, core: nn.Module, window: Window) -> Pipeline:
        other = MixedPipeline(self, [core, *self.others], self.mix, self.alone)
        other.window, other.decisions = window, window.size(self.steps)
        return other

    def reference(self) -> Policy:
        """Itself: nothing of it learns."""
        return self

    def train(self, mode: bool = True) -> Pipeline:
        """As a pipeline: no network leaves eval mode."""
        super().train(mode)
        getattr(self, "others", nn.ModuleList()).eval()
        return self

    def save(self, folder: object) -> None:
        """UserError."""
        raise UserError("a mix of pipelines is none: keep its models, and mix them where they draw")

    def _block(self, x: Tensor, k: Tensor, keys: list[int]) -> Tensor:
        first = self._asked(self.core, x, k, keys)
        early = torch.zeros(len(k), dtype=torch.bool, device=k.device)
        if self.alone is not None:
            alpha, sigma = self.grid.schedule.weights(self.grid.times.to(k.device)[k])
            early = self.alone(sigma / (alpha + sigma))
        if bool(early.all()):
            return first
        everyone = self.mix([first, *(self._asked(other, x, k, keys) for other in self.others)])
        return torch.where(wide(early, x).bool(), first, everyone)
