"""Run by torchrun: CORY on two tables, and each process's weights and metrics."""

import sys

import torch

from rlft.runtime.torchrun import Torchrun
from tests.pairs import table_trainer, weights


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def main(folder: str) -> None:
    torch.set_num_threads(1)
    runtime = Torchrun(minutes=2)
    trainer = table_trainer(prompts=5, optimizer=sgd, runtime=runtime)
    log = list(trainer.run(3))
    torch.save((weights(trainer.policy), log, trainer.policy.first), f"{folder}/{runtime.rank}.pt")
    runtime.close()


if __name__ == "__main__":
    main(sys.argv[1])
