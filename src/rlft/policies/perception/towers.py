"""What a tower gives for what problems show: run once while its weights stay, again with gradient while they learn.

    nothing learns      each problem alone, once: the embeddings are kept under the content and the weights
    the projector does  what the tower gives is kept, and the projector runs with gradient
    the tower does      it runs whenever it is asked, all problems together where their inputs have one shape

Alone, so that what is kept does not depend on who else was in the batch, and a resumed run is the straight one. Who
never resumes may ask for many at once before (`glance`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.policies.perception.catching import answering, caught
from rlft.policies.perception.kept import Kept, Looked, numbers_in, state_of

# Numbers that are kept of what towers gave.
_GIVEN = 2**28


class Given(NamedTuple):
    """What a decoder embeds for what a problem shows, and what it adds after its first layers."""

    embedding: Float[Tensor, "k H"]
    layers: tuple[Float[Tensor, "k H"], ...]


class Tower:
    """A model's tower, what stands between it and the decoder, and what they gave.

    symbol  the token whose embeddings are replaced
    runs    how often the tower has run for a problem
    """

    def __init__(self, symbol: int):
        self.symbol, self.kept, self.runs = symbol, Kept(_GIVEN), 0

    def given(
        self, model: Any, parts: tuple[nn.Module, list[nn.Module]], looked: Sequence[Looked], counts: Sequence[int]
    ) -> list[Given]:
        """For what each problem shows, which stands in so many places of its prompt."""
        body, between = parts
        if learns(body):
            return self._each(model, body, looked, counts)
        if torch.is_grad_enabled() and any(map(learns, between)):
            state = state_of(body)
            return [self._projected(model, body, one, count, state) for one, count in zip(looked, counts, strict=True)]
        state = state_of(body, *between)
        return [self._once(model, body, one, count, state) for one, count in zip(looked, counts, strict=True)]

    def told(self, body: nn.Module, looked: Looked) -> dict[str, Any]:
        """What the model's own code is given of what a problem shows, where it is."""
        return _on(looked.features, next(body.parameters()))

    def _each(self, model: Any, body: nn.Module, looked: Sequence[Looked], counts: Sequence[int]) -> list[Given]:
        """The tower run now, for all together where that can be."""
        together = _together([one.features for one in looked])
        if together is None:
            return [self._caught(model, body, one.features, count) for one, count in zip(looked, counts, strict=True)]
        self.runs += len(looked) - 1  # and one that `_caught` counts
        embedding, layers = self._caught(model, body, together, sum(counts))
        split = [layer.split(list(counts)) for layer in layers]
        return [Given(part, tuple(layer[i] for layer in split)) for i, part in enumerate(embedding.split(list(counts)))]

    def glance(
        self, model: Any, parts: tuple[nn.Module, list[nn.Module]], looked: Sequence[Looked], counts: Sequence[int]
    ) -> None:
        """Keep what a tower that does not learn gives for these, run together; `given` then finds it.

        The same numbers as alone but for the rounding of sums.
        """
        body, between = parts
        if any(map(learns, (body, *between))):
            return
        state = state_of(body, *between)
        new = {("all", one.digest, state): (one, count) for one, count in zip(looked, counts, strict=True)}
        new = {key: value for key, value in new.items() if self.kept.get(key) is None}
        if new:
            asked, places = zip(*new.values(), strict=True)
            with torch.no_grad():
                for key, given in zip(new, self._each(model, body, asked, places), strict=True):
                    self.kept.put(key, given, numbers_in(given))

    def _projected(self, model: Any, body: nn.Module, looked: Looked, count: int, state: int) -> Given:
        key = "tower", looked.digest, state
        kept = self.kept.get(key)
        if kept is None:
            found = []
            hook = body.register_forward_hook(lambda module, given, gives: found.append(copy.copy(gives)))
            try:
                with torch.no_grad():
                    self._caught(model, body, looked.features, count)
            finally:
                hook.remove()
            kept = found[0]
            self.kept.put(key, kept, numbers_in(kept))
        with answering(body, kept):
            self.runs -= 1
            return self._caught(model, body, looked.features, count)

    def _once(self, model: Any, body: nn.Module, looked: Looked, count: int, state: int) -> Given:
        key = "all", looked.digest, state
        given = self.kept.get(key)
        if given is None:
            with torch.no_grad():
                given = self._caught(model, body, looked.features, count)
            self.kept.put(key, given, numbers_in(given))
        return given

    def _caught(self, model: Any, body: nn.Module, features: Mapping[str, Tensor], count: int) -> Given:
        weight = next(body.parameters())
        self.runs += 1
        told = _on(features, weight)
        # What the tower gives does not depend on the text around it, so the symbols alone will do. With positions that
        # are said the model does not look for its own.
        tokens = torch.full((1, count), self.symbol, device=weight.device)
        told |= {"input_ids": tokens, "position_ids": torch.arange(count, device=weight.device)[None]}
        found = caught(model, **told)
        return Given(found["inputs_embeds"][0], tuple(found.get("deepstack_visual_embeds") or ()))


def learns(module: nn.Module) -> bool:
    """Whether a weight of this module is trained."""
    return any(weight.requires_grad for weight in module.parameters())


def _together(each: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor] | None:
    """The inputs of several problems behind one another, where they have one shape but for that."""
    shapes = [{name: values.shape[1:] for name, values in one.items()} for one in each]
    if not each or any(shape != shapes[0] for shape in shapes):
        return None
    return {name: torch.cat([one[name] for one in each]) for name in each[0]}


def _on(features: Mapping[str, Tensor], weight: Tensor) -> dict[str, Any]:
    return {
        name: values.to(weight.device, weight.dtype if values.is_floating_point() else None)
        for name, values in features.items()
    }
