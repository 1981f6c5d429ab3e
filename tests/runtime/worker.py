"""Run by torchrun: train with every method for a few steps, and leave the first process's weights and metrics."""

import sys

import torch

from rlft.runtime.torchrun import Torchrun
from tests.contracts.test_methods import NAMES, trainer, weights


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def main(folder: str) -> None:
    torch.set_num_threads(1)
    runtime = Torchrun(minutes=1)
    done = {}
    for name in NAMES:
        t = trainer(name, runtime=runtime, prompts=5, optimizer=sgd)
        log = list(t.run(3))
        done[name] = (weights(t), log)
    torch.save(done, f"{folder}/{runtime.rank}.pt")
    runtime.close()


if __name__ == "__main__":
    main(sys.argv[1])
