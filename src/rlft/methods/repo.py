"""RePo: a latent world model that is told of observations no more than it needs. Zhu et al. 2023, arXiv:2309.00082,
Eqs. 2-5.

Differs from `dreamer` in the model's loss: rewards alone are to be predicted, and what a latent says that could not be
foreseen is bounded, so what is in the picture and has no part in rewards is left out. The decoder is a probe.

    loss/model = 1/2 (r - r̂)² - log p(goes on) + beta KL(q(z | h, o) || p(z | h)) + probe,    KL ≤ eps
    log beta  += beta_lr (KL - eps)                                                        (dual ascent)
    KL         = a KL(sg q || p) + (1 - a) KL(q || sg p),  a = balance / (1 + balance)
"""

from rlft.offpolicy.dual import Dual
from rlft.offpolicy.method import Descent, Fit, OffPolicy
from rlft.types import published
from rlft.types.acting import Believing
from rlft.worldmodels.learning import dreaming, model_parameters, observed
from rlft.worldmodels.rssm import picture, terms


@published
def repo(
    eps: float = 3.0,
    beta: float = 1e-5,
    beta_lr: float = 1e-4,
    balance: float = 5.0,
    steps: int = 50,
    horizon: int = 15,
    gamma: float = 0.99,
    lam: float = 0.95,
    entropy: float = 3e-4,
    actor_lr: float = 0.27,
    updates: float = 0.2,
) -> OffPolicy:
    """RePo.

    Args:
        eps: largest KL of a latent's posterior from its prior, nats.
        beta: where the weight of the KL starts.
        beta_lr: learning rate of its logarithm; 0 keeps it.
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
        probe = picture(agent.policy.model, batch, latents.features.detach())
        notes = {"kl/latent": kl.detach(), "loss/reward": reward.detach(), "loss/picture": probe.detach()}
        notes["kl/over"] = kl.detach() - eps
        return Fit(reward + going + agent.weight("beta") * kl + probe, notes, {"beta": kl})

    return OffPolicy(
        descents=(
            Descent(model_loss, model_parameters, "model"),
            *dreaming(horizon, gamma, lam, entropy, actor_lr),
        ),
        critics=0,
        steps=steps,
        whole=True,
        duals={"beta": lambda space, chunk: Dual.at_most(eps, beta, beta_lr)},
        needs=(Believing,),
    )
