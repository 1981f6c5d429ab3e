"""A model that chooses what is masked in texts and predicts it, in one process or in several: the same numbers."""

import torch

from rlft.methods.pretrain_zero import pretrain_zero
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from tests.collect.test_cloze import TOLD, Many, model, near
from tests.collect.test_hardest import sgd, weights


def learned(runtime=None, chooser: str = "active") -> tuple[torch.Tensor, list]:
    """Weights and log of three steps on five texts, which no number of processes shares evenly."""
    method = pretrain_zero(chooser, **{**TOLD, "chosen": r"(\w)", "word": r"\w"})
    wanted = {"prompts": 5, "group": 4, "seed": 1, "lr": 0.5, "max_grad_norm": 1e9, "runtime": runtime or Local()}
    t = Trainer(model(), method, Many(), near, optimizer=sgd, **wanted)
    log = list(t.run(3))
    return weights(t), log
