"""An episodic memory of what has been right and what has been wrong, and what a row earns for being like the one and
unlike the other. Knows no text: what a question and a response are embedded as is told.

    exploit(a) = -|| a - mean B(right) ||       explore(a) = 1 - max over b in B(wrong) of cos(a, b)

B(M) are the responses in M to the `nearest` questions in it, by the cosine of their embeddings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from rlft.advantages.group import everyone
from rlft.collect.sources import one_batch
from rlft.noise import hashed, permuted
from rlft.types import Collect, Rollouts, Source, UserError

Embed = Callable[[Any, Rollouts], tuple[Tensor, Tensor]]
"""`(policy, rollouts) -> ([N H], [N H])`: embeddings of the rows' questions and of their responses."""

Order = Literal["read_first", "write_first"]
"""Whether a batch is compared with what was there before it, or with itself too, as it was published: a wrong row is
then in the memory it is compared with, and its novelty is 0 whatever it is."""

Given = Literal["own", "chance"]
"""Who earns what: each row its own, or that of a row of the batch drawn by lot, a control of the same size."""

_AT_ONCE = 64  # rows whose states exist at a time
_NGRAMS, _WIDTH = 3, 512


class Episodes:
    """Questions and responses to them, embedded: the newest `questions` of the ones, `responses` to each."""

    def __init__(self, questions: int, responses: int):
        self.questions, self.responses = questions, responses
        self.held: dict[int, tuple[Tensor, deque[Tensor]]] = {}

    def write(self, key: int, question: Float[Tensor, "H"], response: Float[Tensor, "H"]) -> None:
        """Take a response in. A question that is known keeps its turn to fall out, and is embedded as it is now."""
        _, kept = self.held.get(key, (question, deque(maxlen=self.responses)))
        kept.append(response)
        self.held[key] = question, kept
        while len(self.held) > self.questions:
            del self.held[next(iter(self.held))]

    def near(self, question: Float[Tensor, "H"], nearest: int) -> Float[Tensor, "B H"] | None:
        """The responses to the questions that are nearest by cosine; None of an empty memory."""
        if not self.held:
            return None
        known = torch.stack([other for other, _ in self.held.values()])
        cosines = normalize(known, dim=1) @ normalize(question, dim=0)
        # A stable order: of questions that are equally near the older ones.
        chosen = set(cosines.argsort(descending=True, stable=True)[:nearest].tolist())
        return torch.stack([r for place, (_, kept) in enumerate(self.held.values()) if place in chosen for r in kept])

    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        return {"held": [(key, question, list(kept)) for key, (question, kept) in self.held.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.held = {key: (question, deque(kept, self.responses)) for key, question, kept in state["held"]}


class Window:
    """Values between the least and the largest of the last `size`: (v - min) / (max - min), 0 where all are alike.

    A batch is scaled by the values before it and its own together, also where these are more than `size`, so that equal
    rows earn alike. The authors give one that is alike back as it is where it is a distance.
    """

    def __init__(self, size: int):
        self.last: deque[float] = deque(maxlen=size)

    def scaled(self, values: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
        """The values on this scale, in [0, 1]; NaN stays NaN and counts for nothing."""
        new = [value for value in values.tolist() if value == value]
        seen = [*self.last, *new][-max(self.last.maxlen or 0, len(new)) :]
        self.last.extend(new)
        span = max(seen, default=0.0) - min(seen, default=0.0)
        if span <= 1e-6:
            return 0 * values
        return ((values - min(seen)) / span).clamp(0, 1)


@dataclass(frozen=True)
class Remembered:
    """How much is remembered, and what it earns.

    exploit, explore  weights of the two
    order             whether rows are compared before they are remembered, or after
    given             who earns what
    nearest           questions whose responses are looked at
    questions         that are remembered, of right rows and of wrong ones
    responses         to each; all of it is in the process and in every checkpoint, four bytes a number
    window            raw values that the scale is made of
    warmup            steps before exploration begins to be paid
    solved            the reward from which a row is right
    """

    exploit: float = 1.0
    explore: float = 1.0
    order: Order = "read_first"
    given: Given = "own"
    nearest: int = 1
    questions: int = 2000
    responses: int = 100
    window: int = 100
    warmup: int = 50
    solved: float = 1.0

    def __post_init__(self):
        for name in ("nearest", "questions", "responses", "window"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.warmup < 0:
            raise UserError(f"warmup counts steps, from 0; got {self.warmup}")


class Episodic:
    """A `collect` whose rows earn, besides their reward, for what is remembered of earlier ones (arXiv:2504.02273).

        R <- R + exploit · scaled(-|| a - mean B(right) ||) + explore · scaled(1 - max cos(a, B(wrong)))

    a is the row's response, `scaled` that of a `Window` for each of the two. Of an empty memory exploit is 0 and
    explore 1, before they are scaled. A row that was not scored stays so and is not remembered. The same question is
    the same `input`. Every process remembers the same.

    Notes `memory/exploit` and `memory/explore`, means of the two as they are paid but for their weights;
    `memory/apart`, how much more of both right rows earn than wrong ones; `memory/right` and `memory/wrong`, questions
    remembered.
    """

    def __init__(self, embed: Embed, told: Remembered = Remembered(), collect: Collect = one_batch):
        self.embed, self.told, self.collect = embed, told, collect
        self.right, self.wrong = (Episodes(told.questions, told.responses) for _ in range(2))
        self.scales = {name: Window(told.window) for name in ("exploit", "explore")}

    def __call__(self, source: Source) -> Rollouts:
        rollouts = self.collect(source)
        device, runtime = rollouts.rewards.device, source.runtime
        with runtime.gathered(), torch.no_grad():
            embedded = torch.stack([normalize(part, dim=1) for part in self.embed(source.policy, rollouts)])
        everything, place = everyone(embedded.transpose(0, 1).contiguous(), rollouts, runtime)
        keys = torch.tensor([hashed(problem.input) for problem in rollouts.problems], dtype=torch.int64, device=device)
        rows = zip(everyone(keys, rollouts, runtime)[0].tolist(), everything.cpu().unbind(), strict=True)
        rewards = everyone(rollouts.rewards, rollouts, runtime)[0].cpu()
        paid = self._paid(list(rows), rewards, rollouts.group, source)
        added = rollouts.rewards + paid.to(rollouts.rewards)[place]
        return replace(rollouts, filled={**rollouts.filled, "rewards": added})

    def state_dict(self) -> dict[str, Any]:
        """What is remembered, and the scales."""
        scales = {name: list(scale.last) for name, scale in self.scales.items()}
        return {"right": self.right.state_dict(), "wrong": self.wrong.state_dict(), "scales": scales}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.right.load_state_dict(state["right"])
        self.wrong.load_state_dict(state["wrong"])
        self.scales = {name: Window(self.told.window) for name in state["scales"]}
        for name, values in state["scales"].items():
            self.scales[name].last.extend(values)

    def _paid(self, rows: list[tuple[int, Tensor]], rewards: Tensor, group: int, source: Source) -> Tensor:
        """What each row of the whole batch earns besides its reward."""
        told, known = self.told, ~rewards.isnan()
        if told.order == "write_first":
            self._write(rows, rewards)
        raw = torch.stack([self._raw(rows[first : first + group]) for first in range(0, len(rows), group)], 1)
        if told.order == "read_first":
            self._write(rows, rewards)
        raw = raw.flatten(1).double().masked_fill(~known, torch.nan)
        warm = source.steps_done >= told.warmup
        exploit = self.scales["exploit"].scaled(raw[0])
        explore = self.scales["explore"].scaled(raw[1]) if warm else 0 * raw[1]
        paid = told.exploit * exploit + told.explore * explore
        if told.given == "chance":
            of = known.nonzero()[:, 0]
            key = ("memory", source.seed, source.steps_done)
            lots = [permuted(number, len(of), *key) for number in range(len(of))]
            paid = paid.index_put((of,), paid[of][lots])
        self._note(source, paid, exploit, explore, rewards)
        return paid

    def _raw(self, rows: Sequence[tuple[int, Tensor]]) -> Float[Tensor, "2 G"]:
        """exploit and explore of the rows of a question, on their own scales."""
        question, responses = rows[0][1][0], torch.stack([both[1] for _, both in rows])
        right = self.right.near(question, self.told.nearest)
        wrong = self.wrong.near(question, self.told.nearest)
        near = torch.zeros(len(rows)) if right is None else -(responses - right.mean(0)).norm(dim=1)
        new = torch.ones(len(rows)) if wrong is None else 1 - (responses @ wrong.T).amax(1)
        return torch.stack([near.to(responses), new.to(responses)])

    def _write(self, rows: Sequence[tuple[int, Tensor]], rewards: Tensor) -> None:
        for (key, (question, response)), reward in zip(rows, rewards.tolist(), strict=True):
            if reward == reward:
                kept = self.right if reward >= self.told.solved else self.wrong
                kept.write(key, question.clone(), response.clone())

    def _note(self, source: Source, paid: Tensor, exploit: Tensor, explore: Tensor, rewards: Tensor) -> None:
        right, wrong = paid[rewards >= self.told.solved], paid[rewards < self.told.solved]
        means = {"exploit": exploit, "explore": explore}
        source.notes.update({f"memory/{name}": float(part.nanmean()) for name, part in means.items()})
        if len(right) and len(wrong):
            source.notes["memory/apart"] = float(right.mean() - wrong.mean())
        source.notes["memory/right"], source.notes["memory/wrong"] = len(self.right.held), len(self.wrong.held)


def by_states(policy: Any, rollouts: Rollouts) -> tuple[Float[Tensor, "N H"], Float[Tensor, "N H"]]:
    """The policy's own embeddings, as it is when they are made: of a question the state from which the first decision
    was made, of a response the mean of the states from which all were."""
    parts: list[tuple[Tensor, Tensor]] = []
    for first in range(0, len(rollouts), _AT_ONCE):
        rows = rollouts[first : first + _AT_ONCE]
        states, mask = policy.states(rows), rows.mask
        begun = states[torch.arange(len(rows), device=mask.device), mask.int().argmax(1)]
        parts.append((begun, states.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)))
    questions, responses = zip(*parts, strict=True)
    return torch.cat(questions), torch.cat(responses)


def by_ngrams(policy: Any, rollouts: Rollouts) -> tuple[Float[Tensor, "N H"], Float[Tensor, "N H"]]:
    """How often each one to three characters come in a text, in buckets by their hash: needs no model, never drifts."""
    outputs = [rollouts.outputs[row] for row in range(len(rollouts))]
    counts = [torch.stack([counted(worded(text)) for text in texts]) for texts in (_inputs(rollouts), outputs)]
    return counts[0].to(rollouts.mask.device), counts[1].to(rollouts.mask.device)


def by_texts(encode: Callable[[Sequence[str]], Float[Tensor, "M H"]]) -> Embed:
    """What an encoder of texts makes of questions and outputs; a sentence model, say."""

    def embed(policy: Any, rollouts: Rollouts) -> tuple[Tensor, Tensor]:
        outputs = [worded(rollouts.outputs[row]) for row in range(len(rollouts))]
        asked = [worded(text) for text in _inputs(rollouts)]
        some = list(dict.fromkeys([*asked, *outputs]))
        found = dict(zip(some, encode(some).to(rollouts.mask.device), strict=True))
        return torch.stack([found[text] for text in asked]), torch.stack([found[text] for text in outputs])

    return embed


EMBEDDINGS: Mapping[str, Embed] = {"states": by_states, "ngrams": by_ngrams}


def worded(said: Any) -> str:
    """A question or an answer as one text: of messages what they say."""
    if isinstance(said, str):
        return str(said)
    if isinstance(said, list | tuple) and said and all(isinstance(one, Mapping) for one in said):
        return "\n".join(str(one.get("content", "")) for one in said)
    return str(said)


def _inputs(rollouts: Rollouts) -> list[Any]:
    return [problem.input for problem in rollouts.problems]


def counted(text: str) -> Float[Tensor, "H"]:
    """How often each one to three characters come in a text, in buckets by their hash."""
    counts = torch.zeros(_WIDTH)
    for size in range(1, _NGRAMS + 1):
        for start in range(len(text) - size + 1):
            counts[_bucket(text[start : start + size])] += 1
    return counts


@cache
def _bucket(ngram: str) -> int:
    return hashed("ngram", ngram) % _WIDTH
