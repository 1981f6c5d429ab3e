"""Descents of an agent with a world model: its actor and its value, in what it imagines. The model's is a method's."""

from __future__ import annotations

import torch
from torch import nn

from rlft.offpolicy.buffer import Batch
from rlft.offpolicy.method import Agent, Descent, Fit
from rlft.worldmodels.imagination import Dreamer, imagine
from rlft.worldmodels.rssm import Latents, sequences


def model_parameters(agent: Agent) -> list[nn.Parameter]:
    """The world model's weights, its probe's too."""
    return list(agent.policy.model.parameters())


def encoder_parameters(agent: Agent) -> list[nn.Parameter]:
    """The encoder's weights."""
    return list(agent.policy.model.encoder.parameters())


def actor_parameters(agent: Agent) -> list[nn.Parameter]:
    """The actor's weights."""
    return [*agent.policy.actor.parameters(), *agent.policy.head.parameters()]


def value_parameters(agent: Agent) -> list[nn.Parameter]:
    """The weights of the value of beliefs."""
    return list(agent.policy.value.parameters())


def observed(agent: Agent, batch: Batch, generator: torch.Generator) -> Latents:
    """The latents of a batch of whole windows, which the descents that follow in this update imagine from."""
    policy: Dreamer = agent.policy
    seen, _ = sequences(batch)
    noise = torch.randn(*seen.shape[:2], policy.model.stoch, generator=generator, dtype=seen.dtype).to(seen.device)
    policy.latents = policy.model.observe(seen, batch.action, noise)
    return policy.latents


def dreaming(horizon: int, gamma: float, lam: float, entropy: float, lr: float) -> tuple[Descent, Descent]:
    """The actor's descent, and the value's (arXiv:1912.01603, Eqs. 7, 8).

    actor:  -mean w (G^λ + entropy · H(π)), its gradient through the model         value:  mean w 1/2 (V - sg G^λ)²

    G^λ from every latent of the batch, w the chance that the imagined world has gone on so far. `lr` is relative to
    the Learner's.
    """

    def actor_loss(agent: Agent, batch: Batch, generator: torch.Generator) -> Fit:
        policy: Dreamer = agent.policy
        assert policy.latents is not None
        dream = policy.dream = imagine(policy, policy.latents, horizon, gamma, lam, generator)
        gain = dream.returns + entropy * dream.entropy
        notes = {"imagined": dream.returns.detach().mean(), "entropy": dream.entropy.detach().mean()}
        return Fit(-(dream.weight * gain).mean(), notes)

    def value_loss(agent: Agent, batch: Batch, generator: torch.Generator) -> Fit:
        dream = agent.policy.dream
        value = agent.policy.value(dream.features[:, :-1].detach())[..., 0]
        return Fit((dream.weight * 0.5 * (value - dream.returns.detach()).square()).mean())

    return Descent(actor_loss, actor_parameters, lr=lr), Descent(value_loss, value_parameters, "value", lr=lr)
