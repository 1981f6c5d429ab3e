"""Cal-QL: calibrated conservative learning. Nakamoto et al. 2023, arXiv:2303.05479, Eq. 6.

Differs from `cql` in one place: where the critic's value of the policy's own action is below the return that was
earned from that state, it is not pushed down further. So values start online from where they stand.

    critic loss = Σ_e mean [1/2 (Q_e(s, a) - y)² + w (log ∫ exp max(Q_e(s, π), R(s)) - Q_e(s, a))]
    loss = mean E_π [alpha log π(a|s) - min_e Q_e(s, a)]

R(s) are the buffer's Monte-Carlo returns. They are known of episodes that their world ended; where none is (-inf) it is
CQL. First on data alone, then with worlds and `offline=0.5`: two phases of one method.
"""

from rlft.methods.cql import cql
from rlft.offpolicy.conservative import calibrated
from rlft.offpolicy.critics import Norm, plain
from rlft.offpolicy.method import OffPolicy
from rlft.types import published


@published
def cal_ql(
    weight: float = 5.0,
    n: int = 10,
    gamma: float = 0.99,
    tau: float = 0.005,
    alpha: float = 1.0,
    alpha_lr: float = 3e-4,
    critics: int = 2,
    subset: int | None = None,
    steps: int = 1,
    norm: Norm = plain,
) -> OffPolicy:
    """Cal-QL.

    Args:
        weight: of the conservative term.
        n: actions of each kind in the conservative term, and in the backup.
        gamma: discount of each environment step, also of the returns.
        tau: how far the target critics move at each update.
        alpha: where the temperature starts, reward per nat.
        alpha_lr: the temperature's own learning rate; 0 keeps it.
        critics: members of the ensemble.
        subset: members whose least value is the target, drawn anew at each update; None is all.
        steps: of the windows that targets sum rewards over.
        norm: of the critics' hidden layers.
    """
    return cql(
        weight=weight,
        n=n,
        gamma=gamma,
        tau=tau,
        alpha=alpha,
        alpha_lr=alpha_lr,
        critics=critics,
        subset=subset,
        steps=steps,
        norm=norm,
        own=calibrated,
    )
