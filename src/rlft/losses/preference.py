"""Losses of pairs: a better and a worse row of one problem."""

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


def focal_ranking(better: Float[Tensor, "*S"], worse: Float[Tensor, "*S"], gamma: float) -> Float[Tensor, "*S"]:
    """-(1 - 2 max(0, p - 1/2))^gamma log p with p = sigmoid(better - worse): the focal ranking loss of InternLM2 (Cai
    et al. 2024, arXiv:2403.17297, Eq. 1), of whose family MultiCritique's reward model is (arXiv:2410.15287).

    Pairs that are in order already weigh less, those that are not as much as ever. With gamma = 0 it is
    `bradley_terry`. Differentiable in both factors.
    """
    log_p = logsigmoid(better - worse)
    return -((1 - 2 * (log_p.exp() - 0.5).clamp(min=0)) ** gamma) * log_p
