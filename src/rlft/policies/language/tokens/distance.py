"""How unsure a model is of the next token, and how far from another, over the whole vocabulary. Knows no rollouts."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rlft.policies.language.tokens.scoring import Causal, logits_of


def reverse_kl(logits: Float[Tensor, "M V"], others: Float[Tensor, "M V"]) -> Float[Tensor, "M"]:
    """KL(p || q) = sum_v p_v (log p_v - log q_v) of p = softmax(logits), q = softmax(others), in nats.

    The gradient to a logit is p_v (log p_v - log q_v - KL), and none goes to q. It is 0 where the two are equal.
    """
    mine, theirs = logits.log_softmax(-1), others.detach().log_softmax(-1)
    return (mine.exp() * (mine - theirs)).sum(-1)


def distances(
    model: Causal, hidden: Float[Tensor, "M H"], other: Causal, known: Float[Tensor, "M K"], at_once: int
) -> Float[Tensor, "M"]:
    """KL(model || other) of M decisions, from what the head of each sees before them; see `reverse_kl`.

    Where one has more logits than the other, which pads its vocabulary, those that both have are compared. At most
    `at_once` logits of each exist at a time, also in the backward pass, which computes each piece again.
    """

    def piece(hidden: Tensor, known: Tensor) -> Tensor:
        mine = logits_of(model, hidden)
        with torch.no_grad():
            theirs = logits_of(other, known)
        width = min(mine.shape[-1], theirs.shape[-1])
        return reverse_kl(mine[:, :width], theirs[:, :width].to(mine.dtype))

    size = max(1, at_once // model.get_output_embeddings().weight.shape[0])
    pieces = list(zip(hidden.split(size), known.split(size), strict=True))
    if len(pieces) == 1:
        return piece(*pieces[0])
    return torch.cat([checkpoint(piece, *each, use_reentrant=False, preserve_rng_state=False) for each in pieces])


@torch.no_grad()
def entropies(model: Causal, hidden: Float[Tensor, "M H"], at_once: int) -> Float[Tensor, "M"]:
    """-sum_v p_v log p_v of p = softmax(logits) at M decisions, nats; `at_once` logits exist at a time."""
    found = []
    for piece in hidden.split(max(1, at_once // model.get_output_embeddings().weight.shape[0])):
        logp = logits_of(model, piece).log_softmax(-1)
        found.append(-torch.where(logp.isfinite(), logp.exp() * logp, 0).sum(-1))
    return torch.cat(found)
