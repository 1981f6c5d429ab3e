"""The notebooks run from top to bottom and show what they say; the container copies what there is."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from rlft import methods

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def ran(request, tmp_path, monkeypatch):
    """What a notebook has defined, after all its cells in order."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rlft.report.write", lambda folder, out=None: None)
    space: dict = {}
    for number, code in enumerate(cells(ROOT / "examples" / request.param)):
        exec(compile(code, f"{request.param}, cell {number}", "exec"), space)
    return space


@pytest.mark.slow
@pytest.mark.parametrize("ran", ["first_run.ipynb"], indirect=True)
def test_a_first_run(ran):
    assert ran["found"]["after"].mean > ran["found"]["before"].mean + 0.3
    assert len(ran["rewards"]) == 20


@pytest.mark.slow
@pytest.mark.parametrize("ran", ["own_method.ipynb"], indirect=True)
def test_a_method_of_ones_own(ran):
    assert ran["after"] > ran["before"] + 0.15
    assert max(line["ratio/first"] for line in ran["log"]) < 1e-6


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nbclient") is None, reason="nbclient is not installed")
def test_a_notebook_in_a_kernel(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    page = nbformat.read(ROOT / "examples" / "first_run.ipynb", as_version=4)
    nbformat.validate(page)
    NotebookClient(page, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "runs" / "first" / "report.html").is_file()


def test_notebooks_are_kept_without_what_they_printed():
    assert len(NOTEBOOKS) == 2
    for path in NOTEBOOKS:
        assert not any(
            cell.get("outputs") or cell.get("execution_count") for cell in json.loads(path.read_text())["cells"]
        )


def test_the_container_copies_what_there_is():
    page = (ROOT / "Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", page, re.MULTILINE) for name in line.split()]
    assert {"pyproject.toml", "src"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert 'ENTRYPOINT ["rlft"]' in page


def test_the_readme_names_every_method():
    text = (ROOT / "README.md").read_text()
    listed = re.search(r"There are [a-z-]+: `([^`]+)`; and in a second loop,[^`]+`([^`]+)`", text)
    assert sorted(" ".join(listed.groups()).split()) == sorted(methods.names())
