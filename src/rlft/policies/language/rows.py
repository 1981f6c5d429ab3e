"""Token rows that have begun and go on: what is drawn for which row, and where it stands. Not how a token is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.noise import uniform
from rlft.policies.language.engines.engine import Engine
from rlft.policies.language.text import Codec, padded
from rlft.policies.language.tokens.fused import widened
from rlft.policies.language.tokens.sampling import Drawn, Sampling, finite, pack, roll_out
from rlft.policies.language.tokens.scoring import Causal, remembering
from rlft.policies.perception.sight import Sight
from rlft.types import Problem, Rollouts, Text


@runtime_checkable
class Drawing(Protocol):
    """What rows are drawn with, of the policy whose rows they are; see `policy.Language`."""

    @property
    def causal(self) -> Causal: ...

    @property
    def ends(self) -> Int[Tensor, "E"]: ...

    @property
    def device(self) -> torch.device: ...

    def sight(self, problems: Sequence[Problem], prompts: Iterable[Sequence[int]]) -> Sight | None: ...

    model: Causal
    engine: Engine
    codec: Codec
    sampling: Sampling
    rows: int | None
    gradient_checkpointing: bool


@dataclass(frozen=True)
class Begun:
    """`group` rows for each of P prompts, which go on from `tokens` of their prompt until they are `limit` long.

    over    whether such a beginning has ended already; nothing is drawn after it, nor after one as long as the limit
    """

    tokens: Sequence[list[int]]
    over: Sequence[bool]
    group: int
    limit: int

    @property
    def going(self) -> list[int]:
        """The prompts whose rows have something left to decide."""
        pairs = enumerate(zip(self.tokens, self.over, strict=True))
        return [i for i, (row, over) in pairs if not over and len(row) < self.limit]

    @property
    def at(self) -> list[int]:
        """The first decision of each row that goes on."""
        return [len(self.tokens[i]) for i in self.going for _ in range(self.group)]

    def noise(self, u: Float[Tensor, "N L"]) -> Float[Tensor, "M D"]:
        """Of the rows that go on, from their first decision on; what is past the limit is never used."""
        places = self._places(self.limit - min(self.at), u.device)
        return u[self._rows(u.device)].gather(1, places.clamp(max=self.limit - 1))

    def whole(self, drawn: Drawn) -> Drawn:
        """All rows from their beginning, for the tokens drawn of those that go on; the rest is zeros."""
        device = drawn.tokens.device
        count, width = len(self.tokens) * self.group, max([self.limit, *map(len, self.tokens)])
        tokens = torch.zeros(count, width, dtype=torch.long, device=device)
        for i, row in enumerate(self.tokens):
            tokens[i * self.group : (i + 1) * self.group, : len(row)] = torch.tensor(row, dtype=torch.long)
        places = self._places(drawn.tokens.shape[1], device)
        here = places < self.limit
        at = self._rows(device)[:, None].expand_as(places)[here], places[here]
        logp = drawn.logp.new_zeros(count, width).index_put(at, drawn.logp[here])
        support = None
        if drawn.support is not None:
            support = drawn.support.new_zeros(count, width, drawn.support.shape[2]).index_put(at, drawn.support[here])
        return Drawn(tokens.index_put(at, drawn.tokens[here]), logp, support)

    def own(self, length: Int[Tensor, "N"], width: int) -> Bool[Tensor, "N W"]:
        """The decisions of rows of this length that the rows had not begun with."""
        begun = torch.tensor([len(row) for row in self.tokens], device=length.device).repeat_interleave(self.group)
        place = torch.arange(width, device=length.device)
        return (place >= begun[:, None]) & (place < length[:, None])

    def _rows(self, device: torch.device) -> Int[Tensor, "M"]:
        rows = [i * self.group + sample for i in self.going for sample in range(self.group)]
        return torch.tensor(rows, dtype=torch.long, device=device)

    def _places(self, count: int, device: torch.device) -> Int[Tensor, "M D"]:
        return torch.tensor(self.at, dtype=torch.long, device=device)[:, None] + torch.arange(count, device=device)


def gone_on(
    policy: Drawing,
    problems: Sequence[Problem],
    prompts: Sequence[list[int]],
    begun: Begun,
    keys: Int[Tensor, "N"],
) -> Drawn:
    """Tokens, log-probabilities and supports of the rows that go on, `policy.rows` of them at a time.

    A prompt is read with what was begun of it, and once for its group.
    """
    if not begun.going:
        return _nothing(policy)
    tokens = [begun.tokens[i] for i in begun.going]
    reads = [prompts[i] + begun.tokens[i] for i in begun.going]
    u, slices = begun.noise(uniform(keys, begun.limit)), []
    for part in torch.arange(len(u)).split(policy.rows or len(u)):
        owners = (part // begun.group).tolist()
        some = reads[owners[0] : owners[-1] + 1]
        read = padded(some, policy.device), [len(row) for row in some]
        owner = torch.tensor(owners, device=policy.device) - owners[0]
        room = [begun.limit - len(tokens[i]) for i in owners]
        stopped = partial(policy.codec.any_stopped, [tokens[i] for i in owners]) if policy.codec.stop else None
        noise = u[part.to(u.device)]
        with remembering(policy.causal) if policy.gradient_checkpointing else nullcontext():
            here = [begun.going[i] for i in range(owners[0], owners[-1] + 1)]
            sight = policy.sight([problems[i] for i in here], [prompts[i] for i in here])
            decoder = policy.engine.decoder(sight)
            slices.append(roll_out(decoder, read, owner, noise, policy.sampling, policy.ends, room, stopped))
    drawn, logp, supports = zip(*slices, strict=True)
    return Drawn(torch.cat(drawn), torch.cat(logp), torch.cat(supports) if policy.sampling.truncates else None)


def recorded(
    policy: Drawing,
    problems: Sequence[Problem],
    prompts: list[list[int]],
    group: int,
    drawn: Drawn,
    ended: tuple[list[int], list[bool]],
    new: Bool[Tensor, "N D"] | None = None,
) -> Rollouts:
    """Rows of these lengths, cut off or not (`ended`), as rollouts; `new` are the decisions that were drawn for them.

    With temperature=0 no decision was drawn. `FloatingPointError` where a log-probability is not a number.
    """
    lengths, truncated = ended
    row = first_places(lengths, drawn.tokens.shape[1], policy.device)
    own = row if new is None else row & new
    finite(drawn.logp[own])
    mask = own if policy.sampling.temperature > 0 else torch.zeros_like(own)
    support = {} if drawn.support is None else {"support": drawn.support * own[..., None]}
    opened = [tags for tags in map(policy.codec.opened, prompts) for _ in range(group)]
    texts = [
        policy.codec.text(tokens[:length], cut, tags)
        for tokens, length, cut, tags in zip(drawn.tokens.tolist(), lengths, truncated, opened, strict=True)
    ]
    trace, logp = {"completion": drawn.tokens * row, **support}, drawn.logp.where(mask, 0)
    return as_rollouts(problems, prompts, group, trace=trace, mask=mask, logp=logp, texts=texts)


def as_rollouts(
    problems: Sequence[Problem],
    prompts: list[list[int]],
    group: int,
    *,
    trace: dict[str, Tensor],
    mask: Bool[Tensor, "N D"],
    logp: Float[Tensor, "N D"],
    texts: list[Text],
) -> Rollouts:
    """Rows with the prompts that they were drawn for, each of which stands `group` times."""
    prompt = padded(prompts, mask.device).repeat_interleave(group, 0)
    length = torch.tensor([len(p) for p in prompts], device=mask.device).repeat_interleave(group)
    return Rollouts(
        problems=tuple(problem for problem in problems for _ in range(group)),
        group=group,
        outputs=texts,
        trace={"prompt": prompt, "prompt_length": length, **trace},
        mask=mask,
        logp_old=logp,
    )


def demonstrated(
    policy: Drawing, problems: Sequence[Problem], prompts: list[list[int]], answers: Sequence[list[int]]
) -> Rollouts:
    """A row for each problem that gives this answer, not scored. Where something is cut its support is everything."""
    completion = padded(answers, policy.device)
    mask = first_places([len(answer) for answer in answers], completion.shape[1], policy.device)
    trace = {"completion": completion}
    if policy.sampling.truncates:
        everything = pack(mask.new_ones(policy.causal.get_output_embeddings().weight.shape[0]))
        trace["support"] = everything * mask[..., None]
    texts = [policy.codec.text(answer, False) for answer in answers]
    unscored = torch.zeros(mask.shape, device=policy.device)
    return as_rollouts(problems, prompts, 1, trace=trace, mask=mask, logp=unscored, texts=texts)


def firsts(tokens: Int[Tensor, "N W"], counts: Int[Tensor, "N"]) -> list[list[int]]:
    """The first `counts` tokens of each row."""
    return [row[:count] for row, count in zip(tokens.tolist(), counts.tolist(), strict=True)]


def prompts_in(trace: Mapping[str, Tensor]) -> Iterator[list[int]]:
    """The prompt's tokens of each row, without padding; nothing is copied before somebody asks."""
    yield from firsts(trace["prompt"], trace["prompt_length"])


def first_places(lengths: list[int], width: int, device: torch.device) -> Bool[Tensor, "N W"]:
    """True in the first `lengths` places of each row."""
    return torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]


def _nothing(policy: Drawing) -> Drawn:
    weight = policy.causal.get_output_embeddings().weight
    bits = torch.zeros(0, 0, (len(weight) + 7) // 8, dtype=torch.uint8, device=policy.device)
    tokens = torch.zeros(0, 0, dtype=torch.long, device=policy.device)
    return Drawn(tokens, widened(weight[:0, :0]), bits if policy.sampling.truncates else None)
