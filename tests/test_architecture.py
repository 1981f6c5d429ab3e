"""The shape of the code: who may import whom, how long things may be, what must be documented."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "rlft"
FILES = sorted(SOURCE.rglob("*.py"))

# A part of the package, and the parts of the package it may import. `core` is what everybody may.
CORE = {"errors", "rollouts", "types", "noise", "cache", "acting", "products"}
LAYERS = {
    "errors": set(),
    "rollouts": set(),
    "types": {"errors", "rollouts"},
    "noise": {"rollouts", "types"},
    "cache": set(),
    "acting": set(),
    "products": set(),
    "losses": {"types"},
    "advantages": CORE | {"losses"},
    "surrogate": {"types", "losses"},
    "collect": CORE | {"advantages"},
    "methods": CORE | {"losses", "advantages", "surrogate", "collect", "offpolicy"},
    "models": CORE,
    "policies": CORE | {"models", "environments"},
    "environments": CORE,
    "tasks": CORE | {"environments", "rewards"},
    "metrics": {"types"},
    "rewards": CORE | {"environments", "metrics"},
    "measure": CORE | {"models", "environments", "metrics"},
    "runtime": CORE,
    "offpolicy": CORE | {"environments", "ledger", "runtime", "tasks"},
    "score": CORE,
    "guidance": CORE | {"policies", "rewards", "score"},
    "ledger": CORE,
    "pending": CORE,
    "trainer": CORE | {"collect", "ledger", "pending", "runtime", "score", "tasks"},
    "evaluate": CORE | {"score"},
    "report": set(),
    "checkpoint": CORE | {"runtime"},
}
# Only these may name a library.
HOME = {
    "torch.distributed": {"runtime"},
    "ray": {"runtime"},
    "transformers": {"policies", "models", "runs", "commands"},
    "gymnasium": {"environments"},
    "matplotlib": {"report"},
}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_there_is_code():
    assert len(FILES) > 60
    assert set(LAYERS) <= {part_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_one_way(path):
    part = part_of(path)
    for name in imported(path):
        if name.startswith("rlft.") and part in LAYERS:
            other = name.split(".")[1]
            known = {part_of(f) for f in FILES}
            assert other not in known or other in LAYERS[part] | {part}, f"{part} may not import {name}"
        for library, homes in HOME.items():
            if name == library or name.startswith(f"{library}."):
                assert part in homes, f"{library} belongs to {homes}, not to {part}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= 40, f"{node.name} has {body_lines(node)} lines below its docstring"


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
        if part_of(path) in {"trainer", "ledger", "surrogate", "losses", "advantages", "collect", "methods", "runtime"}:
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
