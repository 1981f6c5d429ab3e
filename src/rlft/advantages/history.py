"""Baselines that remember: the rewards a prompt earned in earlier steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.group import batch_normalised, everyone
from rlft.noise import hashed
from rlft.types import Rollouts, Runtime


class PromptStatistics:
    """DDPO's per-prompt normalisation (arXiv:2305.13301, App. and official code).

    Each prompt keeps its last `buffer` rewards. A = (R - mean) / (std + 1e-6) over the prompt's buffer, this step's
    rewards included, once it holds `at_least`; before that over the batch. The same prompt is the same `input`.

    All of this step's rewards of a prompt count, also where they are more than `buffer`: then its statistics are the
    step's own, and its advantages have mean 0. The official code counts the last `buffer` of them alone.
    """

    def __init__(self, buffer: int = 16, at_least: int = 16):
        self.buffer = buffer
        self.at_least = at_least
        self.history: dict[int, deque[float]] = {}

    def __call__(self, rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        rewards, place = everyone(rollouts.rewards, rollouts, runtime)
        keys = torch.tensor([hashed(problem.input) for problem in rollouts.problems], dtype=torch.int64)
        prompts, _ = everyone(keys.to(rewards.device), rollouts, runtime)
        advantages = batch_normalised(rewards[None], correction=0)[0]
        for prompt in prompts.unique().tolist():
            rows = prompts == prompt
            new = [reward for reward in rewards[rows].tolist() if reward == reward]  # not NaN
            remembered = self.history.setdefault(prompt, deque(maxlen=self.buffer))
            seen = torch.tensor([*remembered, *new][-max(self.buffer, len(new)) :], dtype=torch.float64)
            remembered.extend(new)
            if len(seen) >= self.at_least:
                scaled = (rewards[rows].double() - seen.mean()) / (seen.std(correction=0) + 1e-6)
                advantages[rows] = scaled.to(advantages.dtype)
        return advantages[place]

    def state_dict(self) -> dict[str, Any]:
        """The buffers."""
        return {"history": {prompt: list(rewards) for prompt, rewards in self.history.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the buffers back."""
        self.history = {prompt: deque(rewards, maxlen=self.buffer) for prompt, rewards in state["history"].items()}
