"""Arms that want data of the user's own: left out without it, remade from equal files anywhere."""

import json
from pathlib import Path

import pytest

from rlft.errors import UserError
from rlft.evidence.claim import as_plain
from rlft.reproduce.page import markdown
from rlft.reproduce.reproduce import reproduce
from rlft.tool import claims as commands


@pytest.fixture
def recipe(monkeypatch):
    here = Path(__file__).parent
    monkeypatch.syspath_prepend(str(here))
    return str(here / "paired.py")


def _file(folder, text="one\ntwo\n"):
    folder.mkdir()
    (folder / "lines.txt").write_text(text)
    return folder / "lines.txt"


def test_a_file_is_kept_by_its_name_and_contents(tmp_path):
    one, same, other = _file(tmp_path / "a"), _file(tmp_path / "b"), _file(tmp_path / "c", "three\n")
    assert as_plain(one) == as_plain(same) == {"file": "lines.txt", "sha256": "c3f9c8c283a2"}
    assert as_plain(one) != as_plain(other)
    with pytest.raises(UserError, match="cannot read"):
        as_plain(tmp_path / "none")


def test_without_its_data_an_arm_is_left_out_and_with_it_is_run(recipe, tmp_path):
    told = []
    without = reproduce(recipe, tmp_path / "runs", workers=0, said=told.append)
    assert set(without["arms"]) == set(without["means"]) == set(without["tuning"]) == {"plain"}
    assert [s["arm"] for s in without["statements"]] == ["plain"]
    assert without["verdict"] == "reproduced"
    assert any("filed" in line and "mine.ARGUMENT" in line for line in told)
    assert "--set" not in markdown(without, "Paired")

    file = _file(tmp_path / "data")
    words = commands._data([f"mine.file={file}"])
    result = reproduce(recipe, tmp_path / "runs", workers=0, data=words)
    assert set(result["arms"]) == set(result["tuning"]) == {"plain", "filed"}
    assert result["arms"]["plain"] == without["arms"]["plain"]
    assert result["arms"]["filed"]["runs"]["0"]["cost/updates"] == 3  # one step, and two lines
    assert result["arms"]["filed"]["arguments"]["file"] == {"file": "lines.txt", "sha256": "c3f9c8c283a2"}
    assert [s["outcome"] for s in result["statements"]] == ["holds", "holds"]
    page = markdown(result, "Paired")
    assert "rlft reproduce paired --set mine.file=lines.txt" in page
    assert str(tmp_path) not in page + json.dumps(result)

    file.rename(tmp_path / "lines.txt")  # wherever the same file lies, nothing is run again
    words = commands._data([f"mine.file={tmp_path / 'lines.txt'}"])
    assert reproduce(recipe, tmp_path / "runs", workers=0, data=words)["arms"] == result["arms"]


def test_data_that_no_arm_wants_and_settings_of_another_form_are_refused(recipe, tmp_path):
    with pytest.raises(UserError, match="no arm wants data called 'yours'; wanted are: mine"):
        reproduce(recipe, tmp_path, workers=0, data={"yours": ("--file", "x")})
    for word in ("mine.file", "file=x", "mine.=x", ".file=x", "mine.file="):
        with pytest.raises(UserError, match="is not NAME"):
            commands._data([word])
    assert commands._data(["a.b_c=x=y", "a.d=z"]) == {"a": ("--b-c", "x=y", "--d", "z")}


def test_only_a_whole_run_is_published(recipe, tmp_path):
    with pytest.raises(UserError, match="give the data of filed"):
        commands.reproduce((recipe,), publish=True, workers=0, out=tmp_path)
