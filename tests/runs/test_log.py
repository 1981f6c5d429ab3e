"""How a run folder's files name what is no JSON."""

import dataclasses
import functools
import json
from pathlib import Path

from rlft.options.calls import function_in
from rlft.rewards import length
from rlft.runs.log import facts_of, write_facts


@dataclasses.dataclass
class Pair:
    """Two things."""

    one: object
    two: object = None


class Thing:
    """With the usual repr, which has an address."""


def test_names_are_equal_for_equal_things_and_hold_no_address(tmp_path):
    (tmp_path / "own.py").write_text("def f(problems, outputs):\n    return [0.0]\n")
    own = function_in(tmp_path / "own.py", "f")
    values = {
        "own": own,
        "made": length(target=3, unit="tokens"),
        "partial": functools.partial(own, 1, two=2),
        "value": Pair(own),
        "path": Path("a/b"),
        "thing": Thing(),
        "kind": Thing,
        "builtin": len,
    }
    write_facts(tmp_path, values)
    found = facts_of(tmp_path)
    assert " at 0x" not in json.dumps(found)
    assert found["own"] == "own.py:f"
    assert found["made"].startswith("rlft.rewards.")
    assert found["partial"] == {"function": "own.py:f", "arguments": [1], "two": 2}
    assert found["value"] == {"kind": "Pair", "one": "own.py:f", "two": None}
    assert (found["path"], found["builtin"]) == ("a/b", "builtins.len")
    assert found["kind"] == "tests.runs.test_log.Thing" and found["thing"] == "<tests.runs.test_log.Thing object>"
