"""Run by torchrun: every method for a few steps, then in two processes a pair and a sharded model, in one start."""

import sys

import torch

from rlft.advantages.correction import decoupled
from rlft.runtime.torchrun import Torchrun
from tests.contracts.test_methods import NAMES, build, trainer, weights
from tests.runtime import clozes, pairs, sharded


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def shared(name: str) -> dict[str, int]:
    """A number of problems that two and three processes cannot share evenly, as the method takes it."""
    return {"prompts": 10, "group": 2} if name == "b2_diffurl" else {"prompts": 5}


def methods(runtime: Torchrun) -> dict:
    """This process's weights and metrics."""
    found = {}
    for name in NAMES:
        t = trainer(name, runtime=runtime, optimizer=sgd, **shared(name))
        log = list(t.run(3))
        found[name] = (weights(t), log)
    return found


def ahead(runtime: Torchrun | None = None) -> tuple[torch.Tensor, list]:
    """The same of rows that are drawn two steps before their turn."""
    method = decoupled(build("grpo"))
    t = trainer("grpo", method=method, runtime=runtime, prompts=5, optimizer=sgd, ahead=2)
    log = list(t.run(4))
    return weights(t), log


def main(folder: str) -> None:
    torch.set_num_threads(1)
    runtime = Torchrun(minutes=2.0)
    found = {"methods": methods(runtime), "ahead": ahead(runtime)}
    if runtime.world == 2:
        found |= {"pairs": pairs.learned(runtime), "sharded": sharded.learned(runtime, folder)}
        found |= {"clozes": clozes.learned(runtime)}
    torch.save(found, f"{folder}/{runtime.rank}.pt")
    runtime.close()


if __name__ == "__main__":
    main(sys.argv[1])
