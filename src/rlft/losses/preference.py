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
