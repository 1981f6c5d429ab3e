"""A run's arguments as a file of TOML: keys are options by their names, with `_` or `-`. Words of a command line win.

    recipe = "train"                  left out where the command says it
    model = "path/or/hub-id"
    reward = ["math"]
    lr = 1e-5
    kl = false
    method = {name = "grpo", beta = 0.04}

A file becomes words of a command line, so it can say what a command line can and nothing else. None is "None".
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from rlft import methods
from rlft.errors import UserError, nearest
from rlft.options.arguments import take_option
from rlft.types import Runtime

# Options of a run folder, which are no arguments of a recipe's; those of them that a run has are in its file.
FOLDER_KEYS = ("recipe", "out", "save_every", "samples_every", "track", "arm", "trust_run")


def configured(words: Sequence[str], function: Callable[..., Any], more: Iterable[str] = ()) -> list[str]:
    """The words with those of the file that `--config` names before them, but for what they say themselves.

    function  whose options the file's keys are; `more` are further ones
    """
    words = list(words)
    path = take_option(words, "--config")
    if path is None:
        return words
    table, kinds = read(Path(path)), _kinds(function)
    known = {*kinds, *more}
    for key in table:
        if key not in known:
            raise UserError(f"{path} has {key!r}, which is no option here{nearest(key, known)}")
    said = {_named(word, known) for word in words if word.startswith("-")}
    chosen = take_option(list(words), "--method")
    found: list[str] = []
    for key, value in table.items():
        if key == "method":
            found += _method_words(value, said, chosen, path)
        elif key not in said and key != "recipe":
            found += words_of(key, value, repeated=_appends(kinds.get(key)))
    return [*found, *words]


def recipe_in(words: Sequence[str]) -> str | None:
    """The recipe that the file of `--config` names; None without one."""
    path = take_option(list(words), "--config")
    return None if path is None else read(Path(path)).get("recipe")


def read(path: Path) -> dict[str, Any]:
    """The file's keys with `_` for `-`; `UserError` for one that cannot be read."""
    return {key.replace("-", "_"): value for key, value in loaded(path.expanduser()).items()}


def loaded(path: Path, called: str = "") -> dict[str, Any]:
    """A file of TOML; `UserError` for one that cannot be read, where it is `called` so before its name."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {called}{path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not TOML: {error}") from error


def words_of(name: str, value: Any, repeated: bool = False) -> list[str]:
    """A key and its value as words of a command line; `repeated` where an option is said once for each value."""
    before, dot, last = name.replace("_", "-").rpartition(".")
    option = f"--{before}{dot}{last}"
    if isinstance(value, bool):
        return [option if value else f"--{before}{dot}no-{last}"]
    if isinstance(value, Mapping):
        chosen = [option, str(value["name"])] if "name" in value else []
        return chosen + [word for key, own in value.items() if key != "name" for word in words_of(f"{name}.{key}", own)]
    if isinstance(value, list):
        return [w for one in value for w in (option, str(one))] if repeated else [option, *map(str, value)]
    return [f"{option}={value}"] if str(value).startswith("-") else [option, str(value)]


def text(recipe: str, function: Callable[..., Any], arguments: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """The file of a recipe's arguments, every one of them; `more` are options of its run folder."""
    lines = [f"recipe = {_value(recipe)}"]
    usual = {name: p.default for name, p in inspect.signature(function).parameters.items()}
    for name, value in arguments.items():
        if dataclasses.is_dataclass(usual[name]) and name != "method":
            lines += _lines(vars(value), {f.name: f.default for f in dataclasses.fields(value)})
        elif name == "method":
            defaults = inspect.signature(methods.named(value.name)).parameters
            own = _lines(value.settings, {key: p.default for key, p in defaults.items()})
            lines.append(f"method = {{{', '.join([f'name = {_value(value.name)}', *own])}}}")
        else:
            lines += _lines({name: value}, usual)
    return "\n".join([*lines, *_lines(more, {})]) + "\n"


def _lines(values: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    """One `key = value` each. TOML has no None, which stays away where that is what an option is without a word; a
    function is no option, and comes from the recipe again, or from its arm."""
    told = {n: "None" if v is None else v for n, v in values.items() if v is not None or usual.get(n) is not None}
    told = {name: value for name, value in told.items() if not callable(value)}
    return [f"{name} = {_value(value)}" for name, value in told.items()]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)  # also inf and nan
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _kinds(function: Callable[..., Any]) -> dict[str, Any]:
    """The options of a function and of its groups of options, with their types."""
    found: dict[str, Any] = {}
    for name, kind in typing.get_type_hints(function, include_extras=True).items():
        if name == "return" or kind in (Runtime, Runtime | None):
            continue
        grouped = dataclasses.is_dataclass(kind) and name != "method"
        found |= typing.get_type_hints(kind, include_extras=True) if grouped else {name: kind}
    return found


def _appends(kind: Any) -> bool:
    return tyro.conf.UseAppendAction in typing.get_args(kind)


def _named(word: str, known: set[str]) -> str:
    """The option that a word says."""
    name = word.split("=")[0].lstrip("-").replace("-", "_")
    return name if name in known or "." in name else name.removeprefix("no_")


def _method_words(value: Any, said: set[str], chosen: str | None, path: str) -> list[str]:
    """A method, as its name or with settings; with another one on the command line nothing of it counts."""
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise UserError(f'{path}: method should be a name, or {{name = "grpo", SETTING = VALUE, …}}; it is {value!r}')
    if chosen is not None and chosen != table["name"]:
        return []
    settings = inspect.signature(methods.named(table["name"])).parameters
    for key in table:
        if key != "name" and key.replace("-", "_") not in settings:
            known = nearest(key, settings)
            raise UserError(f"{path} has {key!r}, which is no setting of {table['name']}{known}")
    said = {name.removeprefix("method.").removeprefix("no_") for name in said if name.startswith("method.")}
    told = {key: own for key, own in table.items() if key == "name" or key.replace("-", "_") not in said}
    return words_of("method", told if chosen is None else {k: v for k, v in told.items() if k != "name"})
