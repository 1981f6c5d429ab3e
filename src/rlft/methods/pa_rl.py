"""PA-RL: policy-agnostic reinforcement learning. Mark et al. 2024, arXiv:2412.06685, Sec. 4 and Alg. 1.

No gradient passes through the policy's actions. A search finds better ones than it proposes, critics learn the value of
what is found, and the policy imitates it by its family's own loss: Gaussian, flow, tokens. Learns from a buffer.

    π*(s)  the n proposals of π(s), of them the `keep` with the highest mean_e Q_e, each after `climb` steps
           a ← clip(a + rate ∂ mean_e Q_e/∂a, ±1), the best on its way
    y    = r + gamma (1 - terminated) min_{e in subset} Q̄_e(s', argmax of π*(s'))
    critic loss = Σ_e mean [1/2 (Q_e(s, a) - y)² + weight (log mean exp max(Q_e(s, ·), R(s)) - Q_e(s, a))]
    loss = mean l(a* | s),      a* ~ softmax(mean_e Q_e / temperature) among π*(s), the buffer's own action included

The critics' second term is Cal-QL's (see `cal_ql`) of three kinds of candidates, all alike since no density need be
known: uniform ones, on which R(s) has no say, proposals of π(s), and π*(s'). l is the policy's supervised loss. In
worlds the argmax of π*(s) acts; deployed it can, too (`offpolicy.search.Searching`). temperature → 0 imitates the
argmax; temperature=None imitates the buffer. With climb=0 the search is the best of n.
"""

import torch

from rlft.offpolicy.actors import imitated
from rlft.offpolicy.conservative import calibrated, gap_among
from rlft.offpolicy.critics import Norm, layer_norm
from rlft.offpolicy.method import Descent, Fit, OffPolicy, critic_parameters
from rlft.offpolicy.search import ActionSearch, Searching
from rlft.offpolicy.values import least, squared_error, td_target
from rlft.types import published
from rlft.types.acting import Imitating, Proposing


@published
def pa_rl(
    n: int = 32,
    keep: int = 10,
    climb: int = 10,
    rate: float = 3e-4,
    temperature: float | None = 1.0,
    weight: float = 0.005,
    uniform: int = 10,
    gamma: float = 0.99,
    tau: float = 0.005,
    critics: int = 10,
    subset: int | None = 2,
    steps: int = 1,
    imitation_lr: float = 1.0,
    norm: Norm = layer_norm,
) -> OffPolicy:
    """PA-RL.

    Args:
        n: proposals in each state.
        keep: the best of them, which are improved.
        climb: steps of an action along the critics' gradient.
        rate: of such a step, in units of the space and of the value.
        temperature: of the choice among what was found, in units of the value; None imitates the buffer's own actions.
        weight: of the conservative term; 0 is temporal difference alone.
        uniform: uniform actions in the conservative term.
        gamma: discount of each environment step, also of the returns.
        tau: how far the target critics move at each update.
        critics: members of the ensemble.
        subset: members whose least value is the target, drawn anew at each update; None is all.
        steps: of the windows that targets sum rewards over.
        imitation_lr: the policy's learning rate relative to the critics'.
        norm: of the critics' hidden layers.
    """
    search = ActionSearch(n=n, keep=keep, steps=climb, rate=rate)

    def critic_loss(agent, batch, generator) -> Fit:
        found = search(agent.policy, agent.q, batch.next_observation, generator)
        with torch.no_grad():
            value = least(subset)(agent.q_target(batch.next_observation, found.best()), generator)
            target = td_target(batch, value, gamma)
        q = agent.q(batch.observation, batch.action)
        loss, notes = squared_error(q, target), {"q": q.detach().mean(), "target": target.mean()}
        if weight:
            with torch.no_grad():
                here = agent.policy.propose(batch.observation, keep, generator)
            proposed = torch.cat([here, found.action], dim=1)
            gap = gap_among(agent, batch, q, proposed, uniform, calibrated, generator).mean(dim=1)
            loss, notes = loss + weight * gap.sum(), {**notes, "gap": gap.detach().mean()}
        return Fit(loss, notes)

    def actor_loss(agent, batch, generator) -> Fit:
        if temperature is None:
            return imitated(agent, batch, generator)
        found = search(agent.policy, agent.q, batch.observation, generator, batch.action)
        return imitated(agent, batch, generator, action=found.drawn(temperature, generator))

    return OffPolicy(
        descents=(Descent(critic_loss, critic_parameters, "critic"), Descent(actor_loss, lr=imitation_lr)),
        critics=critics,
        norm=norm,
        steps=steps,
        tau=tau,
        gamma=gamma,
        acting=lambda agent: Searching(agent.policy, agent.q, search),
        needs=(Imitating, Proposing),
    )
