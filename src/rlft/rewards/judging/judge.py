"""A served language model as a reward: `judge`. Any server that speaks OpenAI's chat protocol; none is started here."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, final, runtime_checkable

import torch

from rlft.errors import UserError, say
from rlft.rewards.adapt import column
from rlft.rewards.judging.asked import Template, template
from rlft.rewards.judging.replies import Replies, Reply, key_of, reply_of
from rlft.rewards.judging.server import Refused, Server, together
from rlft.rewards.judging.verdicts import SOFT, Reading
from rlft.types import Parts, Problem, Reward

_NOTICED = 8  # rows whose votes are word for word alike, of so many words each, before it is said
_COUNTED = ("requests", "cached", "retries", "tokens", "cost", "unread", "refused")


def judge(
    *,
    url: str,
    model: str,
    prompt: str,
    reads: str = "score",
    least: float = 0.0,
    most: float = 1.0,
    temperature: float = 0.0,
    max_tokens: int = 512,
    votes: int = 1,
    concurrency: int = 16,
    timeout: float = 120.0,
    patience: float = 300.0,
    cache: str = "",
    price: Sequence[float] = (0.0, 0.0),
    key: str = "OPENAI_API_KEY",
    extra: Mapping[str, Any] | None = None,
) -> Reward:
    """What a model behind an OpenAI-compatible server says of a completion, a number from `least` to `most`.

    url          the base of the protocol, `http://127.0.0.1:8000/v1`; `model` is its name there
    prompt       a file, or the text itself, with {completion} and other fields, see `asked.Template`
    reads        how its verdict is read: score, boxed, yes, p(yes), or a regular expression, see `verdicts.Reading`
    max_tokens   of a reply; 0 leaves it to the server
    votes        requests for each row, whose verdicts' mean is the score; they need a temperature
    concurrency  requests at a time
    timeout      seconds for one reply; `patience` for how long a request is made again while the server is away, busy
                 or at fault. Then the run stops, and can be resumed
    cache        a file of replies; without one they are remembered while the process lives
    price        of a million tokens read and written
    key          the environment variable that holds the server's key
    extra        more fields of a request, `{'top_p': 0.9}`

    Equal requests are made once. NaN where no verdict can be read from more than half of the votes: a reply that was
    cut off by `max_tokens`, one in other words, a number out of range, a request that the server refuses. Of each row
    is watched, and logged as `reward/NAME` on average over rows: requests, cached, retries, tokens, cost, unread and
    refused.
    """
    if max_tokens < 0:
        raise UserError(f"max_tokens={max_tokens} must be 0 or more")
    if votes > 1 and not temperature > 0:
        raise UserError(f"{votes} votes at temperature 0 are {votes} times the same reply: give temperature=0.7, say")
    if votes > 1 and reads == SOFT:
        raise UserError("p(yes) is read off the first token's distribution and is the same at each vote: votes=1")
    body: dict[str, Any] = {"model": model, "temperature": temperature, **dict(extra or {})}
    body |= {"max_tokens": max_tokens} if max_tokens else {}
    body |= {"logprobs": True, "top_logprobs": 20} if reads == SOFT else {}
    reading = Reading(reads, least, most)
    return judging(url, key, timeout, patience, body, prompt, reading, cache, votes, concurrency, price)


@runtime_checkable
class Reads(Protocol):
    """What decides whether a reply can be read: `verdicts.Reading`, or what behaves as it does."""

    @property
    def form(self) -> str: ...

    @property
    def least(self) -> float: ...

    @property
    def most(self) -> float: ...

    def of(self, reply: str) -> float | None:
        """The verdict of a whole reply; None where none can be read."""
        ...


def judging(
    url: str,
    key: str,
    timeout: float,
    patience: float,
    body: Mapping[str, Any],
    prompt: str,
    reading: Reads,
    cache: str,
    votes: int,
    concurrency: int,
    price: Sequence[float],
) -> Judge:
    """A `Judge` of what is told, see `judge`; `body` is what is asked beside the messages."""
    if votes < 1 or concurrency < 1:
        raise UserError(f"votes={votes} and concurrency={concurrency} are 1 or more")
    if len(price) != 2 or any(not one >= 0 for one in price):
        raise UserError(f"price={price!r}: give two numbers, for a million tokens read and for a million written")
    server = Server(url, key, timeout, patience)
    return Judge(server, body, template(prompt), reading, Replies(cache), votes, concurrency, (price[0], price[1]))


@dataclass
class _Asked:
    """What became of the requests of one batch, by their keys."""

    retries: Counter[str] = field(default_factory=Counter)
    new: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


@final
class Judge:
    """The reward that `judge` makes.

    body     of a request, without its messages
    totals   of its counters, over all that it was asked in this run
    """

    def __init__(
        self,
        server: Server,
        body: Mapping[str, Any],
        template: Template,
        reading: Reads,
        replies: Replies,
        votes: int = 1,
        concurrency: int = 16,
        price: tuple[float, float] = (0.0, 0.0),
    ):
        self.server, self.body, self.template, self.reading = server, dict(body), template, reading
        self.replies, self.votes, self.concurrency, self.price = replies, votes, concurrency, price
        self.totals: dict[str, float] = dict.fromkeys(_COUNTED, 0.0)
        self._answered = bool(replies.kept)
        self._alike, self._apart, self._told = 0, False, set[str]()

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        rows, watch = self._rows(problems, outputs)
        return Parts({"judge": column([self._score(row) for row in rows])}, watch)

    def replied(
        self, problems: Sequence[Problem], outputs: Any
    ) -> tuple[list[list[str | None]], dict[str, torch.Tensor]]:
        """The replies themselves, one for each vote, None for one that was refused or cut off, and what is watched."""
        rows, watch = self._rows(problems, outputs)
        kept = [[self.replies.kept.get(key) for key in row] for row in rows]
        return [[None if r is None or r.ended == "length" else r.text for r in row] for row in kept], watch

    def _rows(self, problems: Sequence[Problem], outputs: Any) -> tuple[list[list[str]], dict[str, torch.Tensor]]:
        """The keys of each row's requests, which have been answered, and the counters."""
        requests = [self._requests(problem, outputs[row]) for row, problem in enumerate(problems)]
        asked = self._ask({key: request for row in requests for key, request in row.items()})
        rows = [list(row) for row in requests]
        watch = self._counted(rows, asked)
        for name, values in watch.items():
            self.totals[name] += float(values.sum())
        self._notice(rows, asked)
        return rows, watch

    def explain(self, problem: Problem, output: Any) -> str:
        """The verdict, and the end of what the judge said."""
        requests = self._requests(problem, output)
        asked = self._ask(requests)
        said = [f"refused: {asked.refused[k]}" if k in asked.refused else self._told_of(k) for k in requests]
        return "; ".join(said)

    def state_dict(self) -> dict[str, Any]:
        return {"totals": dict(self.totals), "asks": self._asks()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.totals = {**dict.fromkeys(_COUNTED, 0.0), **state["totals"]}
        if state["asks"] != self._asks():
            self._say("its prompt or settings are not what they were when the checkpoint was written")

    def _asks(self) -> str:
        """What decides about its verdicts, but for the server."""
        read = [self.reading.form, self.reading.least, self.reading.most]
        return key_of({**self.body, "prompt": self.template.text, "reads": read, "votes": self.votes})

    def _requests(self, problem: Problem, output: Any) -> dict[str, dict[str, Any]]:
        """The requests of a row, one for each vote, by their keys."""
        messages = [{"role": "user", "content": self.template.filled(problem, output)}]
        request = {**self.body, "messages": messages}
        return {key_of({**request, "vote": vote}): request for vote in range(self.votes)}

    def _ask(self, requests: Mapping[str, dict[str, Any]]) -> _Asked:
        """Ask what was not asked before, each reply kept as it comes."""
        self.replies.refresh()
        asked = _Asked()
        new = [key for key in requests if key not in self.replies.kept]

        def one(key: str, halted: threading.Event) -> tuple[Reply | Refused, int]:
            try:
                said, failed = self.server.ask(requests[key], halted)
            except Refused as error:
                return error, 0
            return reply_of(said, self.reading.form == SOFT), failed

        for key, (reply, failed) in together(new, one, self.concurrency):
            asked.new.add(key)
            asked.retries[key] = failed
            if isinstance(reply, Refused):
                asked.refused[key] = str(reply)
            else:
                self.replies.keep(key, reply)
                self._answered = True
        if asked.refused and not self._answered:
            raise UserError(f"the judge's server takes no request: {next(iter(asked.refused.values()))}")
        return asked

    def _score(self, keys: Sequence[str]) -> float | None:
        """The mean of the verdicts that can be read, if they are more than half."""
        found = [v for key in keys if (v := self._verdict(key)) is not None]
        return sum(found) / len(found) if 2 * len(found) > len(keys) else None

    def _verdict(self, key: str) -> float | None:
        reply = self.replies.kept.get(key)
        if reply is None:
            return None
        if self.reading.form == SOFT:
            yes, no = reply.soft or (0.0, 0.0)
            return yes / (yes + no) if yes + no > 0 else None
        # Of `Score: 10` that is cut off `Score: 1` may be left.
        return None if reply.ended == "length" else self.reading.of(reply.text)

    def _told_of(self, key: str) -> str:
        reply, verdict = self.replies.kept[key], self._verdict(key)
        cut = " (cut off)" if reply.ended == "length" else ""
        return f"{'unread' if verdict is None else f'{verdict:g}'}{cut}: …{reply.text[-160:]!r}"

    def _counted(self, rows: Sequence[Sequence[str]], asked: _Asked) -> dict[str, torch.Tensor]:
        """The counters of each row; what several rows share is the first one's."""
        left, counts = set(asked.new), {name: torch.zeros(len(rows)) for name in _COUNTED}
        for row, keys in enumerate(rows):
            own = [key for key in keys if key in left]
            left.difference_update(own)
            counts["requests"][row] = len(own)
            counts["cached"][row] = sum(key in self.replies.kept for key in keys) - len(
                [key for key in own if key not in asked.refused]
            )
            counts["retries"][row] = sum(asked.retries[key] for key in own)
            counts["refused"][row] = sum(key in asked.refused for key in keys)
            counts["unread"][row] = sum(key in self.replies.kept and self._verdict(key) is None for key in keys)
            replies = [self.replies.kept[key] for key in own if key in self.replies.kept]
            counts["tokens"][row] = sum(max(r.read, 0) + max(r.wrote, 0) for r in replies)
            millions = [(max(r.read, 0) / 1e6, max(r.wrote, 0) / 1e6) for r in replies]
            counts["cost"][row] = sum(read * self.price[0] + wrote * self.price[1] for read, wrote in millions)
        return counts

    def _notice(self, rows: Sequence[Sequence[str]], asked: _Asked) -> None:
        """Say once what the server did not do although it was asked."""
        new = [self.replies.kept[key] for key in asked.new if key in self.replies.kept]
        if any(self.price) and any(reply.read < 0 or reply.wrote < 0 for reply in new):
            self._say("its server counts no tokens, so that the cost is more than what is logged")
        other = [r.model for r in new if r.model and not r.model.startswith(str(self.body["model"]))]
        if other:
            self._say(f"asked for {self.body['model']}, its server answers as {other[0]}")
        for keys in rows:
            texts = [self.replies.kept[key].text for key in keys if key in asked.new and key in self.replies.kept]
            if len(texts) == self.votes > 1 and len(texts[0].split()) >= _NOTICED:
                self._alike += 1
                self._apart |= len(set(texts)) > 1
        if self._alike >= _NOTICED and not self._apart:
            self._say(
                f"all {self.votes} votes are word for word alike in {self._alike} rows of {self._alike}: its server "
                f"ignores temperature={self.body['temperature']}, and more votes cost more and say nothing"
            )

    def _say(self, sentence: str) -> None:
        what = sentence.split(",")[0][:20]
        if what not in self._told:
            self._told.add(what)
            say(f"the judge: {sentence}")
