"""What has changed since a run was started: code and what it imports, every row of the data."""

import json

import pytest
import torch

from rlft.runs import sources
from rlft.tasks.arithmetic import Arithmetic
from rlft.tasks.files import Files
from rlft.types import StoredTask


@pytest.fixture
def place(tmp_path):
    """A reward that imports a module, a package and a module that that imports; and one nobody imports."""
    (tmp_path / "kit").mkdir()
    files = {
        "reward.py": "import os, helper\nfrom kit.parts import one\n",
        "helper.py": "def f():\n    from late import x\n",
        "late.py": "x = 1\n",
        "kit/__init__.py": "",
        "kit/parts.py": "from . import more\none = 1\n",
        "kit/more.py": "import torch\n",
        "other.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_code_is_a_file_and_what_it_imports_beside_it(place):
    found = sources.code([place / "reward.py"], place)
    assert set(found) == {"reward.py", "helper.py", "late.py", "kit/__init__.py", "kit/parts.py", "kit/more.py"}
    assert sources.changed_code(found, sources.code([place / "reward.py"], place)) == []


def test_what_changed_in_code(place):
    before = sources.code([place / "reward.py"], place)
    (place / "late.py").write_text("x = 2\n")
    (place / "helper.py").write_text("import other\nfrom late import x\n")
    (place / "kit" / "more.py").unlink()
    (place / "kit" / "parts.py").write_text(")")
    now = sources.code([place / "reward.py"], place)
    assert sorted(sources.changed_code(before, now)) == [
        "helper.py was edited",
        "kit/more.py is gone",
        "kit/parts.py was edited",
        "late.py was edited",
        "other.py is imported now",
    ]
    assert sources.code([place / "none.py"], place / "kit") == {str(place / "none.py"): ""}


def data(count, **columns):
    return [{"prompt": f"say {i}", "answer": i, **columns} for i in range(count)]


def test_every_row_counts(monkeypatch):
    """Also one that a sample, here of 40 rows, does not hold."""
    monkeypatch.setattr(sources, "_MOST", 40)
    rows = data(1280)
    before = sources.rows(Files(rows, name="d"))
    assert before == json.loads(json.dumps(before)) and len(before["parts"]) == 64
    rows[1001]["answer"] = "another"
    now = sources.rows(Files(rows, name="d"))
    assert sources.changed_rows("data", before, now) == ["the data is not what it was, in rows 1,001 to 1,020"]


def test_size_and_columns():
    before = sources.rows(Files(data(3), name="d"))
    more, wider = sources.rows(Files(data(4), name="d")), sources.rows(Files(data(3, level=1), name="d"))
    assert sources.changed_rows("data", before, more) == ["the data had 3 rows and has 4"]
    assert sources.changed_rows("data", before, wider) == ["the data has other columns than it had: level"]
    assert sources.changed_rows("data", before, before) == []
    level = sources.rows(Files(data(3, level=2), name="d"))
    assert sources.changed_rows("data", wider, level) == ["the data is not what it was, in rows 1 to 3"]


def test_values_that_json_has_not():
    def digest(value):
        return sources.rows(Files([{"prompt": "a", "value": value}], name="d"))["parts"]

    assert digest(torch.zeros(3)) == digest(torch.zeros(3)) != digest(torch.ones(3))
    assert digest(b"a") != digest(b"b")
    assert digest(object()) == digest(object())
    assert digest({(1, 2): torch.zeros(1)}) == digest({(1, 2): torch.zeros(1)})


def test_problems_that_are_made_are_read_in_part(monkeypatch):
    monkeypatch.setattr(sources, "_MOST", 40)
    task = Arithmetic()
    assert isinstance(Files(data(1)), StoredTask) and not isinstance(task, StoredTask)
    asked = []
    task_at = task.at
    task.at = lambda index: asked.append(index) or task_at(index)
    sources.rows(task)
    assert asked == [place * task.size // 40 for place in range(40)]
