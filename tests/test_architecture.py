"""The shape of the code: who may import whom, how long things may be, what must be documented."""

import ast
import functools
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "rlft"
FILES = sorted(SOURCE.rglob("*.py"))

# The rooms of the house, from the ground up: a file imports its own room and rooms of the floors below, so rooms of one
# floor are strangers, and there can be no circle of rooms. A folder is a room; in `policies` each wing is one.
FLOORS = [
    ("errors", "cache", "machine", "report", "version"),  # report reads files only
    ("types",),
    ("chances", "memory", "noise", "products", "sandbox", "trackers"),
    ("losses", "metrics", "models", "runtime", "verifiers"),
    ("advantages",),
    ("collect", "environments"),
    ("measure", "rewards"),
    ("policies",),
    ("policies/perception",),
    ("policies/stepwise", "policies/control", "policies/language/tokens"),
    ("policies/language/engines",),
    ("policies/language",),
    ("policies/conversation", "policies/pipelines", "policies/flows"),
    ("policies/composed",),
    ("training",),
    ("tasks", "guidance", "synthesis"),
    ("offpolicy",),
    ("worldmodels",),
    ("methods",),
    ("evidence",),
    ("runs",),
    ("options",),
    ("worlds",),
    ("recipes",),
    ("reproduce",),
    ("tool",),
    ("api", "__main__"),
    ("__init__",),
]
# What a room may not import although it stands on it: methods and policies are strangers who meet in the Trainer.
STRANGERS = {
    "losses": {"models"},
    "advantages": {"models", "metrics", "runtime"},
    "collect": {"models", "metrics", "runtime", "losses"},
    "training": {"policies", "models", "environments", "measure", "rewards", "metrics", "advantages"},
    "offpolicy": {"policies", "models", "guidance", "measure", "rewards", "metrics"},
    "worldmodels": {"policies", "guidance", "measure", "rewards", "metrics"},
    "methods": {"policies", "models", "environments", "tasks", "measure", "rewards", "training", "guidance", "runtime"},
    "evidence": {"policies", "tasks", "training"},
    "runs": {"policies", "methods", "tasks"},
    "policies": {"losses", "advantages", "collect", "measure", "rewards"},
    "worlds": {"methods", "evidence", "runs", "options"},
    "models": {"losses", "metrics"},
    "tasks": {"policies", "training", "measure"},
    "synthesis": {"policies", "training", "measure", "environments"},
}
# Only these may name a library.
HOME = {
    "torch.distributed": {"runtime"},
    "ray": {"runtime"},
    "transformers": {"policies", "models", "runs", "tool"},
    "diffusers": {"policies"},
    "gymnasium": {"environments"},
    "matplotlib": {"report"},
    **{library: {"trackers"} for library in ("tensorboard", "wandb", "trackio", "mlflow")},
}
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_LINES, MOST_STATEMENTS, MOST_PARAMETERS = 400, 40, 16


def room_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    if len(parts) == 1:
        return parts[0].removesuffix(".py")
    return "/".join(parts[:-1]) if parts[0] == "policies" else parts[0]


@functools.cache
def modules() -> dict[str, Path]:
    """Every file by its dotted name; a package's is that of its `__init__`."""
    named = {}
    for path in FILES:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        named[".".join(["rlft", *(part for part in parts if part != "__init__")])] = path
    return named


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Every module a file imports, wherever in the file, also for its types alone; ours as files."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in modules() else node.module)
    return frozenset(found)


def test_there_is_code():
    assert len(FILES) > 200
    known = {room_of(path) for path in FILES}
    assert not known - set(FLOOR), "a room without a floor: say in FLOORS where it stands"
    assert {part for rooms in STRANGERS.values() for part in rooms} <= {room.split("/")[0] for room in FLOOR}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_one_way(path):
    room = room_of(path)
    for name in imported(path):
        for library, homes in HOME.items():
            if name == library or name.startswith(f"{library}."):
                assert room.split("/")[0] in homes, f"{library} belongs to {homes}, not to {room}"
        if name not in modules() or name == "rlft" or (other := room_of(modules()[name])) == room:
            continue
        assert FLOOR[other] < FLOOR[room], f"{room} stands below or beside {other} and may not import {name}"
        part, others = room.split("/")[0], other.split("/")[0]
        assert part == others or others not in STRANGERS.get(part, ()), f"{part} and {others} are strangers: {name}"


def test_no_circle_of_files():
    """Also inside a room, and also for types alone: of two files one is understood without the other."""
    needs = {name: {n for n in imported(path) if n in modules() and n != name} for name, path in modules().items()}
    while free := {name for name, others in needs.items() if not others}:
        needs = {name: others - free for name, others in needs.items() if name not in free}
    assert not needs, f"files that import each other are among {sorted(needs)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= MOST_STATEMENTS, f"{node.name}: {body_lines(node)} lines below its docstring"
            taken = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            assert len(taken) <= MOST_PARAMETERS, f"{node.name} has {len(taken)} parameters: make some one value"


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function below its signature and docstring; functions inside it count for themselves."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    inner = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n is not node]
    nested = sum((n.end_lineno or 0) - n.lineno + 1 for n in inner)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 - nested if body else 0


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_public_names_are_documented(path):
    """A module always; a public class or function, unless a protocol it fulfils documents it."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says what it is and what it is not"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_every_folder_is_a_package():
    """One without would work from a checkout and be missing from what is installed."""
    folders = {path.parent for path in FILES}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_no_file_of_leftovers():
    assert not [path for path in FILES if path.stem in {"utils", "util", "helpers", "misc", "common"}]


def test_no_modality_switch_outside_policies():
    """What kind of model it is must not be asked anywhere but where it is known."""
    for path in FILES:
        if room_of(path) in {"training", "losses", "advantages", "collect", "methods", "runtime"}:
            code = ast.unparse(_without_docstrings(ast.parse(path.read_text())))
            for word in ("Text", "token_ids", "image", "Language", "Diffusion", "Control", "hasattr"):
                assert word not in code, f"{path.name} mentions {word}"


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def test_contributing_shows_a_method_that_exists():
    page = (SOURCE.parents[1] / "CONTRIBUTING.md").read_text()
    assert (SOURCE / "methods" / "dr_grpo.py").read_text() in page


TESTS = Path(__file__).parent
# Tests of more than a module: what holds for all methods, recipes and policies, and the tests' own ground.
WHOLE = {
    "contracts",
    "test_annotated.py",
    "test_architecture.py",
    "test_coming_from.py",
    "test_examples.py",
    "test_startup.py",
}


def test_tests_stand_where_their_modules_stand():
    """The test of `src/rlft/a/b/c.py` is `tests/a/b/test_c.py`, or `test_c_topic.py`; a package's is called like it."""
    for path in sorted(TESTS.rglob("test_*.py")):
        place = path.relative_to(TESTS)
        if place.parts[0] in WHOLE:
            continue
        folder = SOURCE / place.parent
        names = {module.stem for module in folder.glob("*.py")} | {folder.name}
        name = path.stem.removeprefix("test_")
        assert any(name == one or name.startswith(f"{one}_") for one in names), f"{place} names no module of {folder}"
        assert (path.parent / "__init__.py").exists()
