"""Which of the three tests each system misses, read off recipes, results and tests. Runs nothing, keeps no list.

    part       the modules that cite the paper are in the library, or else those that its recipe takes, and a test names
               each of them, or a module that is made with it; without a recipe nothing says that all are there
    result     a committed result has a verdict; `stale` where the claim was changed since
    full-size  the claim's `real` is a command of the tool, and a test reads it
    tags       of a survey: every system of the catalogue has its tags

What no source tells is not said: an installed library has no tests beside it, and `part` and `full-size` are then
those of the recipe alone (`tests_seen`).
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from pathlib import Path

from rlft.reproduce import catalogue, declared

TESTS = declared.PACKAGE.parents[1] / "tests"
MISSING: Mapping[str, str] = {
    "part": "what is new is not all in the library, or no test names it",
    "result": "no committed verdict",
    "stale": "a verdict on a claim that was changed since",
    "full-size": "no command at full size that a test reads",
    "tags": "of a map of the field: tags that are not known yet",
}
"""word -> what is missing."""

# Rooms that use parts and hold none.
_USERS = ("recipes", "reproduce", "tool", "options", "runs", "report", "evidence")
# Rooms that a recipe takes parts of a method from, rather than the engine or its world.
_PARTS = ("advantages", "collect", "environments", "guidance", "losses", "measure", "methods", "metrics", "policies")
_PARTS = (*_PARTS, "rewards", "tasks", "worlds")
_IMPORT = re.compile(r"^\s*from (rlft[\w.]*) import (\([^)]*\)|[^\n#]*)", re.MULTILINE)
_COMMAND = re.compile(r"\brlft (train|run|study|sample|eval|stages|reproduce|fit-reward|make-data)\b")


def missing(key: str) -> tuple[str, ...]:
    """Words of `MISSING`, for a system or a recipe that is none. A survey misses what its catalogue does not know."""
    its = catalogue.state(key)
    if its.stage == "survey":
        return ("tags",) if its.unknown else ()
    found = [] if _has_its_part(key) else ["part"]
    found += ["result"] if its.verdict is None else ["stale"] if its.stale else []
    return (*found, *(() if its.declared and _has_its_command(key) else ("full-size",)))


def tests_seen() -> bool:
    """Whether the tests are beside the library."""
    return TESTS.is_dir()


def parts(key: str) -> list[str]:
    """The modules that cite the paper; if none does, those parts of the library that the recipe takes."""
    number = next((found.arxiv for found in catalogue.systems() if found.key == key), None)
    citing = [module for module, text in _sources().items() if number is not None and number in text]
    return citing or [name for name in _taken(key) if name.split(".")[1] in _PARTS]


def line() -> str:
    """How many systems miss what: `12 of 61 systems pass all three tests; 30 miss part, …`."""
    found = [missing(one.key) for one in catalogue.systems()]
    counts = (f"{sum(word in words for words in found)} miss `{word}`" for word in MISSING)
    tests = "" if tests_seen() else " (the tests are not beside this library)"
    return f"{found.count(())} of {len(found)} systems pass all three tests; {', '.join(counts)}{tests}"


def _has_its_part(key: str) -> bool:
    found = parts(key) if declared.has_recipe(key) else []
    return bool(found) and (not tests_seen() or all(_tested(module, key) for module in found))


def _has_its_command(key: str) -> bool:
    if not _COMMAND.search(_real(key)):
        return False
    return not tests_seen() or any(f"rlft.recipes.{key}" in imports(text) for text in _reading_commands())


def imports(text: str) -> frozenset[str]:
    """The modules of the library that a source imports from, and what it imports as `package.name`."""
    found: set[str] = set()
    for module, names in _IMPORT.findall(text):
        found |= {module, *(f"{module}.{name}" for name in _named(names))}
    return frozenset(found)


def _named(names: str) -> list[str]:
    """Those of an import, by their own names."""
    return re.findall(r"\w+", re.sub(r" as \w+", "", names))


def _real(key: str) -> str:
    """The text of the claim's `real`, off its syntax."""
    tree = ast.parse((declared.RECIPES / f"{key}.py").read_text(encoding="utf-8"))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _calls(node) == "Claim"):
        for value in (one.value for one in call.keywords if one.arg == "real"):
            constants = (one.value for one in ast.walk(value) if isinstance(one, ast.Constant))
            return " ".join(text for text in constants if isinstance(text, str))
    return ""


def _calls(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _tested(module: str, key: str) -> bool:
    """A test names the module, one that is made with it (or loads it by its name), or the recipe that takes it."""
    package, _, stem = module.rpartition(".")
    users = (
        user
        for user, text in _sources().items()
        if f"from {module} " in text or (user.startswith(f"{package}.") and f'"{stem}"' in text)
    )
    own = f"rlft.recipes.{key}" in _imported_by_tests() and module in _taken(key)
    return own or _named_in_a_test(module) or any(map(_named_in_a_test, users))


@functools.cache
def _named_in_a_test(module: str) -> bool:
    """A test imports the module or, through its package, a name that it defines; a method's contract goes by names."""
    package, _, name = module.rpartition(".")
    if package == "rlft.methods" and name in _contract():
        return True
    imported = _imported_by_tests()
    defined = re.findall(r"^(?:def |class )?(\w+)", _sources().get(module, ""), re.MULTILINE)
    return module in imported or any(f"{package}.{one}" in imported for one in (name, *defined))


@functools.cache
def _sources() -> dict[str, str]:
    """module -> its text, of the rooms that hold parts."""
    found = {}
    for path in sorted(declared.PACKAGE.rglob("*.py")):
        inside = path.relative_to(declared.PACKAGE).with_suffix("").parts
        if len(inside) > 1 and inside[0] not in _USERS and inside[-1] != "__init__":
            found[".".join(("rlft", *inside))] = path.read_text(encoding="utf-8")
    return found


@functools.cache
def _tests() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("*.py"))}


@functools.cache
def _reading_commands() -> list[str]:
    """The tests that read a claim's command at full size."""
    return [text for text in _tests().values() if "CLAIM.real" in text]


@functools.cache
def _imported_by_tests() -> frozenset[str]:
    """Modules, and names as `package.name`, that tests import."""
    return frozenset().union(*map(imports, _tests().values()))


@functools.cache
def _contract() -> frozenset[str]:
    """The methods that the tests of every method go through: all there are, where these tests exist."""
    contract = TESTS / "contracts" / "test_methods.py"
    methods = (declared.PACKAGE / "methods").glob("*.py")
    return frozenset(path.stem for path in methods) if contract.is_file() else frozenset()


def _taken(key: str) -> list[str]:
    """The modules that a recipe imports from the library."""
    text = (declared.RECIPES / f"{key}.py").read_text(encoding="utf-8") if declared.has_recipe(key) else ""
    found: dict[str, None] = {}
    for package, names in _IMPORT.findall(text):
        if package in _sources():
            found[package] = None
            continue
        for name in _named(names):
            of_that_name = f"{package}.{name}"
            defining = (m for m, source in _sources().items() if m.startswith(f"{package}.") and _defines(source, name))
            if module := of_that_name if of_that_name in _sources() else next(defining, None):
                found[module] = None
    return list(found)


def _defines(source: str, name: str) -> bool:
    return re.search(rf"^(def |class ){name}\b|^{name} ?[:=]", source, re.MULTILINE) is not None
