"""What an engine is: a causal language model at work, whoever runs it. None is defined here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rlft.policies.language.tokens.passes import Lengths
from rlft.policies.language.tokens.sampling import Decoder
from rlft.policies.language.tokens.scoring import Asked
from rlft.policies.perception.sight import Sight


@runtime_checkable
class Engine(Protocol):
    """A causal language model at work."""

    def decoder(self, sight: Sight | None = None) -> Decoder:
        """One that has read nothing yet; `sight` is what the prompts were shown that it will read."""
        ...

    def hidden(self, asked: Asked, recompute: bool) -> Float[Tensor, "M H"]:
        """What the head sees before each decision; `recompute` keeps no activations inside layers."""
        ...

    def cost(self) -> Callable[[Sequence[Lengths]], int]:
        """How many tokens it takes to score rows together."""
        ...

    def log_probs(
        self,
        hidden: Float[Tensor, "M H"],
        tokens: Int[Tensor, "M"],
        temperature: float,
        support: UInt8[Tensor, "M B"] | None,
        at_once: int,
    ) -> Float[Tensor, "M"]:
        """log softmax(logits / temperature)[token], over the support; at most `at_once` logits exist at a time."""
        ...
