"""Towers of small models that see or hear, taught to tell what is in each patch before any word is spoken.

A decoder that learns from words alone takes long to find out where to look: what a patch shows is told once for each
answer. Here every patch is told what is in it. What has been learned is the tower's and its projector's; the heads
that told it are thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from rlft.models.rates import rate_at

# Pictures or sounds as the tower reads them, and for each patch of them a class for each head; -100 is not counted.
Lesson = tuple[Float[Tensor, "B ..."], Int[Tensor, "B patches heads"]]


def taught_tower(
    embed: Callable[[Tensor], Float[Tensor, "B patches H"]],
    parts: Sequence[nn.Module],
    lesson_at: Callable[[int], Lesson],
    classes: Sequence[int],
    steps: int,
    lr: float = 3e-3,
    seed: int = 0,
) -> list[float]:
    """Train `parts` so that a linear head on each embedded patch tells its classes; the loss of each step, in nats.

    The sum over heads of the mean cross-entropy, by AdamW at `rates.rate_at`. Parts that were frozen before are frozen
    again.

    embed    from what the tower reads to what the decoder is given for it, through all `parts`
    classes  how many each head tells apart
    """
    weights = [weight for part in parts for weight in part.parameters()]
    trained = [weight.requires_grad for weight in weights]
    for weight in weights:
        weight.requires_grad_(True)
    heads: Any = None
    losses = []
    for step in range(steps):
        shown, told = lesson_at(step)
        given = embed(shown)
        if heads is None:
            heads = _heads(given.shape[-1], classes, seed)
            optimizer = torch.optim.AdamW([*weights, *heads.parameters()], betas=(0.9, 0.95), weight_decay=0.0)
        optimizer.param_groups[0]["lr"] = rate_at(lr, step, steps)
        optimizer.zero_grad()
        each = [
            functional.cross_entropy(head(given).flatten(0, 1), told[..., k].flatten()) for k, head in enumerate(heads)
        ]
        loss = torch.stack(each).nan_to_num().sum()  # no number where no patch of the batch has this class
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
    for weight, before in zip(weights, trained, strict=True):
        weight.requires_grad_(before)
    return losses


def _heads(width: int, classes: Sequence[int], seed: int) -> nn.ModuleList:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.ModuleList([nn.Linear(width, count) for count in classes])


@torch.no_grad()
def even_out(last: nn.Linear, states: Float[Tensor, "M W"], least: float = 1e-5) -> None:
    """Change the last layer of what a tower gives so that its states have mean 0 and as good as no covariance.

    With covariance C = U diag(λ) Uᵀ of the states that it gives now, they become

        (x - mean) U (λ + least · max λ)^-1/2 Uᵀ                                         (ZCA, Bell and Sejnowski 1997)

    Nothing is lost; but where two directions hold nearly all the variance and what distinguishes things lies in the
    others, whoever reads the states next learns several times as fast.
    """
    wide = states.double()
    mean = wide.mean(0)
    values, axes = torch.linalg.eigh((wide - mean).T @ (wide - mean) / len(wide))
    turn = (axes * (values + least * values.max()) ** -0.5) @ axes.T
    last.bias.copy_((last.bias.double() - mean) @ turn)
    last.weight.copy_(turn @ last.weight.double())
