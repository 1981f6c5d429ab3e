"""An actor in a latent world model: it acts on what it believes, and learns from what it imagines. Learns no model.

B beliefs, H steps imagined, F, D, S, A numbers of a latent, of h, of z and of an action.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from rlft.environments.acted import Acted
from rlft.environments.protocol import Box, Drawn, Environment, Episode, Space
from rlft.models.mlp import MLP
from rlft.noise import normal
from rlft.types import UserError
from rlft.worldmodels.rssm import RSSM, Latents

Head = Callable[[Space, int], Any]
"""A distribution of actions: `(space, chunk)` -> one with `inputs`, `candidates` and `moments`, a tanh-Gaussian's."""


class Dreamer(nn.Module):
    """A policy with a world model: it acts on a belief that the model's posterior keeps, one action at a time.

    A belief is [h, z, the action before]. Acting draws z from the posterior and the action from the head; with zeros
    for noise both are where they are centred.

    head   of the actor, reparameterised: `policies.control.heads.StateTanhGaussian`, say
    """

    chunk = 1

    def __init__(self, environment: Environment, model: RSSM, head: Head, *, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(environment.action, Box):
            raise UserError(
                f"{environment.name} has a list of actions, and the gradient of what is imagined passes through real "
                "numbers: use ppo, or sac, cql, iql or pa_rl"
            )
        self.environment, self.model, self.head = environment, model, head(environment.action, 1)
        features, inputs = model.deter + model.stoch, int(self.head.inputs)
        self.actor = MLP([features, width, inputs], seed + 10, last=0.01, activation=functional.elu)
        self.value = MLP([features, width, 1], seed + 11, last=0.1, activation=functional.elu)
        self.actions = environment.action.size
        # What the last fit of the model leaves for the descents that follow it in the same update.
        self.latents: Latents | None = None
        self.dream: Dream | None = None

    def blank(self, rows: int) -> Float[Tensor, "N M"]:
        """Zeros: nothing was seen or done."""
        return self.actor.weights[0].new_zeros(rows, self.model.deter + self.model.stoch + self.actions)

    def believe(self, belief: Float[Tensor, "N M"], observation: Float[Tensor, "N O"]) -> Float[Tensor, "N M"]:
        """The mean of the posterior; `act` draws around it. The action before is kept."""
        h, z, action = belief.split([self.model.deter, self.model.stoch, self.actions], dim=-1)
        h = self.model.onward(h, z, action)
        q = self.model.believed(h, self.model.embed(observation))
        return torch.cat([h, q.mean, action], dim=-1)

    def did(self, belief: Float[Tensor, "N M"], action: Float[Tensor, "N 1 A"]) -> Float[Tensor, "N M"]:
        """The belief with this action in the place of the one before."""
        return torch.cat([belief[:, : -self.actions], action[:, 0]], dim=-1)

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D A"]:
        """The actor's."""
        return normal(keys, decisions, (self.actions,))

    def act(self, observation: Float[Tensor, "N M"], noise: Float[Tensor, "N A"]) -> Float[Tensor, "N 1 A"]:
        """A draw of the actor on this belief."""
        mean, log_std = self.head.moments(self.actor(observation[:, : -self.actions]))
        return (mean + log_std.exp() * noise[:, None].to(mean)).tanh()

    def deterministic(self) -> Acted:
        """As it is used when trained: z and actions where they are centred."""
        return Acted(Centred(self), self.environment)

    def show(self, output: Episode) -> dict[str, Any]:
        """A trajectory as its environment draws it; rewards over time where it does not draw."""
        if isinstance(self.environment, Drawn):
            return self.environment.picture(output)
        return {"kind": "trajectory", "series": {"reward": output.rewards.tolist()}}

    def save(self, folder: Path) -> None:
        """`weights.safetensors`: a state dict, for a policy of the same environment and size to load."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({n: w.contiguous() for n, w in self.state_dict().items()}, folder / "weights.safetensors")


class Centred:
    """Acts as a believing policy does without its noise."""

    chunk = 1

    def __init__(self, policy: Dreamer) -> None:
        self.policy, self.blank, self.believe, self.did = policy, policy.blank, policy.believe, policy.did

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D A"]:
        """Zeros."""
        return torch.zeros(len(keys), len(decisions), self.policy.actions, dtype=torch.float64, device=keys.device)

    def act(self, observation: Float[Tensor, "N M"], noise: Float[Tensor, "N A"]) -> Float[Tensor, "N 1 A"]:
        """The actor's centre."""
        return self.policy.act(observation, noise)


class Dream(NamedTuple):
    """What was imagined from B beliefs in H steps; place t's action leads to place t + 1.

    features   of H + 1 places, with gradient to the actor through all actions before
    entropy    of the action taken in each of the first H, a one-draw estimate in nats
    returns    λ-returns of the first H places, with gradient
    weight     the chance that the world has gone on up to each of them, without gradient
    """

    features: Float[Tensor, "B T F"]
    entropy: Float[Tensor, "B H"]
    returns: Float[Tensor, "B H"]
    weight: Float[Tensor, "B H"]


def lambda_return(
    reward: Float[Tensor, "B H"], value: Float[Tensor, "B T"], discount: Float[Tensor, "B H"], lam: float
) -> Float[Tensor, "B H"]:
    """G_t = r_{t+1} + d_{t+1} ((1 - λ) V_{t+1} + λ G_{t+1}),  G_H = V_H  (arXiv:1912.01603, Eq. 6; 2010.02193, Eq. 4).

    reward, discount   of the step that place t's action takes, to place t + 1; the values are of all T = H + 1 places

    With the same discount γ everywhere and a world that ends (V_H = 0) it is V + `gae_scan`. λ=0: one-step; λ=1: the
    rewards and the last value.
    """
    ahead, found = value[:, -1], []
    for t in reversed(range(reward.shape[1])):
        ahead = reward[:, t] + discount[:, t] * ((1 - lam) * value[:, t + 1] + lam * ahead)
        found.append(ahead)
    return torch.stack(found[::-1], dim=1)


def imagine(
    policy: Dreamer, latents: Latents, horizon: int, gamma: float, lam: float, generator: torch.Generator
) -> Dream:
    """Roll the actor out in the model from all these latents. The actor's input has no gradient, its actions have."""
    model = policy.model
    h, z = latents.h.detach().flatten(0, -2), latents.z.detach().flatten(0, -2)
    features, entropy = [torch.cat([h, z], dim=-1)], []
    for _ in range(horizon):
        drawn = policy.head.candidates(policy.actor(features[-1].detach()), 1, generator)
        noise = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
        h, z = model.step(h, z, drawn.action[:, 0, 0], noise)
        features.append(torch.cat([h, z], dim=-1))
        entropy.append(-drawn.log_prob[:, 0])
    places = torch.stack(features, dim=1)
    reward, going = model.reward(places[:, 1:])[..., 0], model.going(places[:, 1:])[..., 0].sigmoid()
    discount = gamma * going
    returns = lambda_return(reward, policy.value(places)[..., 0], discount, lam)
    first = torch.ones_like(discount[:, :1])
    weight = torch.cat([first, discount[:, :-1]], dim=1).detach().cumprod(dim=1)
    return Dream(places, torch.stack(entropy, dim=1), returns, weight)
