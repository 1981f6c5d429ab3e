"""Credit of each decision from a critic, or from the rewards that follow it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from rlft.advantages.shaping import rewards_of_decisions, whiten
from rlft.types import Credit, Rollouts, Runtime


def gae_scan(
    reward: Float[Tensor, "N D"],
    values: Float[Tensor, "N D"],
    mask: Bool[Tensor, "N D"],
    gamma: float,
    lam: float | Float[Tensor, "N"],
) -> Float[Tensor, "N D"]:
    """Generalised advantage estimation (arXiv:1506.02438, Eq. 16), backwards over each row's own decisions.

        A_d = delta_d + gamma lam A_d',    delta_d = r_d + gamma V_d' - V_d

    d' is the row's next decision on the mask; what stands between (a tool's tokens, an ODE step) is passed over. After
    the last decision V and A are 0: for a row that was cut off see `past_cuts`. lam = 1 is the discounted return minus
    the value; lam = 0 one-step temporal difference. A tensor has a lam for each row.
    """
    advantages = torch.zeros_like(reward)
    ahead, value = reward.new_zeros(len(reward)), reward.new_zeros(len(reward))
    for d in reversed(range(reward.shape[1])):
        here = mask[:, d]
        delta = reward[:, d] + gamma * value - values[:, d]
        ahead = torch.where(here, delta + gamma * lam * ahead, ahead)
        value = torch.where(here, values[:, d], value)
        advantages[:, d] = torch.where(here, ahead, 0)
    return advantages


def return_to_go(reward: Float[Tensor, "N D"], mask: Bool[Tensor, "N D"], gamma: float = 1.0) -> Float[Tensor, "N D"]:
    """The discounted sum of the rewards from each decision on: `gae_scan` without a critic and with lam = 1."""
    return gae_scan(reward, torch.zeros_like(reward), mask, gamma, 1.0)


def past_cuts(
    reward: Float[Tensor, "N D"], rollouts: Rollouts, gamma: float, lam: float | Float[Tensor, "N"], runtime: Runtime
) -> Float[Tensor, "N D"]:
    """The rewards with what is expected where a row was cut off (`rollouts.beyond`), for `gae_scan` to go on with.

        r_d + gamma V_d' + gamma lam a_d,     a_d = mean of A_d' over the rows that go on after column d

    With a critic that is right that is bootstrapping (Pardo et al. 2018, arXiv:1712.00378, Sec. 4): advantages of what
    follows have mean 0, and so a. One that knows nothing yet expects nothing, and by bootstrapping alone a cut looks
    like an end until it has learned, when a policy that can bring cuts about has long unlearned it. With a, what went
    on gets no more than what was cut off at the same time, whatever the critic says. Where no row goes on, a is the
    mean over all columns. Means are over all processes. A policy that does not fill `beyond` has rows that end.
    """
    if not rollouts.has("beyond"):
        return reward
    cut = rollouts.mask & rollouts.beyond.isfinite()
    told = reward + gamma * torch.where(cut, rollouts.beyond, 0)
    room = (0, int(runtime.gather(torch.tensor([reward.shape[1]])).max()) - reward.shape[1])
    all_of = [runtime.gather(pad(x, room)) for x in (told.double(), rollouts.values.double(), rollouts.mask, cut)]
    own = torch.as_tensor(lam, dtype=torch.float64, device=told.device).expand(len(told))
    lams = runtime.gather(own)
    # the mean over all columns depends on itself, linearly: a line through two guesses
    (zero, at_zero), (one, at_one) = (_followers(all_of, gamma, lams, guess) for guess in (0.0, 1.0))
    rest = 1 - (at_one - at_zero)
    mean = torch.where(rest > 1e-6, at_zero / rest.clamp(min=1e-6), 0)
    follows = (zero + mean * (one - zero))[: reward.shape[1]].to(reward)
    return told + (gamma * own[:, None]).to(told) * torch.where(cut, follows, 0)


def _followers(
    columns: Sequence[Tensor], gamma: float, lam: Float[Tensor, "M"], guess: float
) -> tuple[Float[Tensor, "D"], Float[Tensor, ""]]:
    """a_d of every column, `guess` where no row goes on, and the mean over all: `gae_scan` with a_d as it goes.

    columns   [M D] each, of all processes: rewards, values, the mask, where rows were cut off
    lam       of each of these rows
    """
    told, values, mask, cut = columns
    found, sums, counts = (told.new_full((told.shape[1],), x) for x in (guess, 0.0, 0.0))
    ahead, value, later = told.new_zeros(len(told)), told.new_zeros(len(told)), mask.new_zeros(len(told))
    for d in reversed(range(told.shape[1])):
        here = mask[:, d]
        on = here & later & ahead.isfinite()
        sums[d], counts[d] = torch.where(on, ahead, 0).sum(), on.sum()
        found[d] = torch.where(counts[d] > 0, sums[d] / counts[d].clamp(min=1), guess)
        delta = told[:, d] + gamma * value - values[:, d]
        ahead = torch.where(here, delta + gamma * lam * torch.where(cut[:, d], found[d], ahead), ahead)
        value, later = torch.where(here, values[:, d], value), later | here
    return found, sums.sum() / counts.sum().clamp(min=1)


def gae(gamma: float, lam: float, beta: float = 0.0, normalise: bool = True) -> Credit:
    """Advantages by GAE, whitened over all decisions of the batch, and the returns that the critic is fitted to.

    Rows that were cut off go on in the critic's estimate (`past_cuts`), so that a cut by itself teaches nothing.
    `beta` > 0 puts -beta (log pi_old - log pi_ref) into each decision's reward, as InstructGPT does.
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        reward = past_cuts(rewards_of_decisions(rollouts, beta), rollouts, gamma, lam, runtime)
        advantages = gae_scan(reward, rollouts.values, rollouts.mask, gamma, lam)
        returns = torch.where(rollouts.mask, advantages + rollouts.values, 0)
        if normalise:
            advantages = whiten(advantages, rollouts.mask, runtime)
        return {"advantages": advantages, "returns": returns}

    return credit
