"""Environments that are served as OpenEnv serves them: a program for `Agents`, which plays one episode in each row.

What the environment shows is what the policy is asked, the policy's turn is its action, and the sum of the rewards is
what the conversation came to. The wire is that of OpenEnv's own client (openenv 0.10): JSON over a WebSocket, a session
for each connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from rlft.environments.endpoint import Served
from rlft.errors import UserError
from rlft.noise import hashed

# Fields of an observation that say something to a reader, where it is not told which.
_WORDS = ("text", "prompt", "message", "messages", "content", "output", "result", "observation")


def openenv(
    url: str, *, action: str = "message", shows: str = "", given: Sequence[str] = (), seconds: float = 60.0
) -> Callable[[Mapping[str, Any], Served], float]:
    """A program that plays an episode of the environment at `url` with the policy: `--agent "openenv('URL')"`.

    url      where it is served, http://… or ws://…, without /ws
    action   the field of its action that a turn of the policy is; "json" where a turn is a whole action, a JSON object
    shows    the field of its observation that the policy reads; by default the one text in it that is known by its name
             (text, prompt, message, output …), else all of it as JSON
    given    columns of the data that its reset is told by their names, besides a seed that the problem decides
    seconds  that an answer may take

    A row's first message is the problem's input, if there is one, and what is shown after the reset; the number for the
    reward `result` is the sum of the rewards. Every row is a session of its own, all of a step side by side, so the
    server must take as many (`max_concurrent_envs`). An action that the environment does not take, or a turn that
    is no JSON object where one is wanted, ends the row with what was earned until then; an environment that fails
    leaves its row without a score. `UserError` without the package `websockets`.
    """
    place = urlsplit(url.strip().rstrip("/"))
    if place.scheme not in ("http", "https", "ws", "wss") or not place.netloc:
        raise UserError(f"an OpenEnv environment is at an address, http://127.0.0.1:8000; got {url!r}")
    if not seconds > 0 or not action:
        raise UserError(f"an environment needs time to answer and an action a field; got {seconds=} and {action=}")
    scheme = {"http": "ws", "https": "wss"}.get(place.scheme, place.scheme)
    address = f"{scheme}://{place.netloc}{place.path.removesuffix('/ws')}/ws"
    connect = _connecting()

    def play(problem: Mapping[str, Any], endpoint: Served) -> float:
        local = place.hostname in ("127.0.0.1", "localhost", "::1")
        told = {"open_timeout": seconds, "max_size": None, **({"proxy": None} if local else {})}
        with connect(address, **told) as wire:
            asked = {name: problem[name] for name in given if name in problem}
            told = {"seed": hashed("openenv", problem["input"], asked) % 2**31, **asked}
            seen = _heard(wire, {"type": "reset", "data": told}, seconds)
            begun = problem["input"] if isinstance(problem["input"], str) else ""
            messages = [{"role": "user", "content": "\n\n".join(filter(None, (begun, _shown(seen, shows))))}]
            earned = float(seen.get("reward") or 0.0)
            while not seen.get("done"):
                turn = endpoint.ask(messages)
                try:
                    seen = _heard(wire, {"type": "step", "data": _acted(turn, action)}, seconds)
                except _Refused:
                    break
                earned += float(seen.get("reward") or 0.0)
                messages += [{"role": "assistant", "content": turn}, {"role": "user", "content": _shown(seen, shows)}]
            return earned

    return play


class _Refused(Exception):
    """An action that is none."""


def _connecting() -> Callable[..., Any]:
    try:
        from websockets.sync.client import connect
    except ImportError:
        raise UserError(
            "an OpenEnv environment is spoken to by the package websockets: pip install 'rlft[openenv]'"
        ) from None
    return connect


def _closed() -> type[Exception]:
    from websockets.exceptions import ConnectionClosed

    return ConnectionClosed


def _acted(turn: str, action: str) -> dict[str, Any]:
    if action != "json":
        return {action: turn}
    try:
        found = json.loads(turn)
    except (ValueError, RecursionError):
        raise _Refused from None
    if not isinstance(found, dict):
        raise _Refused
    return found


def _heard(wire: Any, message: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    """What the environment answers: `observation`, `reward` and `done`."""
    with suppress(_closed()):  # a session that is refused is told why, and closed, maybe before it is asked anything
        wire.send(json.dumps(message, default=str))
    answer = json.loads(wire.recv(timeout=seconds))
    data = answer.get("data") or {}
    if answer.get("type") == "observation":
        return data
    code, words = data.get("code", "no code"), data.get("message", "no reason")
    if code == "VALIDATION_ERROR" and message["type"] == "step":
        raise _Refused
    if code == "CAPACITY_REACHED":
        words += ": a row is a session, so start it with max_concurrent_envs of --prompts times --group or more"
    raise RuntimeError(f"the environment says {code}: {words}")


def _shown(seen: Mapping[str, Any], shows: str) -> str:
    """What the policy reads of an observation."""
    held = seen.get("observation") or {}
    if shows:
        if shows not in held:
            raise RuntimeError(f"the environment's observation has no {shows!r}; it has {', '.join(held) or 'nothing'}")
        return _worded(held[shows])
    named = [name for name in _WORDS if isinstance(held.get(name), str) and held[name]]
    if len(named) == 1:
        return held[named[0]]
    return _worded(
        {name: value for name, value in held.items() if name != "metadata" and value not in (None, "", [], {})}
    )


def _worded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
