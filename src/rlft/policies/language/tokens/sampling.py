"""How tokens are drawn: temperature, nucleus, inverse CDF, and the loop over tokens. Knows no model and no text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from rlft.types import UserError

# Rows that have ended are dropped once a quarter of the batch has: moving the cache costs about one step.
_KEEP = 0.75
# Asking whether all rows have ended stalls the queue of an accelerator, and decoding text costs time anywhere.
_PATIENCE = 8


@dataclass(frozen=True)
class Sampling:
    """What a token is drawn from: softmax(logits / temperature), cut to the `top_k` most likely tokens and then to
    the smallest set of them that holds `top_p` of the mass (Holtzman et al. 2020, arXiv:1904.09751), of which those
    stay that have `min_p` times the likeliest one's probability (Nguyen et al. 2024, arXiv:2407.01082), renormalised.

    Args:
        max_new_tokens: tokens in a completion at most.
        temperature: of the distribution that is sampled and trained; 0 is greedy, to evaluate with.
        top_p: nucleus that is sampled and trained; 1 is everything.
        top_k: likeliest tokens that are sampled and trained; 0 is all.
        min_p: least probability that is sampled and trained, as a share of the likeliest token's; 0 is none.
    """

    max_new_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise UserError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"temperature is {self.temperature}; it must be 0 (greedy) or positive")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p is {self.top_p}; it must lie in (0, 1], and 1 cuts nothing")
        if self.top_k < 0:
            raise UserError(f"top_k is {self.top_k}; it must be 0 (cuts nothing) or positive")
        if not 0 <= self.min_p <= 1:
            raise UserError(f"min_p is {self.min_p}; it must lie in [0, 1], and 0 cuts nothing")

    @property
    def truncates(self) -> bool:
        """Whether a decision is drawn from less than the whole vocabulary, so that its support must be kept."""
        return self.temperature > 0 and (self.top_p < 1 or self.top_k > 0 or self.min_p > 0)

    def shaped(self, logits: Float[Tensor, "n V"]) -> tuple[Float[Tensor, "n V"], Bool[Tensor, "n V"] | None]:
        """Log-probabilities of what is drawn from, -inf where nothing is, and the support where something was cut.

        The one place that says what these numbers do to a distribution; whatever draws tokens here asks it.
        """
        if self.temperature == 0:
            best = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, logits.argmax(-1, keepdim=True), True)
            return torch.zeros_like(logits).masked_fill(~best, -math.inf), None
        scores = logits if self.temperature == 1 else logits / self.temperature
        if not self.truncates:
            return scores.log_softmax(-1), None
        kept = support_of(scores, self.top_k, self.top_p, self.min_p)
        return scores.masked_fill(~kept, -math.inf).log_softmax(-1), kept


@runtime_checkable
class Decoder(Protocol):
    """A model that has read some prompts and goes on one token at a time.

    One that moves rows cheaply has a `share` near 1: once fewer of its rows are going, the others are dropped.
    """

    def start(self, tokens: Tensor, lengths: Sequence[int], room: int) -> Tensor:
        """Read right-padded prompts [P L]; the logits [P V] after each. `room` is how many tokens may follow."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may be named several times. Once at least before any `step`."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Read one more token in each row [n]; the next logits [n V], which the next step may write over."""
        ...


class Drawn(NamedTuple):
    """tokens [N D] (whatever follows a row's end is meaningless), logp [N D], and the packed support [N D B]."""

    tokens: Tensor
    logp: Tensor
    support: Tensor | None


def support_of(scores: Float[Tensor, "n V"], top_k: int, top_p: float, min_p: float = 0.0) -> Bool[Tensor, "n V"]:
    """Which tokens can be drawn. A token stays if the mass before it, most likely first, is still below `top_p`, and
    its own is at least `min_p` times the likeliest one's."""
    width = scores.shape[-1]
    ranked, order = scores.topk(min(top_k or width, width), dim=-1)
    mass = ranked.softmax(-1)
    kept = mass.cumsum(-1) - mass < top_p
    if min_p:
        kept &= mass >= min_p * mass[:, :1]
    kept[:, 0] = True
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, order, kept)


def pack(bits: Bool[Tensor, "*n V"]) -> UInt8[Tensor, "*n B"]:
    """Eight to a byte, lowest first; B = ceil(V / 8)."""
    padded = torch.nn.functional.pad(bits, (0, -bits.shape[-1] % 8)).unflatten(-1, (-1, 8))
    places = 2 ** torch.arange(8, device=bits.device)
    return (padded * places).sum(-1).to(torch.uint8)


def unpack(packed: UInt8[Tensor, "*n B"], width: int) -> Bool[Tensor, "*n V"]:
    """The first `width` bits again."""
    bits = packed[..., None] >> torch.arange(8, dtype=torch.uint8, device=packed.device) & 1
    return bits.flatten(-2)[..., :width].bool()


def chosen(weights: Float[Tensor, "n V"], u: Float[Tensor, "n"]) -> Int[Tensor, "n"]:
    """A token by inverse CDF of weights that need not add up to 1, for uniform noise in (0, 1).

    The cumulative sum is float64: over a large vocabulary float32 would be off by more than many a token's mass.
    """
    cdf = weights.cumsum(-1, dtype=torch.float64)
    # The first entry at or above u·total, u > 0, has mass of its own: a token without any cannot be met.
    return torch.searchsorted(cdf, (u.double() * cdf[:, -1])[:, None]).clamp_(max=weights.shape[-1] - 1)[:, 0]


def draw(
    logits: Float[Tensor, "n V"], u: Float[Tensor, "n"], sampling: Sampling
) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"], UInt8[Tensor, "n B"] | None]:
    """A token as `chosen`, its log-probability under what it was drawn from, and the support."""
    if sampling.temperature == 0:
        return logits.argmax(-1), torch.zeros_like(logits[:, 0]), None
    logp, kept = sampling.shaped(logits)
    token = chosen(logp.exp(), u)
    return token, logp.gather(-1, token[:, None])[:, 0], None if kept is None else pack(kept)


class _Page:
    """The tensors that a roll-out fills; `live` are the rows still in the batch."""

    def __init__(self, u: Tensor, logits: Tensor, sampling: Sampling):
        (count, steps), device = u.shape, u.device
        self.u, self.sampling = u, sampling
        self.live = torch.arange(count, device=device)
        self.ended = torch.zeros(count, dtype=torch.bool, device=device)
        self.tokens = torch.zeros(count, steps, dtype=torch.long, device=device)
        self.logp = torch.zeros(count, steps, dtype=logits.dtype, device=device)
        width = (logits.shape[-1] + 7) // 8
        self.bits = torch.zeros(count, steps, width, dtype=torch.uint8, device=device) if sampling.truncates else None

    def write(self, t: int, logits: Tensor) -> Tensor:
        """Draw decision t of the live rows."""
        token, self.logp[self.live, t], support = draw(logits, self.u[self.live, t], self.sampling)
        self.tokens[self.live, t] = token
        if self.bits is not None and support is not None:
            self.bits[self.live, t] = support
        return token

    def drop(self, decoder: Decoder, token: Tensor, always: bool) -> Tensor:
        """Leave ended rows behind, where that pays or `always`; the tokens of those that stay."""
        going = (~self.ended[self.live]).nonzero()[:, 0]
        share = getattr(decoder, "share", _KEEP)
        if len(going) == len(self.live) or (not always and len(going) > max(0, share * len(self.live))):
            return token
        # The last rows take the places of those that have ended; the others stay where they are.
        rows = torch.arange(len(going), device=going.device)
        rows[self.ended[self.live[: len(going)]]] = going[going >= len(going)]
        self.live = self.live[rows]
        if len(rows):
            decoder.keep(rows)
        return token[rows]


def finite(numbers: Tensor) -> Tensor:
    """The same numbers; `FloatingPointError` if they are none."""
    if not numbers.isfinite().all():
        raise FloatingPointError("the model's logits are not numbers: the policy has diverged")
    return numbers


@torch.no_grad()
def roll_out(
    decoder: Decoder,
    prompts: tuple[Int[Tensor, "P L"], Sequence[int]],
    owner: Int[Tensor, "N"],
    u: Float[Tensor, "N D"],
    sampling: Sampling,
    ends: Int[Tensor, "E"],
    room: Sequence[int],
    stopped: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Drawn:
    """Draw up to `room[i]` tokens, of D, for each of N rows; it goes on from prompt `owner[i]`, which is read once.

    `stopped` says of rows [n] with tokens [n t] which hold a stop string; it is asked every few tokens, so rows overrun
    their end and the caller cuts them. None overruns its room: the model may have no place for more. What a row draws
    at decision t is its own `u[i, t]`, whoever else is in the batch.
    """
    logits = decoder.start(*prompts, room=u.shape[1])[owner]
    decoder.keep(owner)
    page = _Page(u, logits, sampling)
    patience = 1 if u.device.type == "cpu" else _PATIENCE
    last, full = torch.tensor(room, device=u.device), set(room)
    for t in range(u.shape[1]):
        token = page.write(t, logits)
        over = (token[:, None] == ends).any(1)
        page.ended[page.live] |= over | (last[page.live] == t + 1) if t + 1 in full else over
        if stopped is not None and (t + 1) % _PATIENCE == 0:
            page.ended[page.live] |= stopped(page.live, page.tokens[page.live, : t + 1])
        if (t + 1) % patience == 0 or t + 1 in full:
            token = page.drop(decoder, token, always=t + 1 in full)
        if len(page.live) == 0 or t + 1 == u.shape[1]:
            break
        logits = decoder.step(token)
    return Drawn(page.tokens, page.logp, page.bits)
