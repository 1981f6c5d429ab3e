"""Actions as tokens: each number of a decision is one of a few bins, drawn after those before it. No environment.

h actions of A numbers in a decision, L = h·A tokens: the first action's numbers, then the second's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from rlft.environments.protocol import Box, Space
from rlft.models.mlp import MLP
from rlft.noise import uniform
from rlft.policies.control.heads import inverse
from rlft.types import UserError


class Binned(nn.Module):
    """An autoregressive distribution over bins (as in RT-1, arXiv:2212.06817; OpenVLA, arXiv:2406.09246).

        log p(bins | s) = Σ_i log softmax(net(s, what was chosen before i, i))[bin_i]

    The box [-1, 1] is cut into `bins` of equal width in each dimension, and a bin is executed as its centre, so an
    action is met within half a bin. Probabilities are of bins: their logarithms sum over a decision, and exponentials
    over all decisions to 1. Any shape can be drawn, several modes and what depends on what; its draws have no gradient.

    bins    in each dimension
    width   of the network that reads the state's features and the earlier actions, one for all tokens
    seed    of its weights
    """

    dtype = torch.int64

    def __init__(self, space: Space, chunk: int, bins: int = 21, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(space, Box):
            raise UserError(f"bins cut up a Box of actions, not {space}; use Categorical")
        if bins < 2 or width < 1:
            raise UserError(f"actions need at least 2 bins and a network of width 1, not {bins} and {width}")
        self.space, self.shape, self.bins = space, (chunk, space.size), bins
        self.tokens, self.inputs = chunk * space.size, width
        self.net = MLP([width + 2 * self.tokens, width, bins], seed + 3000, 0.01)

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D h A"]:
        tokens = decisions[:, None] * self.tokens + torch.arange(self.tokens, device=decisions.device)
        return uniform(keys, tokens.flatten()).unflatten(1, (len(decisions), *self.shape))

    def logits(self, outputs: Float[Tensor, "*N F"], unit: Float[Tensor, "*N L"]) -> Float[Tensor, "*N L n"]:
        """Of all tokens, each given the actions `unit` that come before it."""
        features = self._features(outputs)[..., None, :].expand(*outputs.shape[:-1], self.tokens, -1)
        which = torch.eye(self.tokens).to(unit).expand(*features.shape[:-1], -1)
        before = unit[..., None, :].expand_as(which).tril(-1)
        return self.net(torch.cat([features, before, which], dim=-1))

    def _features(self, outputs: Float[Tensor, "*N F"]) -> Float[Tensor, "*N F"]:
        # the network of the state ends with small weights, as suits means and logits and not features
        return functional.layer_norm(outputs, outputs.shape[-1:])

    def draw(self, outputs: Float[Tensor, "N F"], noise: Float[Tensor, "N h A"]) -> Int[Tensor, "N h A"]:
        u = noise.flatten(1).to(outputs.dtype)
        return self._one_by_one(outputs, lambda logits, i: inverse(logits, u[:, i]))

    def mode(self, outputs: Float[Tensor, "N F"]) -> Int[Tensor, "N h A"]:
        """The likeliest bin of each token after those before it: greedy, and not always the likeliest decision."""
        return self._one_by_one(outputs, lambda logits, i: logits.argmax(dim=-1))

    def log_prob(self, outputs: Float[Tensor, "*N F"], decision: Int[Tensor, "*N h A"]) -> Float[Tensor, "*N h"]:
        unit = self.unit(decision).flatten(-2).to(outputs.dtype)
        chosen = self.logits(outputs, unit).log_softmax(dim=-1).gather(-1, decision.flatten(-2)[..., None])[..., 0]
        return chosen.unflatten(-1, self.shape).sum(dim=-1)

    def action(self, decision: Int[Tensor, "*N h A"]) -> Float[Tensor, "*N h A"]:
        return self.space.stretch(self.unit(decision))

    def decision(self, action: Float[Tensor, "*N h A"]) -> Int[Tensor, "*N h A"]:
        return self.inside(self.space.unit(action))

    def unit(self, decision: Int[Tensor, "*N h A"]) -> Float[Tensor, "*N h A"]:
        """Centres of bins, in float64."""
        return (2 * decision.double() + 1) / self.bins - 1

    def inside(self, unit: Float[Tensor, "*N h A"]) -> Int[Tensor, "*N h A"]:
        return ((unit.double() + 1) / 2 * self.bins).floor().long().clamp(0, self.bins - 1)

    def propose(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Float[Tensor, "B n h A"]:
        """n draws."""
        u = torch.rand((len(outputs) * n, *self.shape), generator=generator, dtype=outputs.dtype).to(outputs.device)
        return self.unit(self.draw(outputs.repeat_interleave(n, dim=0), u)).unflatten(0, (-1, n)).to(outputs.dtype)

    @torch.no_grad()
    def _one_by_one(self, outputs: Tensor, choose: Callable[[Tensor, int], Tensor]) -> Int[Tensor, "N h A"]:
        """What `choose` makes of each token's logits, the tokens before it chosen already: `logits` step by step."""
        chosen = torch.zeros(len(outputs), self.tokens, dtype=torch.int64, device=outputs.device)
        inputs = torch.cat([self._features(outputs), outputs.new_zeros(len(outputs), 2 * self.tokens)], dim=1)
        before, which = inputs[:, self.inputs :].chunk(2, dim=1)
        for i in range(self.tokens):
            which.copy_(functional.one_hot(torch.tensor(i), self.tokens))
            chosen[:, i] = choose(self.net(inputs), i)
            before[:, i] = (2 * chosen[:, i] + 1) / self.bins - 1
        return chosen.unflatten(1, self.shape)
