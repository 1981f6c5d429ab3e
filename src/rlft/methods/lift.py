"""LIFT: fine-tuning that explores inside a physics-informed world model. 2026, arXiv:2601.21363, and its code.

Differs from `sac` in what is played and what is learned from. The real world sees the policy's action without noise. A
model of the world, known mechanics whose missing forces a network adds, is fitted to what was seen; the policy explores
in rollouts of it, which begin in real states and grow longer as the model does; and a batch has 94 % of their steps.
The last step of an episode that a time limit cut off is left out of the critics' loss and not bootstrapped.

    q̈      = M(q)⁻¹ (forces(q, q̇, a) - bias(q, q̇) + f(o, a)),  s' ~ N(integrated, exp(s(o, a)))        the model
    critic loss = Σ_e mean_{not cut} 1/2 (Q_e(s, a) - r - gamma (1 - terminated) V(s'))²
    loss   = mean E_π [alpha log π(a|s) - min_e Q_e(s, a)]

With model=black_box it is MBPO (arXiv:1906.08253) with deterministic collection. With real=1 nothing is imagined; with
acted=drawn besides, and where no episode is cut off, it is SAC.
"""

from typing import Literal

from rlft.methods.sac import sac
from rlft.offpolicy.actors import centred, uncut
from rlft.offpolicy.method import OffPolicy, itself
from rlft.types import published
from rlft.types.acting import Central
from rlft.worldmodels.inside import Imagination, Plan, model_of


@published
def lift(
    gamma: float = 0.99,
    tau: float = 0.005,
    alpha: float = 0.1,
    alpha_lr: float = 3e-4,
    entropy: float | None = None,
    acted: Literal["centre", "drawn"] = "centre",
    model: Literal["physics", "black_box"] | None = None,
    members: int = 5,
    real: float = 0.06,
    refit: int = 1000,
    fits: int = 500,
    unroll: int = 4,
    starts: int = 400,
    every: int = 20,
    horizon: int = 20,
    grows: int = 10,
) -> OffPolicy:
    """LIFT.

    Args:
        gamma: discount of each environment step.
        tau: how far the target critics move at each update.
        alpha: where the temperature starts, reward per nat.
        alpha_lr: the temperature's own learning rate; 0 keeps it.
        entropy: least entropy of a decision, nats; None is `usual_entropy` of the space.
        acted: what the world sees: the action without noise, or a draw, as SAC has it.
        model: of the world; None is physics where something is known of its mechanics, else black_box.
        members: networks of a black box.
        real: share of real steps in a batch; 1 learns from nothing else.
        refit: real steps between two fits of the model.
        fits: updates of the model in each.
        unroll: steps over which a model of physics is fitted.
        starts: imagined rollouts in a round.
        every: updates for a round.
        horizon: steps of a rollout in the end; the first have one.
        grows: fits until then.
    """
    base = sac(gamma=gamma, tau=tau, alpha=alpha, alpha_lr=alpha_lr, entropy=entropy)
    critic, actor = base.descents
    plan = Plan(min(real, 0.999), refit, fits, unroll=unroll, starts=starts, every=every, horizon=horizon, grows=grows)

    def inside(agent, world, hidden, seed) -> Imagination:
        return Imagination(model_of(model, world, hidden, members, seed), agent, plan, seed)

    return OffPolicy(
        descents=(uncut(critic), actor),
        tau=tau,
        duals=base.duals,
        acting=centred if acted == "centre" else itself,
        inside=inside if real < 1 else None,
        needs=(*base.needs, Central),
    )
