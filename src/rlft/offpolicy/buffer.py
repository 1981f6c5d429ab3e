"""Transitions to learn from again: a ring of single steps, from which windows are cut when they are drawn. No policy.

B windows of H steps, O and A numbers of an observation and an action; N steps of as many worlds are added at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from rlft.environments.protocol import Discrete, Episode, Space
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
    cut          the episode was cut off after the last step, by a limit of time
    path         of whole windows, what was seen after each of their M = H steps, and the last again where the window
                 was shorter; else M = 0
    """

    observation: Float[Tensor, "B O"]
    action: Num[Tensor, "B h A"]
    reward: Float[Tensor, "B H"]
    valid: Bool[Tensor, "B H"]
    next_observation: Float[Tensor, "B O"]
    terminated: Bool[Tensor, "B"]
    returns: Float[Tensor, "B"]
    cut: Bool[Tensor, "B"]
    path: Float[Tensor, "B M O"]

    def __len__(self) -> int:
        return len(self.reward)

    def of(self, kept: Bool[Tensor, "B"]) -> Batch:
        """These windows of it."""
        return Batch(**{name: getattr(self, name)[kept] for name in _FIELDS})

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

    gamma         discount of the Monte-Carlo returns, which `credit` fills in; None keeps none, and they are -inf
    dtype         of observations, rewards and continuous actions, as windows give them
    observations  how observations are stored; None as windows give them. torch.uint8 takes pixels in a quarter of the
                  room of float32, and nothing but whole numbers from 0 to 255

    Actions outside the box are taken for those that were executed, which are at its bounds. UserError, before anything
    is allocated, where the device has not the memory for all steps.
    """

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action: Space,
        *,
        gamma: float | None = None,
        dtype: torch.dtype = torch.float32,
        observations: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if capacity < 1:
            raise UserError(f"a buffer holds at least one step, not {capacity}")
        self.capacity, self.action, self.gamma, self.dtype = capacity, action, gamma, dtype
        actions = action.dtype if not action.dtype.is_floating_point else dtype
        shapes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "observation": ((observation_size,), observations or dtype),
            "action": ((action.size,), actions),
            "reward": ((), dtype),
            "next_observation": ((observation_size,), observations or dtype),
            "terminated": ((), torch.bool),
            "returns": ((), dtype),
            "cut": ((), torch.bool),
            "follow": ((), torch.int64),
        }
        _check_room(capacity, sum(math.prod(s) * t.itemsize for s, t in shapes.values()), torch.device(device))
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
            self.columns[name][slots] = self._stored(name, values)
        self.columns["returns"][slots] = -torch.inf
        self.columns["cut"][slots] = False
        self.columns["follow"][slots] = _NONE
        self.added += count
        return slots

    def _stored(self, name: str, values: Tensor) -> Tensor:
        """Values as a column keeps them; UserError where it cannot."""
        column = self.columns[name]
        if name == "action" and values.is_floating_point():
            return values.to(column).clamp(-1, 1)
        kept = values.to(column)
        if not column.is_floating_point() and not torch.equal(kept.to(values.dtype), values):
            least, most = torch.iinfo(column.dtype).min, torch.iinfo(column.dtype).max
            raise UserError(f"{name}s are stored as {column.dtype}, whole numbers from {least} to {most}; got others")
        return kept

    def credit(self, slots: Int[Tensor, "T"]) -> None:
        """Fill in the returns of one finished episode, and whether it was cut off, given the slots of all of its steps.

        Its first steps may have been written over since, by its own or by other worlds' steps. Each step that is left
        leads to the slot of the next; so they are found from the last one backwards, and no other step is touched. Of
        an episode that was cut off nobody knows what would have come, and its returns stay -inf.
        """
        over = bool(self.columns["terminated"][slots[-1]])
        self.columns["cut"][slots[-1]] = not over
        if self.gamma is None or not over:
            return
        leads = self.columns["follow"][slots[:-1]] == slots[1:]
        left = slots[len(slots) - 1 - int(leads.flip(0).long().cumprod(0).sum()) :]
        self.columns["returns"][left] = to_go(self.columns["reward"][left], self.gamma)

    def discount(self, gamma: float) -> None:
        """Returns of another discount from now on, of the steps that are here already too."""
        if gamma == self.gamma:
            return
        self.gamma = gamma
        age = torch.arange(self.added - len(self), self.added).flip(0) % self.capacity
        reward, follow = self.columns["reward"].double().tolist(), self.columns["follow"].tolist()
        ended, returns = self.columns["terminated"].tolist(), [-math.inf] * self.capacity
        for slot in age.tolist():  # the newest first: what follows a step is newer
            if ended[slot]:
                returns[slot] = reward[slot]
            elif follow[slot] != _NONE:
                returns[slot] = reward[slot] + gamma * returns[follow[slot]]
        self.columns["returns"][:] = torch.tensor(returns, dtype=torch.float64).to(self.columns["returns"])

    def extend(self, episodes: Sequence[Episode]) -> None:
        """Add whole episodes, whose actions are in the environment's own units."""
        for episode in episodes:
            seen, last = episode.observations, torch.zeros(len(episode), dtype=torch.bool)
            last[-1] = episode.terminated
            if len(seen) != len(episode) + 1:
                raise UserError(f"an episode of {len(episode)} steps needs one observation more; it has {len(seen)}")
            if isinstance(self.action, Discrete) and not self.action.holds(episode.actions):
                raise UserError(f"an episode has actions outside 0 … {self.action.n - 1}; actions count from 0")
            alone = torch.full((len(episode),), _NONE, device=self.device)
            slots = self.add(seen[:-1], self.action.unit(episode.actions), episode.rewards, seen[1:], last, alone)
            self.columns["follow"][slots[:-1]] = slots[1:]
            self.credit(slots)

    def sample(
        self, count: int, generator: torch.Generator, steps: int = 1, chunk: int = 1, whole: bool = False
    ) -> Batch:
        """Windows of at most `steps` steps that begin anywhere, equally likely, with their first `chunk` actions.

        whole   with all that was seen on the way
        """
        if not len(self):
            raise UserError("nothing can be drawn from an empty buffer: collect first, or give it episodes")
        slot = torch.randint(len(self), (count,), generator=generator).to(self.device)
        return self.windows(slot, steps, chunk, whole)

    def windows(self, slot: Int[Tensor, "B"], steps: int = 1, chunk: int = 1, whole: bool = False) -> Batch:
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
        ends = {name: held[name][last] for name in ("next_observation", "terminated", "cut")}
        ends["next_observation"] = ends["next_observation"].to(self.dtype)
        first = {"observation": held["observation"][slot].to(self.dtype), "returns": held["returns"][slot]}
        path = held["next_observation"][there if whole else there[:, :0]].to(self.dtype)
        return Batch(action=action, reward=reward, valid=on, path=path, **ends, **first)

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

    def sample(
        self, count: int, generator: torch.Generator, steps: int = 1, chunk: int = 1, whole: bool = False
    ) -> Batch:
        """Windows of both, the offline ones first."""
        given = round(count * self.share)
        parts = []
        if given and self.offline is not None:
            parts.append(self.offline.sample(given, generator, steps, chunk, whole))
        if given < count:
            parts.append(self.online.sample(count - given, generator, steps, chunk, whole))
        return Batch.concat(parts)


def _check_room(steps: int, each: int, device: torch.device) -> None:
    """Whether `steps` of `each` bytes fit into the device's memory, where it says how much is free."""
    free = free_memory(device)
    if free is not None and steps * each > free:
        raise UserError(
            f"a buffer of {steps:,} steps of {each:,} bytes needs {steps * each / 1e9:.1f} GB, and {free / 1e9:.1f} GB "
            f"of {device} are free: lower the capacity to {max(int(0.8 * free / each), 1):,} or less, or store pixels "
            "as torch.uint8"
        )


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be allocated there; None where nobody says."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
        if limit.is_file() and limit.read_text().strip() != "max":
            found.append(int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):
        return None
    return min(found, default=None)


def to_go(reward: Float[Tensor, "T"], gamma: float) -> Float[Tensor, "T"]:
    """Σ_{s ≥ t} gamma^(s - t) r_s."""
    sums, later = [], 0.0
    for value in reward.double().tolist()[::-1]:
        later = value + gamma * later
        sums.append(later)
    return torch.tensor(sums[::-1], dtype=reward.dtype, device=reward.device)
