"""A policy with adapters, seen as it was at the start: no second copy of its base. Not a policy to train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.types import Denoising, Pathwise, Policy, Problem, Rollouts


def untouched(model: nn.Module) -> bool:
    """Whether the model's adapters are low-rank ones and nothing else, and still add nothing."""
    named = dict(model.named_parameters())
    ups = [weight for name, weight in named.items() if "lora_B" in name or "lora_embedding_A" in name]
    others = [name for name, weight in named.items() if weight.requires_grad and "lora_" not in name]
    return bool(ups) and not others and all(not weight.any() for weight in ups)


class Lent(nn.Module):
    """The lender with its adapters switched off (`bare`), or with the adapters it has now, whatever they become.

    It has no parameters of its own, and an empty state: build it before the lender's state is loaded.
    """

    def __init__(self, lender: Policy, model: Any, bare: bool):
        super().__init__()
        # Tuples and lists keep the lender's parameters from becoming this module's.
        self.lender, self.model = (lender,), (model,)
        trained = [] if bare else [weight for weight in model.parameters() if weight.requires_grad]
        self.kept = [(weight, weight.detach().clone()) for weight in trained]

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        with torch.no_grad(), self._then():
            return self.lender[0].sample(problems, group, seed)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        with torch.no_grad(), self._then():
            return self.lender[0].log_prob(rollouts)

    def predicted(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Float[Tensor, "N D *S"]:
        """What a lender's network said of the states, where it refines states."""
        with torch.no_grad(), self._then():
            return cast(Pathwise, self.lender[0]).predicted(rollouts, since)

    def denoised(self, rollouts: Rollouts, at: Int[Tensor, "N L"]) -> Float[Tensor, "N L *S"]:
        """What it took their noised samples for."""
        with torch.no_grad(), self._then():
            return cast(Denoising, self.lender[0]).denoised(rollouts, at)

    def _then(self) -> AbstractContextManager[None]:
        return _exchanged(self.kept) if self.kept else self.model[0].disable_adapter()


@contextmanager
def _exchanged(pairs: list[tuple[nn.Parameter, Tensor]]) -> Iterator[None]:
    def swap() -> None:
        for weight, other in pairs:
            weight.data, other.data = other.data, weight.data

    swap()
    try:
        yield
    finally:
        swap()
