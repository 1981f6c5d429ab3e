"""Keys and values of rows under way: a prompt's once for its group or copied to each row, a row's own in slots.

What a row says goes into storage allocated once, the same slot for all rows at a time. Where prompts differ in length
their keys are padded at the end, and `gap` [P 1 L] is what that adds to the scores: 0 or minus infinity.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

# How many numbers of a layer's keys and values rows must save together to share prompts.
_SAVED = 2**18
# Prompts that no row goes on from any more are left behind once there are this many of them: it copies the others.
_IDLE = 0.25


class Seats:
    """Where rows sit that share prompts: P tables of as many seats as the largest group has rows, for h key heads.

    What a row has, [n·h q C], is seated as [P·h R·q C]. A seat that nobody has holds the first row's, and nobody looks.
    """

    def __init__(self, owner: Int[Tensor, "n"], prompts: int, heads: int):
        device, count = owner.device, len(owner)
        # The largest group decides how many seats a table has, so one batched product serves groups of any size: rows
        # that end leave a seat empty, and nothing is moved until whole prompts are idle.
        sizes = torch.bincount(owner, minlength=prompts)
        order = owner.argsort(stable=True)
        place = torch.empty_like(owner)
        place[order] = torch.arange(count, device=device) - (sizes.cumsum(0) - sizes)[owner[order]]
        self.tables, self.places = prompts * heads, int(sizes.max())
        table = owner[:, None] * heads + torch.arange(heads, device=device)
        self.of = (table * self.places + place[:, None]).flatten()
        self.by = torch.zeros(self.tables * self.places, dtype=torch.long, device=device)
        self.by[self.of] = torch.arange(count * heads, device=device)

    def take(self, rows: Float[Tensor, "N q C"]) -> Float[Tensor, "T S C"]:
        """Of rows to seats."""
        return rows.flatten(1).index_select(0, self.by).view(self.tables, -1, rows.shape[2])

    def leave(self, seated: Float[Tensor, "T S C"]) -> Float[Tensor, "N q C"]:
        """The other way."""
        return seated.view(len(self.by), -1).index_select(0, self.of).view(len(self.of), -1, seated.shape[2])


@runtime_checkable
class Slots(Protocol):
    """Storage for what n rows say, the same slot for all of them at a time: [2 n h slots E] in each layer.

    used    how many slots are written; in the first ones stands whatever `Cache` puts there
    """

    held: list[Tensor]
    used: int

    def write(self, layer: int, keys: Float[Tensor, "n h E"], values: Float[Tensor, "n h E"]) -> None:
        """Into the current slot, the first that is not written."""
        ...

    def shown(self, layer: int) -> tuple[Float[Tensor, "N s E"], Float[Tensor, "N s E"]]:
        """Keys and values up to the current slot at least, N = n·h."""
        ...

    def written(self, own: Float[Tensor, "N q s"]) -> Float[Tensor, "N q s"]:
        """Scores of what is shown, without those of slots after the current one."""
        ...

    def advance(self) -> None:
        """To the next slot."""
        ...

    def keep(self, rows: Int[Tensor, "m"]) -> None:
        """Go on with these rows, in this order."""
        ...


@runtime_checkable
class NewSlots(Protocol):
    """Makes `slots` slots for rows of these layers, of which `used` are to be written before anything else."""

    def __call__(self, prompt: list[Tensor], count: int, slots: int, used: int) -> Slots: ...


class GrowingSlots:
    """`Slots` that show what is written and nothing else."""

    def __init__(self, prompt: list[Tensor], count: int, slots: int, used: int):
        self.held = [part.new_empty(2, count, part.shape[2], slots, part.shape[4]) for part in prompt]
        self.used = used

    def write(self, layer: int, keys: Float[Tensor, "n h E"], values: Float[Tensor, "n h E"]) -> None:
        held = self.held[layer]
        held[0, :, :, self.used], held[1, :, :, self.used] = keys, values

    def shown(self, layer: int) -> tuple[Float[Tensor, "N s E"], Float[Tensor, "N s E"]]:
        keys, values = self.held[layer][:, :, :, : self.used + 1].flatten(1, 2)
        return keys, values

    def written(self, own: Float[Tensor, "N q s"]) -> Float[Tensor, "N q s"]:
        return own

    def advance(self) -> None:
        self.used += 1

    def keep(self, rows: Int[Tensor, "m"]) -> None:
        self.held = moved(self.held, rows, self.used)


def moved(held: list[Tensor], rows: Int[Tensor, "m"], used: int) -> list[Tensor]:
    """The first `used` slots of these rows, in storage like `held`, or in `held` where there is room."""
    count = len(rows)
    if count <= held[0].shape[1]:
        # Only rows that came from elsewhere are copied. Callers put the last rows in the places of ended ones for this.
        # The storage stays, and so do the rows that keep their place.
        places = (rows != torch.arange(count, device=rows.device)).nonzero()[:, 0]
        for part in held:
            part[:, places, :, :used] = part[:, rows[places], :, :used]
        return [part[:, :count] for part in held]
    new = [part.new_empty(2, count, *part.shape[2:]) for part in held]
    for to, part in zip(new, held, strict=True):
        to[:, :, :, :used] = part[:, rows, :, :used]
    return new


class Cache:
    """What n rows have read and said, in every layer.

    prompt      keys and values [2 P h L E] of each layer's prompts
    owner       [n] the prompt that each row goes on from
    room        how many tokens may follow

    Rows share prompts where that saves enough to pay for the seating; else a prompt is copied into the first slots of
    its rows. Sharing or not, the numbers are the same but for rounding.
    """

    def __init__(
        self, prompt: list[Tensor], gap: Tensor | None, owner: Int[Tensor, "n"], room: int, new_slots: NewSlots
    ):
        self.count, (_, prompts, self.heads, width, size) = len(owner), prompt[0].shape
        # Seating costs two gathers a layer and step; it pays once the copies of the prompts that it spares are larger
        # than that.
        self.shared = 2 * (self.count - prompts) * self.heads * width * size >= _SAVED
        self.gap, self.prompt, self.owner = gap, prompt, owner
        used = 0 if self.shared else width
        self.slots = new_slots(prompt, self.count, used + room, used)
        if self.shared:
            self._seat()
            return
        for held, part in zip(self.slots.held, prompt, strict=True):
            held[:, :, :, :width] = part[:, owner]
        self.prompt = []
        if gap is not None:
            self.gap = torch.nn.functional.pad(gap[owner], (0, room)).repeat_interleave(self.heads, 0)

    def keep(self, rows: Int[Tensor, "m"]) -> None:
        """Go on with these rows, in this order."""
        self.slots.keep(rows)
        self.count = len(rows)
        if self.shared:
            self.owner = self.owner[rows]
            self._leave_idle()
            self._seat()
        elif self.gap is not None:
            self.gap = self.gap.unflatten(0, (-1, self.heads))[rows].flatten(0, 1)

    def attended(self, layer: int, queries: Float[Tensor, "n H E"]) -> Float[Tensor, "n C"]:
        """One query of each row, scaled already, to what its prompt and itself have up to the current slot."""
        keys, values = self.slots.shown(layer)
        # With grouped queries the heads of one key head are the rows of one product.
        rows = queries.view(len(keys), -1, queries.shape[2])
        own = self.slots.written(scores(rows, keys))
        if not self.shared:
            own = own if self.gap is None else own + self.gap[:, :, : own.shape[2]]
            return torch.bmm(own.softmax(-1).to(values.dtype), values).view(self.count, -1)
        seats, (before, told) = self.seats, self.prompt[layer].flatten(1, 2)
        width = before.shape[1]
        read = scores(seats.take(rows), before)
        if self.gap is not None:
            read = (read.view(len(self.gap), -1, width) + self.gap).view(read.shape)
        # One softmax over both: the prompt's part and the row's own have no maximum in common that could be known
        # before.
        shares = torch.cat([seats.leave(read), own], 2).softmax(-1).to(values.dtype)
        heard = seats.leave(torch.bmm(seats.take(shares[:, :, :width]), told))
        return heard.baddbmm_(shares[:, :, width:], values).view(self.count, -1)

    def _leave_idle(self) -> None:
        going = self.owner.unique()
        if len(going) <= (1 - _IDLE) * self.prompt[0].shape[1]:
            self.prompt = [held[:, going] for held in self.prompt]
            self.gap = None if self.gap is None else self.gap[going]
            self.owner = torch.searchsorted(going, self.owner)

    def _seat(self) -> None:
        self.seats = Seats(self.owner, self.prompt[0].shape[1], self.heads)


def scores(queries: Float[Tensor, "B q E"], keys: Float[Tensor, "B s E"]) -> Float[Tensor, "B q s"]:
    """queries · keysᵀ, in float32 for half precision too."""
    # Scores of half precision lose the differences that softmax lives on, and the first ratio would not be 1.
    if queries.dtype not in (torch.bfloat16, torch.float16):
        return torch.bmm(queries, keys.transpose(1, 2))
    if queries.is_cuda:
        return torch.bmm(queries, keys.transpose(1, 2), out_dtype=torch.float32)
    return torch.bmm(queries.float(), keys.float().transpose(1, 2))
