"""Losses of pairs, a better and a worse row of one problem, and of a demonstration among rows that were drawn."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo(better: Float[Tensor, "*S"], worse: Float[Tensor, "*S"], beta: float) -> Float[Tensor, "*S"]:
    """-log sigmoid(beta (better - worse)), Eq. 7 of arXiv:2305.18290.

    `better` and `worse` are whole-row log-ratios log pi(y)/pi_ref(y), in nats. At pi = pi_ref it is log 2.
    """
    return -logsigmoid(beta * (better - worse))


def bradley_terry(better: Float[Tensor, "*S"], worse: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """-log sigmoid(better - worse), of the scores of two answers: that the better one is preferred (Bradley and Terry
    1952), as reward models are fitted (arXiv:2203.02155, Eq. 1). At equal scores it is log 2; a constant that is added
    to both changes nothing."""
    return -logsigmoid(better - worse)


def maximum_likelihood_irl(
    demonstrated: Float[Tensor, "*S"], drawn: Float[Tensor, "*S K"], beta: float = 1.0
) -> Float[Tensor, "*S"]:
    """-log pi(y) / pi_ref(y) of a demonstration y, under the best policy for a reward r: -r(y)/beta + log Z.

    pi = pi_ref exp(r / beta) / Z, as the best policy of E[r] - beta KL(pi, pi_ref) is; to make demonstrations likely is
    maximum likelihood inverse reinforcement learning (arXiv:2503.18991, after Zeng et al. 2022, arXiv:2210.01808). Z is
    the mean of exp(r / beta) over K rows drawn from pi_ref, rewards `drawn`. Its gradient in r(y) is -1/beta and in
    r(y_k) softmax(r / beta)_k / beta: 0 in all where demonstrations are as likely as pi. A constant that is added to
    every reward changes nothing. With the demonstration among those that are drawn it is bounded below, by -log (K +
    1), and estimates r up to a constant of the problem (arXiv:1809.01812); K = 1 beside it is `bradley_terry` - log 2.
    """
    return (drawn / beta).logsumexp(-1) - math.log(drawn.shape[-1]) - demonstrated / beta


def focal_ranking(better: Float[Tensor, "*S"], worse: Float[Tensor, "*S"], gamma: float) -> Float[Tensor, "*S"]:
    """-(1 - 2 max(0, p - 1/2))^gamma log p with p = sigmoid(better - worse): the focal ranking loss of InternLM2 (Cai
    et al. 2024, arXiv:2403.17297, Eq. 1), of whose family MultiCritique's reward model is (arXiv:2410.15287).

    Pairs that are in order already weigh less, those that are not as much as ever. With gamma = 0 it is
    `bradley_terry`. Differentiable in both factors.
    """
    log_p = logsigmoid(better - worse)
    return -((1 - 2 * (log_p.exp() - 0.5).clamp(min=0)) ** gamma) * log_p
