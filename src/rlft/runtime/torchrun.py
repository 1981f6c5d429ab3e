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
from torch.distributed.tensor import DTensor

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

    def shard(self, module: nn.Module, blocks: Sequence[nn.Module]) -> None:
        """Shard a model's parameters over all processes with FSDP2, each of `blocks` gathered on its own."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.world,))
        self.sharded = [fully_shard(part, mesh=mesh) for part in (*blocks, module)]
        for part in self.sharded:
            part.set_gradient_divide_factor(1.0)  # sums, as everywhere: the Trainer divides once
        self.lockstep = True

    def sample(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """This process's problems, every w-th, and where their rows stand in the whole batch."""
        with self._whole():
            rollouts = policy.sample(problems[self.rank :: self.world], group, seed)
        first = torch.arange(self.rank, len(problems), self.world) * group
        position = (first[:, None] + torch.arange(group)).flatten()
        return rollouts.fill(position=position.to(rollouts.mask.device))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Sharded weights gathered while a policy samples: processes decode different numbers of steps."""
        for part in self.sharded:
            part.unshard()
        yield
        for part in self.sharded:
            part.reshard()

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

    def close(self) -> None:
        """Leave the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()
