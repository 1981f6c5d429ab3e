"""In every process of a runtime: a language model sharded with FSDP2, three steps, a checkpoint, two more."""

import torch

from rlft.methods.grpo import grpo
from rlft.policies.language.engines.choose import Plain
from rlft.runtime.torchrun import Torchrun
from rlft.tool.self_test import language
from rlft.training.trainer import Trainer


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr, momentum=0.9)


def build(runtime=None, dtype=torch.float64) -> Trainer:
    """The doctor's language model, its rows cut unevenly over two processes."""
    like = language(grpo(), dtype)
    policy, reference = like.policy, like.reference
    if runtime is not None:
        runtime.shard([*policy.blocks, *reference.blocks])
    else:  # as FSDP's hooks have it: the norms of the model's own forward are float32 in a float64 model
        policy.engine, reference.engine = Plain(policy.causal), Plain(reference.causal)
    method = grpo(epochs=2)
    settings = {"prompts": 5, "group": 4, "rows": 4, "lr": 0.05, "optimizer": sgd, "reference": reference}
    return Trainer(policy, method, like.task, like.reward, runtime=runtime, **settings)


def learned(runtime: Torchrun, folder: str) -> dict:
    trainer = build(runtime)
    log = list(trainer.run(2))
    trainer.advance()
    trainer.advance()
    state = trainer.state_dict()
    torch.save(state, f"{folder}/state-{runtime.rank}.pt")
    log += list(trainer.run(4))
    weights = runtime.whole(trainer.policy.state_dict())
    again = build(runtime)
    again.load_state_dict(torch.load(f"{folder}/state-{runtime.rank}.pt", weights_only=True))
    list(again.run(4))
    same = all(
        torch.equal(a, b)
        for a, b in zip(weights.values(), runtime.whole(again.policy.state_dict()).values(), strict=True)
    )
    sharded = sum(type(p).__name__ == "DTensor" for p in trainer.policy.parameters())
    single = list(build(runtime, torch.float32).run(2))  # another path of FSDP's reduction
    return {"single": single, "weights": weights, "log": log, "same": same, "sharded": sharded}
