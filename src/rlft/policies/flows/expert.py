"""A flow that reads what a language model has in mind and draws how to act, as Alpamayo-R1's action expert does
(arXiv:2511.00088). The model never learns from it: what it reads is detached.

Not a policy: nothing is drawn by it that a method could score. N rows, h actions of A numbers, H numbers of a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.models.mlp import MLP
from rlft.models.rates import rate_at
from rlft.models.schedules import RectifiedFlow
from rlft.policies.control.flow import CLOCK, along, matching, told
from rlft.policies.language.policy import Language
from rlft.policies.language.rows import prompts_in
from rlft.policies.language.text import padded
from rlft.types import Rollouts, UserError


@final
class ActionExpert(nn.Module):
    """A velocity of h actions given a state of mind, fitted by flow matching and followed by Euler's steps.

        loss = (v(s, x_t, t) - (x_1 - a))²,   x_t = (1 - t) a + t x_1,   s = stop-gradient(state)

    hidden  H, numbers of a state
    shape   (h, A), of numbers in about ±1
    width   of the network, and `layers` of it
    steps   of Euler's; the paper takes ten, delta = 0.1
    """

    def __init__(
        self, hidden: int, shape: Sequence[int], *, steps: int = 10, width: int = 128, layers: int = 3, seed: int = 0
    ) -> None:
        super().__init__()
        if len(shape) != 2 or min(hidden, steps, *shape) < 1:
            raise UserError(f"an expert has a state, steps and a shape (h, A), not {hidden}, {steps} and {shape}")
        self.shape, self.times = tuple(shape), RectifiedFlow().times(steps).tolist()
        numbers = shape[0] * shape[1]
        self.net = MLP([hidden + numbers + CLOCK, *[width] * layers, numbers], seed, 0.01, torch.relu)
        self.register_buffer("mean", torch.zeros(hidden))
        self.register_buffer("deviation", torch.ones(hidden))

    def velocity(self, state: Float[Tensor, "N H"], x: Float[Tensor, "N h A"], t: Float[Tensor, "N"]) -> Tensor:
        """dx/dt, an estimate of noise less actions; no gradient goes on into the state."""
        known = (state.detach() - self.mean) / self.deviation
        return self.net(told(known, x, t)).unflatten(1, self.shape)

    def standardise(self, state: Float[Tensor, "N H"]) -> None:
        """Take these states for what states are like: from now on they are read in units of their deviation."""
        self.mean, self.deviation = state.mean(0), state.std(0) + 1e-3

    def loss(
        self, state: Float[Tensor, "N H"], action: Float[Tensor, "N h A"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Flow matching at one time and one noise for each row, the mean over all numbers."""
        return matching(self.velocity, state, action, generator).mean()

    @torch.no_grad()
    def decode(self, state: Float[Tensor, "N H"], noise: Float[Tensor, "N h A"]) -> Float[Tensor, "N h A"]:
        """Where the flow leads from this noise, within ±1."""
        return along(self.velocity, state, noise, self.times).clamp(-1, 1)

    def fit(
        self,
        state: Float[Tensor, "N H"],
        action: Float[Tensor, "N h A"],
        steps: int,
        batch: int = 256,
        lr: float = 2e-3,
    ) -> float:
        """Fit it to these rows, `batch` of them at a time by Adam; the mean loss of the last tenth of the steps."""
        generator = torch.Generator().manual_seed(0)
        optimizer, losses = torch.optim.Adam(self.parameters(), lr=lr), []
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = rate_at(lr, step, steps, min(20, steps))
            rows = torch.randint(len(state), (min(batch, len(state)),), generator=generator)
            optimizer.zero_grad()
            loss = self.loss(state[rows], action[rows], generator)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        last = losses[-max(steps // 10, 1) :]
        return sum(last) / len(last)


@torch.no_grad()
def minds(policy: Language, rollouts: Rollouts, at: Int[Tensor, "N"]) -> Float[Tensor, "N H"]:
    """What the model has in mind before the decision `at` of each row, of a reason that is told when it is to act.

    The states of all its layers, the embedding's too, at the last token and on average over all tokens until then, so
    H = 2 (layers + 1) width; it stands for the cache of keys and values that the paper's expert reads. Of models that
    read text; UserError for one that is shown something.
    """
    prompts = prompts_in(rollouts.trace)
    if policy.sight(rollouts.problems, prompts) is not None:
        raise UserError("an action expert reads the states of a model of text, and this one is shown something")
    kept = [row[:cut] for row, cut in zip(rollouts.trace["completion"].tolist(), at.tolist(), strict=True)]
    rows = [[*prompt, *begun] for prompt, begun in zip(prompts, kept, strict=True)]
    tokens = padded(rows, policy.device)
    length = torch.tensor([len(row) for row in rows], device=policy.device)
    read = torch.arange(tokens.shape[1], device=policy.device) < length[:, None]
    seen = policy.causal(tokens, attention_mask=read.long(), output_hidden_states=True).hidden_states
    mean = [(layer * read[..., None]).sum(1) / length[:, None] for layer in seen]
    last = [layer[torch.arange(len(rows)), length - 1] for layer in seen]
    return torch.cat([*mean, *last], dim=1).float()
