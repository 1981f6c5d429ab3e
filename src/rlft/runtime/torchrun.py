"""Many processes under `torchrun`, with the numbers of `local`. Not for one process, and it places no models.

Each process samples every w-th problem with that problem's own noise, losses and gradients are sums, and choices are
made on gathered rewards: so the number of processes changes nothing but rounding. A model that fits on one device is
replicated and its gradients are added up; a larger one is sharded with FSDP2 (`shard`), which adds them up itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map

from rlft.types import Problem, Rollouts, Sampler, UserError


class Torchrun:
    """This process among those that `torchrun` started; gloo on the CPU, NCCL on GPUs.

    Every wait ends after `minutes` with an error rather than never.
    """

    def __init__(self, minutes: float = 30.0):
        if "RANK" not in os.environ:
            raise UserError("this runtime needs torchrun: start with `torchrun --nproc-per-node N -m rlft train …`")
        cuda = torch.cuda.is_available()
        local = int(os.environ.get("LOCAL_RANK", 0))
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(self.device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(minutes=minutes))
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.lockstep = False
        self.sharded: list[Any] = []

    def shard(self, blocks: Sequence[nn.Module]) -> None:
        """Shard the weights of a model's blocks (its layers) over all processes with FSDP2; the rest is replicated.

        Before the optimiser is made. A block is gathered for its own forward and backward pass alone.
        """
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.world,))
        for block in blocks:
            part: Any = fully_shard(block, mesh=mesh, reshard_after_forward=True)
            part.set_gradient_divide_factor(1.0)  # sums, as everywhere: the Trainer divides once
            part.set_force_sum_reduction_for_comms(True)  # gloo knows no other
            self.sharded.append(part)
        self.lockstep = True

    def sample(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """This process's problems, every w-th, and where their rows stand in the whole batch."""
        with self.gathered():
            rollouts = policy.sample(problems[self.rank :: self.world], group, seed)
        first = torch.arange(self.rank, len(problems), self.world) * group
        position = (first[:, None] + torch.arange(group)).flatten()
        return rollouts.fill(position=position.to(rollouts.mask.device))

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """All-reduce, in place; sharded gradients are sums already."""
        for tensor in tensors:
            if not isinstance(tensor, DTensor):
                dist.all_reduce(tensor)

    def gather(self, column: Shaped[Tensor, "n *rest"]) -> Shaped[Tensor, "m *rest"]:
        """All-gather of columns that may differ in length."""
        column = column.contiguous()
        counts = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.world)]
        dist.all_gather(counts, torch.tensor([len(column)], device=self.device))
        most = max(int(count) for count in counts)
        padded = torch.zeros((most, *column.shape[1:]), dtype=column.dtype, device=self.device)
        padded[: len(column)] = column
        parts = [torch.zeros_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        whole = torch.cat([part[: int(count)] for part, count in zip(parts, counts, strict=True)])
        return whole.to(column.device)

    def norm(self, gradients: Sequence[Tensor]) -> float:
        """The norm of all gradients together: a sharded one's squares are added over the processes."""
        parts = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
        squares = torch.stack([part.double().square().sum() for part in parts] or [torch.zeros((), device=self.device)])
        total = squares.double().sum()
        dist.all_reduce(total)
        rest = [gradient.double().square().sum() for gradient in gradients if not isinstance(gradient, DTensor)]
        return float(sum(rest, total).sqrt())

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Sharded weights put together, for sampling, where processes decode different numbers of steps, and saving."""
        for part in self.sharded:
            part.set_reshard_after_forward(False)
            part.unshard()
        try:
            yield
        finally:
            for part in self.sharded:
                part.set_reshard_after_forward(True)
                part.reshard()

    def whole(self, state: Any) -> Any:
        """The state with every sharded tensor put together; every process must ask."""
        return tree_map(lambda value: value.full_tensor() if isinstance(value, DTensor) else value, state)

    def spread(self, state: Any, like: Any) -> Any:
        """A state dict of whole tensors, each sharded as its namesake in `like`, a state dict too."""

        def placed(name: str, value: Any) -> Any:
            model = like.get(name)
            if isinstance(model, DTensor) and isinstance(value, Tensor) and not isinstance(value, DTensor):
                return distribute_tensor(value.to(model.device), model.device_mesh, model.placements)
            return value

        return {name: placed(name, value) for name, value in state.items()}

    def close(self) -> None:
        """Leave the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()
