"""RePo's alignment at test time: a new look of the same world, and only the encoder learns. Zhu et al. 2023,
arXiv:2309.00082, Sec. 4 (the plain variant, with rewards).

Differs from `repo` in what moves: dynamics, heads, actor and value stay as they are, and so does beta.

    loss = 1/2 (r - r̂)² - log p(goes on) + beta KL(q(z | h, o) || p(z | h))         with respect to the encoder alone
"""

from rlft.offpolicy.method import Descent, Fit, OffPolicy
from rlft.types import published
from rlft.types.acting import Believing
from rlft.worldmodels.learning import encoder_parameters, observed
from rlft.worldmodels.rssm import terms


@published
def repo_align(beta: float = 0.1, steps: int = 50) -> OffPolicy:
    """RePo's alignment.

    Args:
        beta: weight of the KL.
        steps: of the sequences.
    """

    def encoder_loss(agent, batch, generator) -> Fit:
        reward, going, kl = terms(agent.policy.model, batch, observed(agent, batch, generator), 0.0)
        return Fit(reward + going + beta * kl, {"kl/latent": kl.detach(), "loss/reward": reward.detach()})

    return OffPolicy(
        (Descent(encoder_loss, encoder_parameters),), critics=0, steps=steps, whole=True, needs=(Believing,)
    )
