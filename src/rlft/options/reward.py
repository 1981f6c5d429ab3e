"""`--reward` of the command line: from words to a reward, built in or of your own file. No reward is here.

math    "length(target=50, unit='tokens')"    file.py:function    "file.py:make(scale=2)"
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlft import rewards
from rlft.errors import nearest
from rlft.options.calls import Call, called, function_in, parse_call
from rlft.rewards.adapt import adapted, is_reward
from rlft.rewards.limited import Limited
from rlft.types import Reward, Task, UserError


def load_reward(spec: str, special_tokens: bool = False) -> Reward:
    """The reward that a text names: a built-in, with or without settings, or a function of a Python file.

    `file.py:make(scale=2)` calls `make`, which returns a reward; `file.py:function` is one itself, of any kind that
    `adapt.adapted` knows, which is told of `special_tokens`. Raises `UserError` and says what there is instead.
    """
    if found := re.fullmatch(r"(.+?\.py)(?::(.*))?", spec.strip(), re.DOTALL):
        path, rest = Path(found[1]).expanduser(), parse_call(found[2] or "")
        function = function_in(path, rest.name)
        return adapted(called(function, rest) if rest.called else function, special_tokens)
    call, known = parse_call(spec), built_in()
    if call.name not in known:
        raise UserError(f"there is no reward {call.name!r}{nearest(call.name, known)}, or your own file.py:function")
    function = known[call.name]
    if function is rewards.by_column:
        call = replace(
            call, settings={name: _inner(call, text, special_tokens) for name, text in call.settings.items()}
        )
    return function if is_reward(function) and not call.called else called(function, call)


def _inner(call: Call, text: Any, special_tokens: bool) -> Reward:
    """The reward that a setting of another one names."""
    if not isinstance(text, str):
        raise UserError(f"{call.name}: its rewards are texts, such as 'exact' or 'length(target=50)', not {text!r}")
    return load_reward(text, special_tokens)


def built_in() -> dict[str, Callable[..., Any]]:
    """The functions `rlft.rewards` exports that are rewards or make one: all but those of `adapt`."""
    return {
        name: value
        for name, value in sorted(vars(rewards).items())
        if inspect.isfunction(value) and not name.startswith("_") and value.__module__ != "rlft.rewards.adapt"
    }


@dataclass(frozen=True)
class Rewards:
    """What is rewarded.

    Args:
        reward: built-in names such as math or "length(target=50, unit='tokens')", or file.py:function; several add.
            A task that has its own reward needs none.
        reward_weights: a weight for each reward; 1 by default.
        reward_seconds: how long the rewards of one batch may take before the run is stopped; any time by default.
        reward_special_tokens: functions written for TRL or verl read special tokens in completions, where a model has
            made such of <think> and the like; what ended the row is left out.
    """

    reward: tuple[str, ...] = ()
    reward_weights: tuple[float, ...] = ()
    reward_seconds: float | None = None
    reward_special_tokens: bool = False


def reward_of(rewarded: Rewards, task: Task) -> Reward:
    """The reward that a command line asks for, or the task's own."""
    reward = _unlimited(rewarded, task)
    return reward if rewarded.reward_seconds is None else Limited(reward, rewarded.reward_seconds)


def _unlimited(rewarded: Rewards, task: Task) -> Reward:
    specs, weights = rewarded.reward, rewarded.reward_weights
    if not specs:
        own = getattr(task, "reward", None)
        if own is None:
            raise UserError(f"{task.name} has no reward of its own: give --reward NAME or --reward file.py:function")
        return own
    if weights and len(weights) != len(specs):
        raise UserError(f"{len(specs)} rewards and {len(weights)} reward weights: give one weight for each")
    if len(specs) == 1 and not weights:
        return load_reward(specs[0], rewarded.reward_special_tokens)
    parts = {spec: load_reward(spec, rewarded.reward_special_tokens) for spec in specs}
    return rewards.combine(parts, dict(zip(specs, weights, strict=True)) if weights else None)
