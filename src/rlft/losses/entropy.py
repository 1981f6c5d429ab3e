"""The entropy of a policy from the decisions it took: for a bonus in the loss. Not variety between rows."""

from jaxtyping import Float
from torch import Tensor


def negative_entropy(ratio: Float[Tensor, "N D"], logp: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """r sg(log pi), an estimate of -H = E_pi log pi from decisions drawn with pi_old, r = pi / pi_old.

    Its value and its gradient E_pi [log pi grad log pi] are both unbiased, at r = 1 and away from it, for discrete and
    for continuous decisions; nobody needs the other decisions' probabilities. Minimising it raises the entropy of
    each decision at the states that were met. Without the stop-gradient the gradient would have one more term, of
    mean 0: only noise.
    """
    return ratio * logp.detach()
