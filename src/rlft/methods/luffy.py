"""LUFFY: a teacher's rows in every group. Yan et al. 2025, "Learning to Reason under Off-Policy Guidance",
arXiv:2504.14945, Section 3.

Differs from `grpo` in one more row of each group, its problem's demonstration, which counts in the group's mean and
deviation; its ratio is to a teacher who is taken to be certain, shaped so that what is unlikely is learned too. No KL.

    f(pi) = pi / (pi + shaping)
    loss_d = -min(r A_i, clip(r, 1-clip, 1+clip) A_i)     of a row that was drawn
    loss_d = -f(pi(d)) A_i                                of a demonstration
    loss   = 1/(sum_i |i|) sum_i sum_d loss_d,            A_i = (R_i - mean R) / std R over the G + 1 rows

The authors' code takes the mean from the drawn rows alone, leaves out deviation and clip, and divides by a constant.
Without a demonstration it is `tricks(std="group")`: GRPO without KL and with the token mean.
"""

import torch

from rlft.advantages import zscore
from rlft.advantages.demonstrated import among_demonstrations
from rlft.collect.guided import guided
from rlft.losses import clipped, ppo_clip, shaped
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Teachable, Update, published


@published
def luffy(shaping: float = 0.1, earned: float = 1.0, clip: float = 0.2, epochs: int = 1) -> Method:
    """LUFFY.

    Args:
        shaping: below which probability a demonstration's tokens are learned with nearly all weight that they can have.
        earned: the reward of a demonstration, which is taken to be right; nobody scores it.
        clip: how far the ratio of a drawn row may move from 1.
        epochs: passes over each batch.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss, held = (part(ratio, rollouts.advantages, clip, clip) for part in (ppo_clip, clipped))
        if rollouts.has("demonstrated"):
            taught = rollouts.column("demonstrated")[:, None]
            loss = torch.where(taught, -shaped(logp, shaping) * rollouts.advantages, loss)
            held = held & ~taught
        return loss, {"clipped": held}

    return Method(
        advantage=among_demonstrations(zscore),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        collect=guided(earned),
        epochs=epochs,
        min_group=2,
        needs=(Teachable,),
    )
