"""CO-RFT: offline reinforcement learning over chunks of actions. Huang et al. 2025, arXiv:2508.02219.

`td3_bc` on decisions that are chunks of h actions, whose critics are also held down where nobody acted, as in Cal-QL.
First the policy imitates (`offpolicy.actors.imitating`), then it follows its critics. Learns from a buffer.

    y    = Σ_{i<k} gamma^i r_i + gamma^k (1 - terminated) min_e Q̄_e(s_k, a'),    k ≤ h the steps that there are
    a'   = clip(π̄(s_k) + clip(N(0, noise²), ±most), ±1)
    critic loss = Σ_e mean [1/2 (Q_e(s, a) - y)² + conservatism (max(Q_e(s, π(s)), R(s)) - Q_e(s, a))]
    loss = mean (π(s) - a)² - weight mean Q_1(s, π(s)) / mean |Q_1|            at every second update

a and π(s) are whole chunks, so one backup carries a value over h steps and never asks what another policy did inside
of them. h is the policy's own `chunk`; with h = 1 the differences are those of single steps. Near an episode's end
windows are shorter, not dropped. conservatism=0 is `td3_bc`, weight=0 imitation. R(s) are the buffer's returns.

The paper says that it combines Cal-QL and TD3 and that its critic predicts a sequence of values; its losses are
not published with code. Here there is one value for a chunk.
"""

from rlft.methods.td3_bc import td3_bc
from rlft.offpolicy.conservative import calibrated, gap_to
from rlft.offpolicy.critics import Norm, plain
from rlft.offpolicy.method import Descent, Fit, OffPolicy, critic_parameters
from rlft.types import published


@published
def co_rft(
    weight: float = 2.5,
    imitation: float = 1.0,
    conservatism: float = 0.1,
    gamma: float = 0.99,
    tau: float = 0.005,
    noise: float = 0.2,
    most: float = 0.5,
    actor_every: int = 2,
    norm: Norm = plain,
) -> OffPolicy:
    """CO-RFT.

    Args:
        weight: of the critic beside imitation; 0 is imitation alone.
        imitation: of the buffer's chunks.
        conservatism: of the term that holds the critics down; 0 is TD3+BC.
        gamma: discount of each environment step, also of the returns.
        tau: how far the slow copies move, when the policy does.
        noise: standard deviation of the noise on the targets' actions, in units of the space.
        most: where that noise is cut off.
        actor_every: updates of the critics for one of the policy.
        norm: of the critics' hidden layers.
    """
    base = td3_bc(
        weight=weight,
        imitation=imitation,
        gamma=gamma,
        tau=tau,
        noise=noise,
        most=most,
        actor_every=actor_every,
    )
    fitted, followed = base.descents

    def critic_loss(agent, batch, generator) -> Fit:
        fit = fitted.loss(agent, batch, generator)
        if not conservatism:
            return fit
        data, action = agent.q(batch.observation, batch.action), agent.policy.centre(batch.observation)
        gap = gap_to(agent, batch, data, action, calibrated).mean(dim=1)
        return Fit(fit.loss + conservatism * gap.sum(), {**fit.notes, "gap": gap.detach().mean()})

    return OffPolicy(
        descents=(Descent(critic_loss, critic_parameters, "critic"), followed),
        norm=norm,
        slow_policy=True,
        tau=tau,
        every=actor_every,
        gamma=gamma,
        needs=base.needs,
    )
