"""Low-reward trajectories that come back as prompts, with what was said of them. Changes no prompt itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from rlft.advantages.group import everyone
from rlft.collect.sources import one_batch
from rlft.noise import hashed
from rlft.types import Collect, Problem, Rollouts, Runtime, Source, UserError

RECYCLED = "recycled"
"""The column of a problem that is asked again: the index it had, and what was said."""
Entry = tuple[int, str]
_LONGEST = 400


class Recycling:
    """A `collect` that keeps the worst row of each group that earns less than `below`, to be asked again with feedback
    (MD-GRPO, arXiv:2601.02075).

        waiting <- waiting without what this step has asked again
        waiting <- waiting + [(index of x, feedback(x, worst row of x))   for each group x with min R < below]

    the oldest fall out behind the `most` newest. A share of the task's places is then given to what waits, see
    `tasks.recycled.Recycled`, which takes `of`. A question that fails again comes back again. The paper gives neither
    the threshold nor the share.

    feedback  what is said of a problem's row: `explain` of a reward, say; empty where there is nothing to say
    below     the reward under which a row is low
    share     of the task's places that are asked again
    most      entries that wait, at most
    collect   where the rows come from

    Notes `recycle/waiting`, and `recycle/asked`, the share of this step's groups that were asked again. Every process
    remembers the same; of feedback the first 400 bytes.
    """

    def __init__(
        self,
        feedback: Callable[[Problem, Any], str],
        below: float = 0.5,
        share: float = 0.25,
        most: int = 256,
        collect: Collect = one_batch,
    ):
        if not 0 <= share <= 1:
            raise UserError(f"the share of places to ask again is from 0 to 1; got {share}")
        if most < 1:
            raise UserError(f"at least one entry has to fit; got most={most}")
        self.feedback, self.below, self.share, self.most, self.collect = feedback, below, share, most, collect
        self.waiting: list[Entry] = []

    def __call__(self, source: Source) -> Rollouts:
        rollouts = self.collect(source)
        entries = [problem.columns.get(RECYCLED) for problem in rollouts.problems]
        device, runtime = rollouts.rewards.device, source.runtime
        index = torch.tensor([p.index if e is None else e[0] for p, e in zip(rollouts.problems, entries, strict=True)])
        rewards, place = everyone(rollouts.rewards, rollouts, runtime)
        index, _ = everyone(index.to(device), rollouts, runtime)
        asked = _texts(["" if entry is None else entry[1] for entry in entries], rollouts, runtime)
        said = _texts(self._said(rollouts, rewards, place), rollouts, runtime)
        firsts = range(0, len(index), rollouts.group)
        used = {(int(index[row]), asked[row]) for row in firsts if asked[row]}
        new = [(int(index[row]), text) for row, text in enumerate(said) if text]
        kept = [entry for entry in self.waiting if entry not in used and entry not in new]
        self.waiting = (kept + new)[-self.most :]
        source.notes["recycle/waiting"] = len(self.waiting)
        source.notes["recycle/asked"] = sum(bool(asked[row]) for row in firsts) / max(len(firsts), 1)
        return rollouts

    def of(self, index: int, visit: int) -> Entry | None:
        """What is asked at this place of the task in its stead; None where the task's own problem is."""
        draw = hashed("recycle", index, visit)
        if not self.waiting or draw % 10**6 >= self.share * 10**6:
            return None
        return self.waiting[draw // 10**6 % len(self.waiting)]

    def state_dict(self) -> dict[str, Any]:
        """What waits."""
        return {"waiting": list(self.waiting)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let it wait again."""
        self.waiting = [(int(index), str(text)) for index, text in state["waiting"]]

    def _said(self, rollouts: Rollouts, rewards: torch.Tensor, place: torch.Tensor) -> list[str]:
        """The feedback of this process's rows that are the worst of a low group, nothing for the others."""
        groups = torch.where(rewards.isnan(), torch.inf, rewards).reshape(-1, rollouts.group)
        worst = {
            row * rollouts.group + int(group.argmin()) for row, group in enumerate(groups) if group.min() < self.below
        }
        return [
            self.feedback(problem, rollouts.outputs[row]) if int(place[row]) in worst else ""
            for row, problem in enumerate(rollouts.problems)
        ]


def _texts(texts: Sequence[str], rollouts: Rollouts, runtime: Runtime) -> list[str]:
    """One text of each row, of all processes' rows in the order of the batch."""
    coded = torch.zeros(len(texts), _LONGEST, dtype=torch.uint8, device=rollouts.rewards.device)
    for row, text in enumerate(texts):
        if code := text.encode()[:_LONGEST]:
            coded[row, : len(code)] = torch.frombuffer(bytearray(code), dtype=torch.uint8)
    everywhere = everyone(coded, rollouts, runtime)[0].cpu()
    return [bytes(row[row > 0].tolist()).decode(errors="ignore") for row in everywhere]
