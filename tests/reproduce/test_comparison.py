"""Run folders and recipes side by side: the page shows what the table shows, and wrong folders are said."""

import json
import re

import pytest

from rlft.reproduce import comparison
from rlft.types import UserError
from tests.report import run_folders


def made(path, reward):
    info = {"status": "done", "steps": 1}
    evaluations = [{"step": 0, "when": "before", "reward": 0.25}, {"step": 1, "when": "after", "reward": reward}]
    metrics = [{"step": 1, "reward": 0.5, "kl": 0.125, "rows/drawn": 8, "updates": 2}]
    return run_folders.folder(path, info=info, metrics=metrics, evaluations=evaluations)


def compared(*what, out=None):
    return comparison.compare([str(word) for word in what], out, rollouts=None, seeds=3, workers=0)


def cells(page):
    """The rows of the first table of a page."""
    table = page.read_text().split("<h2>Results</h2>")[1].split("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[1:]]
    return [[re.sub(r"<[^>]*>|●", "", cell).strip() for cell in row] for row in rows]


def test_the_page_is_the_table(tmp_path):
    one, two = made(tmp_path / "one", 0.5), made(tmp_path / "two", 0.75)
    table, page = compared(one, two)
    assert page == tmp_path / "compare.html"
    assert cells(page)[0] == ["", str(one), str(two)]
    shown = {row[0]: row[1:] for row in cells(page)[1:]}
    assert shown["reward"] == ["0.500", "0.750"]
    assert shown["before/reward"] == ["0.250", "0.250"]
    assert shown["seeds"] == ["1", "1"]
    assert [list(column.cells) for column in table.columns] == [[row[i] for row in cells(page)[1:]] for i in range(3)]


def test_the_page_has_the_means_and_intervals_of_all_seeds(tmp_path, monkeypatch):
    names = ["grpo --lr 1", "grpo --lr 2"]
    folders = {name: [made(tmp_path / f"{i}-{s}", 0.5) for s in range(3)] for i, name in enumerate(names)}
    numbers = {name: [{"reward": reward} for reward in (0.25, 0.5, 0.75)] for name in names}
    monkeypatch.setattr(comparison, "_run", lambda *told: (folders, numbers))
    _, page = compared(*names, out=tmp_path / "out")
    assert page == tmp_path / "out" / "compare.html"
    shown = cells(page)
    assert shown[0] == ["", *names]
    assert shown[1] == ["reward", "0.500 [0.250, 0.750]", "0.500 [0.250, 0.750]"]
    assert shown[-1] == ["seeds", "3", "3"]
    assert "Means over 3 seeds with 95 % intervals" in page.read_text()


def test_folders_that_cannot_be_compared(tmp_path):
    one, two = made(tmp_path / "one", 0.5), made(tmp_path / "two", 0.75)
    with pytest.raises(UserError, match="a run folder is given twice"):
        compared(one, tmp_path / "two" / ".." / "one")
    with pytest.raises(UserError, match=f"there is no run folder {tmp_path / 'three'}, and no recipe"):
        compared(one, tmp_path / "three")
    with pytest.raises(UserError, match="compare one kind at a time"):
        compared(one, "arithmetic --lr 1")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the page of the comparison"):
        compared(one, two, out=tmp_path / "file")
    (tmp_path / "two" / "run.json").write_text(json.dumps([]))
    compared(one, two)
