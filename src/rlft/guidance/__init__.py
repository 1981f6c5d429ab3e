"""Better samples from a policy as it is, by looking ahead while it samples. Trains nothing, and no method takes it."""

from rlft.guidance.denser import SparseToDense
from rlft.guidance.samplers import best_of, smc, svdd, svdd_r
from rlft.guidance.values import Predicted, Regressed, fit

__all__ = ["Predicted", "Regressed", "SparseToDense", "best_of", "fit", "smc", "svdd", "svdd_r"]
