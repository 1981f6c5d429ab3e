"""Two policies that act in turn, as one policy: the second sees what the first made of the problem. CORY's rollouts.

A row holds both members' decisions side by side, the pioneer's first. Nothing here knows what a member is made of, or
how the two are trained; nor is it an ensemble: a decision has the probability that the member who made it gives it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.types import HasReference, HasValue, Policy, Problem, Rollouts, Savable, Showable, Turns, UserError

Merge = Callable[[Problem, Any], Problem]
"""`(problem, the pioneer's output) -> problem`, what the observer is asked."""

MEMBERS = ("one", "two")


class Pair(nn.Module):
    """A pioneer and an observer (arXiv:2410.06101, Sec. 3): y1 ~ pioneer(. | q), y2 ~ observer(. | merge(q, y1)).

    one, two   the members: policies of any family, not necessarily the same; no weights that are trained in common
    merge      what the observer is asked; it may ignore the output, and then the two never meet

    `one` is the pioneer until `exchange` is called. Who is first is part of the state, and of every row: rows drawn
    before and after an exchange are scored side by side, each decision by the member that made it.

    outputs    `Turns` (pioneer's, observer's) for each row
    mask …     [N, D1 + D2]: the decisions of the pioneer, then those of the observer; the column `turn` is 0 and 1
    trace      each member's own, its names after `one/` or `two/`, with its `mask`; and `begins` [N 2], the columns
               where the decisions of one and of two begin

    The noise of y2 is that of (seed, problem, number in the group), as that of y1, under another name of the task; so
    `merge` decides the problem's `input` and `columns`, and not what names its noise. A member must score rows from
    their trace alone, as all families of the library do: `problems` are the pair's, and not merged.

    `value` is there if both members have a critic. With a merge that ignores the output this is two policies trained
    side by side.
    """

    exchanged: Tensor

    def __init__(self, one: Policy, two: Policy, merge: Merge) -> None:
        super().__init__()
        if _trained(one) & _trained(two):
            raise UserError("the members of a pair have weights in common; give it two policies, copies if need be")
        self.one, self.two, self.merge = one, two, merge
        self.register_buffer("exchanged", torch.zeros((), dtype=torch.int64))

    @property
    def members(self) -> tuple[Policy, Policy]:
        """One and two, whoever acts first."""
        return self.one, self.two

    @property
    def first(self) -> int:
        """The number of the member that is the pioneer now."""
        return int(self.exchanged)

    def exchange(self) -> None:
        """The pioneer becomes the observer, and the observer the pioneer."""
        self.exchanged.fill_(1 - self.first)

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` pairs for each problem."""
        pioneer = self.members[self.first].sample(problems, group, seed)
        merged = [self._merged(pioneer, row) for row in range(len(pioneer))]
        return self.joined(pioneer, self.members[1 - self.first].sample(merged, 1, seed))

    def joined(self, pioneer: Rollouts, observer: Rollouts) -> Rollouts:
        """Pairs from the rows of the member that is the pioneer now, and those of the other, in the same order."""
        if len(pioneer) != len(observer):
            raise UserError(f"{len(pioneer)} rows of the pioneer and {len(observer)} of the observer: pair them by row")
        by_member = (pioneer, observer) if self.first == 0 else (observer, pioneer)
        trace = {f"{name}/mask": rows.mask for name, rows in zip(MEMBERS, by_member, strict=True)}
        for name, rows in zip(MEMBERS, by_member, strict=True):
            trace |= {f"{name}/{key}": values for key, values in rows.trace.items()}
        mask, width = pioneer.mask, pioneer.mask.shape[1]
        begins = torch.zeros(len(pioneer), 2, dtype=torch.int64, device=mask.device)
        begins[:, 1 - self.first] = width
        both = torch.cat([mask, observer.mask.to(mask.device)], dim=1)
        turn = (torch.arange(both.shape[1], device=mask.device) >= width).long()
        return Rollouts(
            problems=pioneer.problems,
            group=pioneer.group,
            outputs=[
                Turns((pioneer.outputs[row], observer.outputs[row]), (first, width + second))
                for row, (first, second) in enumerate(zip(_ends(pioneer), _ends(observer), strict=True))
            ],
            trace={**trace, "begins": begins},
            mask=both,
            logp_old=torch.cat([pioneer.logp_old, observer.logp_old.to(pioneer.logp_old)], dim=1),
        ).fill(turn=turn.expand(both.shape).clone())

    def own(self, member: int, rollouts: Rollouts) -> Rollouts:
        """The rows as this member decided them, pioneer or observer: trace, mask and every column are its own."""
        prefix = f"{MEMBERS[member]}/"
        trace = {n.removeprefix(prefix): values for n, values in rollouts.trace.items() if n.startswith(prefix)}
        decided, at = trace.pop("mask"), _columns(member, rollouts)
        mask = decided & rollouts.mask.gather(1, at)

        def picked(column: Tensor) -> Tensor:
            return torch.where(mask, column.gather(1, at), 0) if column.shape == rollouts.mask.shape else column

        filled = {name: picked(column) for name, column in rollouts.filled.items()}
        return replace(rollouts, trace=trace, mask=mask, logp_old=picked(rollouts.logp_old), filled=filled)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """Each decision's, by the member that made it, given its own context; 0 without gradient off the mask."""
        return self._each(rollouts, lambda member, own: member.log_prob(own))

    def value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """Each decision's, by the critic of the member that made it; the observer's sees the pioneer's output."""
        if not list(self.value_parameters()):
            raise UserError("the members of this pair have no critics: build them with critic=True")
        return self._each(rollouts, lambda member, own: cast(HasValue, member).value(own))

    def value_parameters(self) -> Iterable[nn.Parameter]:
        """Both critics' parameters; none unless both have one."""
        critics = [list(m.value_parameters()) if isinstance(m, HasValue) else [] for m in self.members]
        return chain(*critics) if all(critics) else ()

    def reference(self) -> Pair:
        """The pair as it is now, without gradient: each member lent by itself where it can be, else copied."""
        one, two = (
            member.reference()
            if isinstance(member, HasReference)
            else cast(nn.Module, copy.deepcopy(member)).requires_grad_(False)
            for member in self.members
        )
        lent = Pair(cast(Policy, one), cast(Policy, two), self.merge)
        lent.exchanged.copy_(self.exchanged)
        return lent

    def show(self, output: tuple[Any, Any]) -> dict[str, Any]:
        """What the pioneer made and what the observer made: two texts as a conversation, anything else as it is shown.

        None stands for what a member cannot show.
        """
        acted = zip(("pioneer", "observer"), (self.first, 1 - self.first), output, strict=True)
        members = {role: (self.members[number], made) for role, number, made in acted}
        shown = {role: m.show(made) if isinstance(m, Showable) else None for role, (m, made) in members.items()}
        if any(one is None or one["kind"] != "text" for one in shown.values()):
            return {"kind": "turns", **shown}
        texts = {role: one for role, one in shown.items() if one is not None}
        messages = [{"role": role, "text": one["text"], "own": True} for role, one in texts.items()]
        about = {"truncated": any(one["truncated"] for one in texts.values())}
        return {"kind": "conversation", "messages": messages, **about}

    def save(self, folder: Path) -> None:
        """The members that can be saved, in `one` and `two`: each is a policy alone, as which it is deployed."""
        for name, member in zip(MEMBERS, self.members, strict=True):
            if isinstance(member, Savable):
                member.save(folder / name)

    def _merged(self, pioneer: Rollouts, row: int) -> Problem:
        """The observer's problem for a row, with the noise of its own that the row's number in the group gives it."""
        asked = pioneer.problems[row]
        named = {"index": asked.index, "split": asked.split, "visit": asked.visit}
        name = f"{asked.task}/observer/{row % pioneer.group}"
        return replace(self.merge(asked, pioneer.outputs[row]), task=name, **named)

    def _each(self, rollouts: Rollouts, column: Callable[[Policy, Rollouts], Tensor]) -> Tensor:
        """A column of each member's own decisions, put where they stand in the row."""
        whole = torch.zeros_like(rollouts.logp_old)
        for number, member in enumerate(self.members):
            own = self.own(number, rollouts)
            values = torch.where(own.mask, column(member, own), 0)
            # a sum: padding beyond a row's last column falls on that column, with zeros
            whole = whole.to(values.dtype).scatter_add(1, _columns(number, rollouts), values)
        return whole


def _ends(rollouts: Rollouts) -> list[int]:
    """The column of each row's last decision; 0 where nothing was decided."""
    places = torch.arange(rollouts.mask.shape[1], device=rollouts.mask.device)
    return torch.where(rollouts.mask, places, 0).amax(1).tolist()


def _trained(policy: Policy) -> set[int]:
    return {id(weight) for weight in policy.parameters() if weight.requires_grad}


def _columns(member: int, rollouts: Rollouts) -> Int[Tensor, "N W"]:
    """Where the decisions of this member stand in the row."""
    width = rollouts.trace[f"{MEMBERS[member]}/mask"].shape[1]
    places = torch.arange(width, device=rollouts.mask.device)
    return (rollouts.trace["begins"][:, member, None] + places).clamp(max=rollouts.mask.shape[1] - 1)
