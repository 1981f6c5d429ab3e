"""From a Python function to the JSON schema of its arguments, and from a schema to what is wrong with some arguments.

The schemas are those that chat templates read: {"type": "function", "function": {name, description, parameters}}.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rlft.errors import UserError

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What a model is told of a function: its name, docstring and arguments.

    Arguments are annotated with str, int, float, bool, list, dict, `list[int]`, `Literal[…]`, unions of them and None;
    those with defaults may be left out. `UserError` for another annotation, none, or `*args`.
    """
    name = function.__name__
    hints = get_type_hints(function)
    properties: dict[str, Any] = {}
    required = []
    for argument in inspect.signature(function).parameters.values():
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            raise UserError(f"the tool {name} takes {argument}; a model calls it with named arguments only")
        if argument.name not in hints:
            raise UserError(f"the tool {name} does not say of what type {argument.name} is: {argument.name}: str, say")
        properties[argument.name] = _schema(hints[argument.name], f"{argument.name} of the tool {name}")
        if argument.default is argument.empty:
            required.append(argument.name)
    parameters = {"type": "object", "properties": properties, "required": required}
    described = {"name": name, "description": inspect.getdoc(function) or "", "parameters": parameters}
    return {"type": "function", "function": described}


def mismatch(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a call, in a few words; None if nothing is."""
    parameters = schema["function"]["parameters"]
    properties = parameters["properties"]
    for name in arguments:
        if name not in properties:
            return f"there is no argument {name}; there are {', '.join(properties) or 'none'}"
    for name in parameters["required"]:
        if name not in arguments:
            return f"the argument {name} is missing"
    for name, value in arguments.items():
        if not _is(value, properties[name]):
            return f"{name} is not {_words(properties[name])}"
    return None


def _schema(hint: Any, where: str) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _NAMES:
        return {"type": _NAMES[hint]}
    if hint is type(None):
        return {"type": "null"}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, where) for one in inner]}
    if origin is list:
        return {"type": "array", "items": _schema(inner[0], where)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inner[1], where)}
    raise UserError(f"{where} is annotated {hint}; a tool takes str, int, float, bool, list, dict, Literal and unions")


def _is(value: Any, schema: Mapping[str, Any]) -> bool:
    if "anyOf" in schema:
        return any(_is(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return any(type(value) is type(one) and value == one for one in schema["enum"])
    # a bool is an int in Python and not in JSON
    if not isinstance(value, _TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return False
    if "items" in schema and isinstance(value, list):
        return all(_is(one, schema["items"]) for one in value)
    if "additionalProperties" in schema and isinstance(value, dict):
        return all(_is(one, schema["additionalProperties"]) for one in value.values())
    return True


def _words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_words, schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    return {"integer": "an integer", "array": "an array", "object": "an object"}.get(
        schema["type"], f"a {schema['type']}"
    )
