"""In every process of a runtime: CORY on two tables, and each process's weights and metrics."""

import torch

from rlft.runtime.torchrun import Torchrun
from tests.pairs import table_trainer, weights


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def learned(runtime: Torchrun) -> tuple:
    trainer = table_trainer(prompts=5, optimizer=sgd, runtime=runtime)
    log = list(trainer.run(3))
    return weights(trainer.policy), log, trainer.policy.first
