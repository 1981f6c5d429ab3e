"""Who is asked: a model behind a server of OpenAI's chat protocol, or a policy of ours. What for is `make`'s."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from rlft.errors import UserError
from rlft.rewards.judging.replies import Replies, Reply, key_of, reply_of
from rlft.rewards.judging.server import Refused, Server, together
from rlft.types import Problem, Sampler


@runtime_checkable
class Says(Protocol):
    """What answers prompts."""

    @property
    def name(self) -> str:
        """As a card names it."""
        ...

    def say(self, prompts: Sequence[str], seed: int) -> list[str | None]:
        """A reply to each; None where it was refused or cut off."""
        ...


@dataclass
class Served:
    """A model behind an OpenAI-compatible server, each prompt with a number asked once.

    body     of a request, without its messages
    replies  in memory and in a file, so that nothing that was paid for is asked again
    tokens   read and written, as the server counts them, of what was asked here
    """

    server: Server
    body: Mapping[str, Any]
    concurrency: int = 16
    replies: Replies = field(default_factory=Replies)
    tokens: int = 0

    @property
    def name(self) -> str:
        """The model's name there."""
        return str(self.body["model"])

    def say(self, prompts: Sequence[str], seed: int) -> list[str | None]:
        """See `Says`. Equal prompts of one call get replies of their own, each with its own number; `seed` is sent."""
        self.replies.refresh()
        counts: dict[str, int] = {}
        requests: dict[str, dict[str, Any]] = {}
        keys = []
        for prompt in prompts:
            number = counts[prompt] = counts.get(prompt, 0) + 1
            request = {**self.body, "messages": [{"role": "user", "content": prompt}], "seed": seed + number - 1}
            keys.append(key_of({**request, "at": self.server.url}))
            requests[keys[-1]] = request
        refused = self._ask({key: asked for key, asked in requests.items() if key not in self.replies.kept})
        if refused and len(refused) == len(requests):
            raise UserError(f"{self.name} takes no request: {next(iter(refused.values()))}")
        return [_whole(self.replies.kept.get(key)) for key in keys]

    def _ask(self, new: Mapping[str, dict[str, Any]]) -> dict[str, str]:
        """Each reply is kept as it comes; what was refused, and why."""
        refused = {}

        def one(key: str, halted: threading.Event) -> Reply | Refused:
            try:
                return reply_of(self.server.ask(new[key], halted)[0], soft=False)
            except Refused as error:
                return error

        for key, reply in together(list(new), one, self.concurrency):
            if isinstance(reply, Refused):
                refused[key] = str(reply)
                continue
            self.replies.keep(key, reply)
            self.tokens += max(reply.read, 0) + max(reply.wrote, 0)
        return refused


def _whole(reply: Reply | None) -> str | None:
    return None if reply is None or reply.ended == "length" else reply.text


@dataclass
class Drawn:
    """A policy of texts, as it is, `batch` prompts at once. A reply that was cut off is None."""

    policy: Sampler
    name: str
    batch: int = 32

    def say(self, prompts: Sequence[str], seed: int) -> list[str | None]:
        """See `Says`; a prompt's reply depends on its place among `prompts` and not on the others."""
        asked = [Problem(number, prompt, task="make-data", split=self.name) for number, prompt in enumerate(prompts)]
        found: list[str | None] = []
        for start in range(0, len(asked), self.batch):
            outputs = self.policy.sample(asked[start : start + self.batch], 1, seed).outputs
            found += [None if getattr(one, "truncated", False) else str(one) for one in outputs]
        return found
