"""The tests of a programming problem, read off a row of data in the forms of APPS, LiveCodeBench and verl.

    APPS            input_output: {"inputs": [...], "outputs": [...], "fn_name": ...}
    LiveCodeBench   public_test_cases, private_test_cases: [{"input", "output", "testtype"}, ...]; metadata: func_name
    verl            reward_model.ground_truth, or the answer: either of the two above

Each may be the value itself or its JSON text; private cases may be packed, as LiveCodeBench publishes them.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from rlft.types import field_of

_MOST_UNPACKED = 256 << 20


@final
@dataclass(frozen=True)
class Case:
    """One test. Without a function `given` is the input and `expected` the output, both texts.

    With one `given` are the arguments, as a JSON list, and `expected` is the JSON text of what it must return; where it
    `may` be wrapped in a list of one, as in a part of APPS, both count.
    """

    given: str
    expected: str
    wrapped: bool = False


@final
@dataclass(frozen=True)
class Cases:
    """The tests of a problem, and the name of the function that they call, if they do."""

    each: tuple[Case, ...]
    function: str | None = None


def cases_of(columns: Mapping[str, Any], answer: Any = None) -> Cases | None:
    """The tests of a row; None if it has none, or none that can be read."""
    try:
        for value in (columns.get("input_output"), field_of(columns, "reward_model.ground_truth"), answer):
            if (read := _read(_loaded(value), columns)) is not None:
                return read
        return _read(_livecodebench(columns), columns)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _loaded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _read(value: Any, columns: Mapping[str, Any]) -> Cases | None:
    if isinstance(value, Mapping) and "inputs" in value and "outputs" in value:
        function = value.get("fn_name") or None
        pairs = list(zip(value["inputs"], value["outputs"], strict=True))
        return _made([_called(*p) if function else _script(*p) for p in pairs], function)
    if isinstance(value, list) and value and all(isinstance(one, Mapping) and "input" in one for one in value):
        named = _loaded(columns.get("metadata"))
        function = named.get("func_name") if isinstance(named, Mapping) else None
        function = function if any(one.get("testtype") == "functional" for one in value) else None
        return _made([(_called if function else _script)(one["input"], one["output"]) for one in value], function)
    return None


def _made(cases: list[Case], function: str | None) -> Cases | None:
    return Cases(tuple(cases), function) if cases else None


def _script(given: Any, expected: Any) -> Case:
    """Texts, or in a part of APPS lists of lines."""
    return Case(_text(given), _text(expected))


def _text(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _called(given: Any, expected: Any) -> Case:
    """Values, or texts of them: an argument on each line, and what is returned."""
    if not isinstance(given, str):
        return Case(json.dumps(list(given)), json.dumps(expected), isinstance(expected, list) and len(expected) == 1)
    arguments = [json.loads(line) for line in given.split("\n") if line.strip()]
    value = json.loads(expected) if isinstance(expected, str) else expected
    return Case(json.dumps(arguments), json.dumps(value))


def _livecodebench(columns: Mapping[str, Any]) -> list[Any]:
    cases: list[Any] = []
    for name in ("public_test_cases", "private_test_cases"):
        value = columns.get(name)
        if isinstance(value, str) and value and (value := _loaded(packed := value)) is None:
            value = _unpacked(packed)
        cases += value or []
    return cases


class _TextOnly(pickle.Unpickler):
    """Reads a text; a pickle may otherwise run whatever its maker likes."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} in test cases")


def _unpacked(text: str) -> Any:
    """LiveCodeBench's private cases: JSON in a pickle, compressed, in base 64."""
    try:
        plain = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MOST_UNPACKED)
        return json.loads(_TextOnly(io.BytesIO(plain)).load())
    except (zlib.error, binascii.Error, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise ValueError(f"packed test cases: {error}") from None


def expected_values(case: Case) -> list[Any]:
    """What a function may return."""
    value = json.loads(case.expected)
    return [value, value[0]] if case.wrapped else [value]
