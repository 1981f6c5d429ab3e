"""Environments of the package `verifiers`, played as they are: a program for `Agents`, a rollout of theirs in each row.

The environment asks, calls its tools, ends and scores by its own code; the policy is what it asks. The classic protocol
(`load_environment`, `run_rollout`): versions 0.1.12 to 0.3. Later ones run agents of their own, which reach a policy by
its address (`Served.environment`).
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlft.environments.endpoint import Served, asynchronous
from rlft.errors import UserError

# What a row of theirs is told of besides its prompt, and what is no part of it.
_TOLD = ("example_id", "answer", "info", "task")
_one = threading.Lock()


def verifiers(environment: str, **arguments: Any) -> Callable[[Mapping[str, Any], Served], float]:
    """A program that runs a rollout of an environment with the policy: `--agent "verifiers('wordle')"`.

    environment  the name of its package, as `verifiers.load_environment` takes it
    arguments    what it is loaded with

    The problem is its example: the input its prompt, `answer`, `info`, `example_id` and `task` as its data have them
    (`--data verifiers:wordle`), or of other data as far as they are there. Tools that it offers are shown to the
    policy. The number for the reward `result` is the rubric's reward. A rollout that failed leaves its row without a
    score. All rows are played in one event loop, so a rubric that computes for long keeps the others waiting. Its code
    runs here, in no jail. `UserError` for a package that is not there or has another protocol.
    """
    loaded(environment, **arguments)

    def play(problem: Mapping[str, Any], endpoint: Served) -> float:
        held = loaded(environment, **arguments)
        asked = problem["input"]
        prompt = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        told = {name: problem[name] for name in _TOLD if problem.get(name) is not None}
        rollout = held.run_rollout({"example_id": 0, **told, "prompt": prompt}, _client(endpoint), endpoint.model, {})
        with _one:  # rows begin side by side, and one loop is for all
            loop = _loop(os.getpid())
        out = asyncio.run_coroutine_threadsafe(rollout, loop).result()
        if out.get("error"):
            raise RuntimeError(f"the environment {environment} says: {out['error']}")
        return float(out["reward"])

    return play


def loaded(environment: str, **arguments: Any) -> Any:
    """The environment, once for a process; `UserError` where it cannot be."""
    try:
        return _loaded(environment, json.dumps(arguments, sort_keys=True))
    except TypeError as error:
        raise UserError(f"verifiers:{environment} is loaded with texts and numbers: {error}") from None


def examples(environment: str, split: str, **arguments: Any) -> Sequence[Mapping[str, Any]]:
    """The rows of its data: those of its training set, or where it has one of its evaluation set."""
    held = loaded(environment, **arguments)
    return held.get_dataset() if split == "train" else held.get_eval_dataset()


@functools.cache
def _loaded(environment: str, arguments: str) -> Any:
    try:
        library = importlib.import_module("verifiers")
        load = library.load_environment
    except (ImportError, AttributeError):
        raise UserError(
            "environments of verifiers need its classic protocol, versions 0.1.12 to 0.3: pip install 'rlft[verifiers]'"
        ) from None
    try:
        held = load(environment, **json.loads(arguments))
    except Exception as error:  # of the environment's own code, which may raise anything
        raise UserError(f"verifiers cannot load {environment!r}: {error}; is its package installed?") from error
    if not callable(getattr(held, "run_rollout", None)):
        raise UserError(f"verifiers {environment!r} has no run_rollout: its version is another one; take 0.1.12 to 0.3")
    return held


def _client(endpoint: Served) -> Any:
    kind = importlib.import_module("verifiers.clients").OpenAIChatCompletionsClient
    return kind(asynchronous(endpoint))


@functools.lru_cache(maxsize=1)
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """A loop of this process in a thread of its own, as environments keep what belongs to one."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="verifiers", daemon=True).start()
    return loop
