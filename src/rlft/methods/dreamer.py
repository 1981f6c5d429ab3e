"""Dreamer: behaviours learned in the latent imagination of a model that reconstructs. Hafner et al. 2020,
arXiv:1912.01603, Eqs. 6-10; the balanced KL is DreamerV2's (arXiv:2010.02193, Alg. 2).

Differs from `sac` in where the actor learns: in a recurrent state-space model of the world, fitted to sequences.

    loss/model = 1/2 |o - ô|² + 1/2 (r - r̂)² - log p(goes on) + beta KL(q(z | h, o) || p(z | h))
    loss       = -mean w (G^λ + eta H(π)),  the gradient of imagined λ-returns through the model
    loss/value = mean w 1/2 (V - sg G^λ)²
"""

from rlft.offpolicy.method import Descent, Fit, OffPolicy
from rlft.types import published
from rlft.types.acting import Believing
from rlft.worldmodels.learning import dreaming, model_parameters, observed
from rlft.worldmodels.rssm import picture, terms


@published
def dreamer(
    beta: float = 1.0,
    balance: float = 5.0,
    steps: int = 50,
    horizon: int = 15,
    gamma: float = 0.99,
    lam: float = 0.95,
    entropy: float = 3e-4,
    actor_lr: float = 0.27,
    updates: float = 0.2,
) -> OffPolicy:
    """Dreamer.

    Args:
        beta: weight of the KL.
        balance: the prior is moved by balance / (1 + balance) of the KL's gradient.
        steps: of the sequences that the model is fitted to.
        horizon: steps that are imagined.
        gamma: discount of each step.
        lam: of the λ-returns.
        entropy: weight of the actor's entropy, reward per nat.
        actor_lr: learning rate of actor and value, relative to the model's.
        updates: for each step of a world, which the recipe makes.
    """
    share = balance / (1 + balance)

    def model_loss(agent, batch, generator) -> Fit:
        latents = observed(agent, batch, generator)
        reward, going, kl = terms(agent.policy.model, batch, latents, share)
        drawn = picture(agent.policy.model, batch, latents.features)
        notes = {"kl/latent": kl.detach(), "loss/reward": reward.detach(), "loss/picture": drawn.detach()}
        return Fit(drawn + reward + going + beta * kl, notes)

    return OffPolicy(
        descents=(
            Descent(model_loss, model_parameters, "model"),
            *dreaming(horizon, gamma, lam, entropy, actor_lr),
        ),
        critics=0,
        steps=steps,
        whole=True,
        needs=(Believing,),
    )
