"""RLPD: online learning with offline data. Ball et al. 2023, arXiv:2302.02948, Alg. 1.

Differs from `sac` in its numbers alone: ten critics with layer normalisation, the least of two of them in the targets,
their mean for the policy, many updates for each environment step. Give its phase `offline=0.5` and `utd=updates`.

    critic loss = Σ_e mean 1/2 (Q_e(s, a) - r - gamma (1 - terminated) (min_{2 of e} Q̄_e(s', a') - alpha log π))²
    loss   = mean E_π [alpha log π(a|s) - mean_e Q_e(s, a)]        at every `updates`-th update
"""

from rlft.methods.sac import sac
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.method import OffPolicy
from rlft.offpolicy.values import mean
from rlft.types import published


@published
def rlpd(
    gamma: float = 0.99,
    tau: float = 0.005,
    alpha: float = 1.0,
    alpha_lr: float = 3e-4,
    critics: int = 10,
    subset: int = 2,
    updates: int = 20,
    backed_up: float = 1.0,
) -> OffPolicy:
    """RLPD.

    Args:
        gamma: discount of each environment step.
        tau: how far the target critics move at each update.
        alpha: where the temperature starts, reward per nat.
        alpha_lr: the temperature's own learning rate; 0 keeps it.
        critics: members of the ensemble.
        subset: members whose least value is the target, drawn anew at each update.
        updates: of the critics for one of the policy.
        backed_up: share of the entropy in the targets.
    """
    return sac(
        gamma=gamma,
        tau=tau,
        alpha=alpha,
        alpha_lr=alpha_lr,
        critics=critics,
        subset=subset,
        actor=mean,
        actor_every=updates,
        backed_up=backed_up,
        norm=layer_norm,
    )
