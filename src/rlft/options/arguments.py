"""A function's signature as a command line: names, types, defaults and docstring become options. Runs nothing.

`--method NAME` chooses the file of `methods/` whose own arguments then are `--method.clip 0.3` and so on. Parsing is
tyro's; errors leave with exit code 2.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import tyro
from docstring_parser import parse as parse_docstring

from rlft import methods
from rlft.offpolicy.method import OffPolicy
from rlft.types import Method, Runtime, UserError

# What is wrong with a method of the other kind.
_OTHERS = {
    Method: "learns from single steps in a buffer (rlft.offpolicy), and this run has none",
    OffPolicy: "learns from whole rollouts, and this run keeps single steps in a buffer",
}


def parse(
    function: Callable[..., Any],
    argv: Sequence[str],
    program: str,
    more: str = "",
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The keyword arguments that a command line gives to `function`; `more` is added to the help.

    `defaults` stand in for those of the signature.

    A parameter whose type is a dataclass is a group of options, which appear by the names of its fields. A parameter
    `method` annotated `Method` or `OffPolicy` is chosen by `--method NAME` among those of that kind; its
    default is the function's default method. One annotated with a `Runtime` is not the command line's business.
    """
    argv, make = list(argv), None
    kind = typing.get_type_hints(function).get("method", type(None))
    nested: dict[str, Any] = {}
    document = inspect.cleandoc(function.__doc__ or "").split("\nArgs:")[0]
    if kind in _OTHERS:
        make, settings = _method_of(kind, function, take_option(argv, "--method"), defaults)
        nested = {"method": _fields("Method", make, {}, settings)}
        document += f"\n\nMethod {make.__name__}; choose another with --method NAME: {', '.join(methods.names(kind))}."
    groups = _groups(function)
    for name, group in groups.items():
        usual = inspect.signature(function).parameters[name].default
        form = _fields(group.__name__, group, {}, {**vars(usual), **defaults}, alone=True)
        nested[name] = Annotated[form, tyro.conf.arg(name=_titled(group), help=_first_line(group))]
    form = _fields(function.__name__, function, nested, defaults)
    document += f"\n\n{more}" if more else ""
    values = tyro.cli(form, args=argv, prog=program, description=document)
    arguments = {field.name: getattr(values, field.name) for field in dataclasses.fields(values)}
    if make is not None:
        arguments["method"] = make(**vars(arguments["method"]))
    return arguments | {name: group(**vars(arguments[name])) for name, group in groups.items()}


def _titled(group: type) -> str:
    """What a group of options is called in the help: HeldOut is "held out"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", group.__name__).lower()


def _first_line(group: type) -> str:
    return inspect.cleandoc(group.__doc__ or "").partition("\n")[0]


def _groups(function: Callable[..., Any]) -> dict[str, type]:
    """The parameters that are several options in one value: their fields stand on the command line by their own names.

    What a group means and which options it has is said where it is defined; a new one needs no mention here.
    """
    hints = typing.get_type_hints(function)
    values = {
        name: hints[name] for name in inspect.signature(function).parameters if dataclasses.is_dataclass(hints[name])
    }
    return {name: kind for name, kind in values.items() if kind not in _OTHERS}


def take_option(argv: list[str], name: str, default: str | None = None) -> str | None:
    """Remove `name VALUE` (or `name=VALUE`) from an argument list and return the value."""
    for place, word in enumerate(argv):
        if word == name and place + 1 < len(argv):
            value = argv[place + 1]
            del argv[place : place + 2]
            return value
        if word.startswith(f"{name}="):
            del argv[place]
            return word.split("=", 1)[1]
    return default


def take_several(argv: list[str], name: str) -> list[str] | None:
    """Remove `name VALUE …`, up to the next option, from an argument list and return the values; None without it."""
    for place, word in enumerate(argv):
        if word == name:
            end = next((i for i in range(place + 1, len(argv)) if argv[i].startswith("-")), len(argv))
            values = argv[place + 1 : end]
            del argv[place:end]
            return values
        if word.startswith(f"{name}="):
            del argv[place]
            return word.split("=", 1)[1].split(",")
    return None


def _method_of(
    kind: type, function: Callable[..., Any], chosen: str | None, defaults: Mapping[str, Any]
) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    """The method's function, and what the recipe sets otherwise than the method itself."""
    usual = defaults.get("method", inspect.signature(function).parameters["method"].default)
    if not isinstance(usual, kind):
        return _of_kind(kind, chosen or ("grpo" if kind is Method else "sac")), {}
    return _of_kind(kind, chosen or usual.name), usual.settings if chosen in (None, usual.name) else {}


def _of_kind(kind: type, name: str) -> Callable[..., Any]:
    """A method of the kind that a recipe takes, by its name."""
    make = methods.named(name)
    if methods.kind(make) is not kind:
        raise UserError(f"method {name} {_OTHERS[kind]}; --help lists those that fit")
    return make


def _fields(
    name: str,
    function: Callable[..., Any],
    nested: Mapping[str, Any],
    defaults: Mapping[str, Any],
    alone: bool = False,
) -> type:
    """A dataclass with the function's parameters, their help taken from the docstring's `Args`.

    Options of a group stand `alone`, without its name before theirs.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    helps = {p.arg_name: p.description or "" for p in parse_docstring(inspect.cleandoc(function.__doc__ or "")).params}
    fields = []
    for parameter in inspect.signature(function).parameters.values():
        if hints[parameter.name] in (Runtime, Runtime | None):
            continue
        if parameter.name in nested:
            fields.append((parameter.name, nested[parameter.name], dataclasses.field()))
            continue
        help_text = " ".join(helps.get(parameter.name, "").split())
        short = [f"-{parameter.name}"] if len(parameter.name) == 1 else None
        annotation = Annotated[
            hints[parameter.name], tyro.conf.arg(help=help_text, aliases=short, prefix_name=not alone)
        ]
        default = defaults.get(parameter.name, parameter.default)
        held = dataclasses.field() if default is parameter.empty else dataclasses.field(default=default)
        fields.append((parameter.name, annotation, held))
    return dataclasses.make_dataclass(name, fields, kw_only=True, namespace={"__module__": __name__, "__doc__": ""})


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a file keeps them: a method is its name and settings, a group of options its fields."""
    kept: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, Method | OffPolicy):
            kept[name] = {"name": value.name, **value.settings}
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            kept |= vars(value)
        else:
            kept[name] = value
    return kept
