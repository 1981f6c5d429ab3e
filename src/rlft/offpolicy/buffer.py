"""Transitions to learn from again: a ring of single steps, from which windows are cut when they are drawn. No policy.

B windows of H steps, O and A numbers of an observation and an action; N steps of as many worlds are added at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from rlft.environments.protocol import Episode, Space
from rlft.types import UserError

_NONE = -1


@dataclass(frozen=True)
class Batch:
    """Windows of at most H steps of one episode each, which begin in `observation` and end before `next_observation`.

    action       the first h of the window's, in units of their space; zeros where the window was shorter
    reward       zeros after the window's end
    valid        which steps there are: k of them, always the first, and at least one
    terminated   the world ended after the last step, so nothing is to come. An episode that was only cut off is not
                 terminated: what would have come is worth the value of `next_observation`
    returns      discounted rewards from the first step to the episode's end, as far as they are known; else -inf
    """

    observation: Float[Tensor, "B O"]
    action: Num[Tensor, "B h A"]
    reward: Float[Tensor, "B H"]
    valid: Bool[Tensor, "B H"]
    next_observation: Float[Tensor, "B O"]
    terminated: Bool[Tensor, "B"]
    returns: Float[Tensor, "B"]

    def __len__(self) -> int:
        return len(self.reward)

    @staticmethod
    def concat(parts: Sequence[Batch]) -> Batch:
        """The windows of several batches, one after the other."""
        return parts[0] if len(parts) == 1 else Batch(**{n: torch.cat([getattr(p, n) for p in parts]) for n in _FIELDS})


_FIELDS = tuple(Batch.__dataclass_fields__)


class Buffer:
    """The last `capacity` steps of any number of worlds side by side, on one device.

    Each step knows the slot of the one that followed it, so windows cross neither the end of an episode nor the place
    where the ring is being written, whatever the order in which worlds were stepped. A window at the end of what has
    been played so far is a shorter one, bootstrapped from where it stopped.

    gamma    discount of the Monte-Carlo returns, which `credit` fills in; None keeps none, and they are -inf
    dtype    of observations, rewards and continuous actions
    """

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action: Space,
        *,
        gamma: float | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if capacity < 1:
            raise UserError(f"a buffer holds at least one step, not {capacity}")
        self.capacity, self.action, self.gamma = capacity, action, gamma
        actions = action.dtype if not action.dtype.is_floating_point else dtype
        shapes = {
            "observation": ((observation_size,), dtype),
            "action": ((action.size,), actions),
            "reward": ((), dtype),
            "next_observation": ((observation_size,), dtype),
            "terminated": ((), torch.bool),
            "returns": ((), dtype),
            "follow": ((), torch.int64),
        }
        self.columns = {n: torch.zeros(capacity, *s, dtype=t, device=device) for n, (s, t) in shapes.items()}
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    @property
    def device(self) -> torch.device:
        return self.columns["reward"].device

    def add(
        self,
        observation: Float[Tensor, "N O"],
        action: Num[Tensor, "N A"],
        reward: Float[Tensor, "N"],
        next_observation: Float[Tensor, "N O"],
        terminated: Bool[Tensor, "N"],
        after: Int[Tensor, "N"],
    ) -> Int[Tensor, "N"]:
        """Write one step of each of N worlds over the oldest; the slots they are in.

        after   the slot of each world's step before, -1 for the first of an episode
        """
        count = len(reward)
        if count > self.capacity:
            raise UserError(f"{count} steps at once do not fit into a buffer of {self.capacity}")
        slots = torch.arange(self.added, self.added + count, device=self.device) % self.capacity
        # before the new steps are written: one of them may take the place of another's predecessor
        linked = after != _NONE
        self.columns["follow"][after[linked]] = slots[linked]
        new = {"observation": observation, "action": action, "reward": reward, "terminated": terminated}
        for name, values in {**new, "next_observation": next_observation}.items():
            self.columns[name][slots] = values.to(self.columns[name])
        self.columns["returns"][slots] = -torch.inf
        self.columns["follow"][slots] = _NONE
        self.added += count
        return slots

    def credit(self, slots: Int[Tensor, "T"]) -> None:
        """Fill in the returns of one finished episode, given the slots of all its steps, while none is overwritten.

        Of an episode that was cut off nobody knows what would have come, and its returns stay -inf.
        """
        if self.gamma is None or len(slots) > self.capacity or not bool(self.columns["terminated"][slots[-1]]):
            return
        self.columns["returns"][slots] = to_go(self.columns["reward"][slots], self.gamma)

    def extend(self, episodes: Sequence[Episode]) -> None:
        """Add whole episodes, whose actions are in the environment's own units."""
        for episode in episodes:
            seen, last = episode.observations, torch.zeros(len(episode), dtype=torch.bool)
            last[-1] = episode.terminated
            if len(seen) != len(episode) + 1:
                raise UserError(f"an episode of {len(episode)} steps needs one observation more; it has {len(seen)}")
            alone = torch.full((len(episode),), _NONE, device=self.device)
            slots = self.add(seen[:-1], self.action.unit(episode.actions), episode.rewards, seen[1:], last, alone)
            self.columns["follow"][slots[:-1]] = slots[1:]
            self.credit(slots)

    def sample(self, count: int, generator: torch.Generator, steps: int = 1, chunk: int = 1) -> Batch:
        """Windows of at most `steps` steps that begin anywhere, equally likely, with their first `chunk` actions."""
        if not len(self):
            raise UserError("nothing can be drawn from an empty buffer: collect first, or give it episodes")
        slot = torch.randint(len(self), (count,), generator=generator).to(self.device)
        return self.windows(slot, steps, chunk)

    def windows(self, slot: Int[Tensor, "B"], steps: int = 1, chunk: int = 1) -> Batch:
        """The windows that begin in these slots."""
        if not 1 <= chunk <= steps:
            raise UserError(f"a window of {steps} steps does not hold a chunk of {chunk} actions")
        held, slots, valid = self.columns, [slot], [torch.ones_like(slot, dtype=torch.bool)]
        for _ in range(steps - 1):
            following = held["follow"][slots[-1]]
            valid.append(valid[-1] & (following != _NONE))
            slots.append(torch.where(valid[-1], following, slots[-1]))
        there, on = torch.stack(slots, dim=1), torch.stack(valid, dim=1)
        action, reward = held["action"][there[:, :chunk]], held["reward"][there]
        if steps > 1:
            action, reward = action * on[:, :chunk, None], reward * on
        last = slots[-1]
        ends = {"next_observation": held["next_observation"][last], "terminated": held["terminated"][last]}
        first = {"observation": held["observation"][slot], "returns": held["returns"][slot]}
        return Batch(action=action, reward=reward, valid=on, **ends, **first)

    def fingerprint(self) -> str:
        """A hash of the rewards, to tell two sets of data apart."""
        import hashlib

        rewards = self.columns["reward"][: len(self)].cpu().contiguous()
        return hashlib.sha256(rewards.view(torch.uint8).numpy().tobytes()).hexdigest()[:16]

    def state_dict(self) -> dict[str, Any]:
        """What has been written so far."""
        return {"added": self.added, "columns": {n: c[: len(self)].clone() for n, c in self.columns.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state of a buffer of the same capacity back."""
        self.added = int(state["added"])
        for name, values in state["columns"].items():
            if len(values) > self.capacity:
                raise UserError(
                    f"a buffer of {self.capacity} steps cannot take {len(values)} back; give it its capacity"
                )
            self.columns[name][: len(values)] = values.to(self.columns[name])


class Mixed:
    """Two buffers drawn from together: a share of each batch from one, the rest from the other.

    share   of `offline`, rounded to whole windows; 0 is the online buffer alone (SAC, WSRL), 1/2 as in RLPD
            (arXiv:2302.02948), 1 is learning from data alone
    """

    def __init__(self, offline: Buffer | None, online: Buffer, share: float) -> None:
        if not 0 <= share <= 1:
            raise UserError(f"the share of offline data lies between 0 and 1, not at {share}")
        if share and offline is None:
            raise UserError(f"a share of {share} of offline data needs data: give episodes")
        self.offline, self.online, self.share = offline, online, share

    def sample(self, count: int, generator: torch.Generator, steps: int = 1, chunk: int = 1) -> Batch:
        """Windows of both, the offline ones first."""
        given = round(count * self.share)
        parts = []
        if given and self.offline is not None:
            parts.append(self.offline.sample(given, generator, steps, chunk))
        if given < count:
            parts.append(self.online.sample(count - given, generator, steps, chunk))
        return Batch.concat(parts)


def to_go(reward: Float[Tensor, "T"], gamma: float) -> Float[Tensor, "T"]:
    """Σ_{s ≥ t} gamma^(s - t) r_s."""
    sums, later = [], 0.0
    for value in reward.double().tolist()[::-1]:
        later = value + gamma * later
        sums.append(later)
    return torch.tensor(sums[::-1], dtype=reward.dtype, device=reward.device)
