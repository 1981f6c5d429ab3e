"""Losses of pairs: a better and a worse row of one problem."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo(better: Float[Tensor, "*S"], worse: Float[Tensor, "*S"], beta: float) -> Float[Tensor, "*S"]:
    """-log sigmoid(beta (better - worse)), Eq. 7 of arXiv:2305.18290.

    `better` and `worse` are whole-row log-ratios log pi(y)/pi_ref(y), in nats. At pi = pi_ref it is log 2.
    """
    return -logsigmoid(beta * (better - worse))
