"""One request to a server that speaks OpenAI's chat protocol, again and again until it answers. Reads no verdict."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from rlft.errors import Unavailable, UserError
from rlft.version import __version__

Job = TypeVar("Job")
Done = TypeVar("Done")

# What a server says of itself, of its load for instance, and not of a request; with these it is asked again.
_BUSY = {408, 409, 425, 429}
# What it says of one request: too long, not allowed.
_OF_ONE = {400, 413, 422}
_FIRST_WAIT, _LONGEST_WAIT, _GRACE = 0.5, 30.0, 2.0
_jitter = random.Random()  # of waits alone, so that nobody's own random numbers move


class Refused(Exception):
    """The server will not answer this request, whenever it is asked; what it said."""


class _Again(Exception):
    """No answer yet; `after` is how many seconds the server wants to be left alone."""

    def __init__(self, words: str, after: float = 0.0):
        super().__init__(words)
        self.after = after


@dataclass(frozen=True)
class Server:
    """Where to ask.

    url       the base of the protocol, `http://127.0.0.1:8000/v1`
    key       the environment variable that holds the key; none is sent where it is not set
    timeout   seconds for one answer
    patience  seconds, from its first failure on, in which a request is made again
    """

    url: str
    key: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    patience: float = 300.0

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"url={self.url!r} is not the address of a server, such as http://127.0.0.1:8000/v1")
        if not self.timeout > 0 or not self.patience >= 0:
            raise UserError(
                f"timeout={self.timeout} must be more than 0 seconds, and patience={self.patience} not less"
            )

    def ask(self, body: Mapping[str, Any], halted: threading.Event) -> tuple[dict[str, Any], int]:
        """The server's answer to a chat completion, and how often it was asked in vain.

        A connection that fails, an answer that is late or none (JSON with `choices`), and the statuses 408, 409, 425,
        429 and 5xx are tried again: after 0.5 seconds, 1, 2 … 30, half as long or half as long again by chance, or
        what `Retry-After` says. `Unavailable` once `patience` is over, `Refused` for 400, 413 and 422, `UserError` for
        every other status.
        """
        failed, since, wait = 0, 0.0, _FIRST_WAIT
        while True:
            try:
                return self._once(body), failed
            except _Again as error:
                failed, now = failed + 1, time.monotonic()
                since = since or now
                left = since + self.patience - now
                if left <= 0 or halted.is_set():
                    raise Unavailable(
                        f"the server at {self.url} does not answer: {error} ({failed} tries in {now - since:.0f} s)"
                    ) from None
                halted.wait(min(left, max(error.after, wait * _jitter.uniform(0.5, 1.5))))
                wait = min(2 * wait, _LONGEST_WAIT)

    def _once(self, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "User-Agent": f"rlft/{__version__}"}
        address = self.url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        if secret := os.environ.get(self.key):
            request.add_unredirected_header("Authorization", f"Bearer {secret}")
        try:
            with _opener(urllib.parse.urlsplit(address).hostname or "").open(request, timeout=self.timeout) as reply:
                said = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            raise self._said(error) from None
        except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
            raise _Again(str(getattr(error, "reason", error)) or type(error).__name__) from None
        except ValueError:
            raise _Again("what it answers is not JSON") from None
        if not isinstance(said, dict) or not isinstance(said.get("choices"), list) or not said["choices"]:
            raise _Again(f"it answers without `choices`: {json.dumps(said):.200}")
        return said

    def _said(self, error: urllib.error.HTTPError) -> Exception:
        words = f"{error.code} {_message(error)}"
        if error.code in _BUSY or error.code >= 500:
            return _Again(words, _after(error.headers))
        if error.code in _OF_ONE:
            return Refused(words)
        if error.code in (401, 403):
            there = "is not taken" if os.environ.get(self.key) else "is not set"
            return UserError(f"the server at {self.url} wants a key ({words}); the variable {self.key} {there}")
        return UserError(f"the server at {self.url} says {words}; look at url, which ends in /v1 mostly, and at model")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would make a GET of a POST; it is an error that names where it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(host: str) -> urllib.request.OpenerDirector:
    """By the proxy of the environment, but for this machine's own servers."""
    own = host in ("localhost", "::1") or host.startswith("127.")
    return urllib.request.build_opener(_NoRedirect(), *([urllib.request.ProxyHandler({})] if own else []))


def _message(error: urllib.error.HTTPError) -> str:
    """What the server says of it, in the form of the protocol or any other."""
    try:
        text = error.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return str(error.reason)
    try:
        said = json.loads(text)
        text = said["error"]["message"] if isinstance(said["error"], dict) else said["error"]
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(str(text).split())[:300] or str(error.reason)


def _after(headers: Message) -> float:
    try:
        return max(float(headers.get("Retry-After", 0)), 0.0)
    except ValueError:  # a date
        return 0.0


def together(jobs: Sequence[Job], do: Callable[[Job, threading.Event], Done], most: int) -> Iterator[tuple[Job, Done]]:
    """What `do` makes of each job, as they are done, `most` at a time in threads of their own.

    After a first error no further job is begun, what is done within two seconds is still given (replies are paid for),
    and then the error is raised.
    """
    todo: SimpleQueue[Job] = SimpleQueue()
    done: SimpleQueue[tuple[Job, Any, BaseException | None]] = SimpleQueue()
    halted = threading.Event()

    def work() -> None:
        while not halted.is_set():
            try:
                job = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((job, do(job, halted), None))
            except BaseException as error:
                halted.set()
                done.put((job, None, error))

    for job in jobs:
        todo.put(job)
    # no pool, which would wait for its threads after an interrupt
    threads = [threading.Thread(target=work, daemon=True, name="rlft-judge") for _ in range(min(most, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            job, made, error = done.get()
            if error is not None:
                until = time.monotonic() + _GRACE
                for thread in threads:
                    thread.join(max(until - time.monotonic(), 0.0))
                yield from _rest(done)
                raise error
            yield job, made
    finally:
        halted.set()


def _rest(done: SimpleQueue[tuple[Any, Any, BaseException | None]]) -> Iterator[tuple[Any, Any]]:
    while True:
        try:
            job, made, error = done.get_nowait()
        except Empty:
            return
        if error is None:
            yield job, made
