"""Run by torchrun: every method for a few steps, then in two processes a pair and a sharded model, in one start."""

import sys

import torch

from rlft.runtime.torchrun import Torchrun
from tests.contracts.test_methods import NAMES, trainer, weights
from tests.runtime import pairs, sharded


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def methods(runtime: Torchrun) -> dict:
    """This process's weights and metrics."""
    found = {}
    for name in NAMES:
        t = trainer(name, runtime=runtime, prompts=5, optimizer=sgd)
        log = list(t.run(3))
        found[name] = (weights(t), log)
    return found


def main(folder: str) -> None:
    torch.set_num_threads(1)
    runtime = Torchrun(minutes=2.0)
    found = {"methods": methods(runtime)}
    if runtime.world == 2:
        found |= {"pairs": pairs.learned(runtime), "sharded": sharded.learned(runtime, folder)}
    torch.save(found, f"{folder}/{runtime.rank}.pt")
    runtime.close()


if __name__ == "__main__":
    main(sys.argv[1])
