"""What a run folder says of the code that it was made with."""

import subprocess

import pytest

from rlft.errors import UserError
from rlft.runs.folder import circumstances, refuse_taken, revision, revision_of, written_whole


def git(place, *words):
    who = ["-c", "user.name=me", "-c", "user.email=me@here"]
    return subprocess.run(["git", *who, *words], cwd=place, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def own(tmp_path):
    """A user's repository with a recipe, in one commit."""
    folder = tmp_path / "own"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "recipe.py").write_text("x = 1\n")
    (folder / "notes.txt").write_text("one\n")
    (folder / ".gitignore").write_text("scratch.py\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_the_revision_is_that_of_the_recipes_repository(own, tmp_path):
    first = git(own, "rev-parse", "--short=12", "HEAD")
    found = circumstances([own / "recipe.py"])
    assert (found["revision"], found["library"]) == (first, revision())
    (own / "notes.txt").write_text("two\n")  # of which the run does not depend
    assert revision_of([own / "recipe.py", tmp_path / "beside.py"]) == first
    (own / "recipe.py").write_text("x = 2\n")
    assert revision_of([own / "recipe.py"]) == f"{first}+"
    git(own, "commit", "-qam", "second")
    second = git(own, "rev-parse", "--short=12", "HEAD")
    assert revision_of([own / "recipe.py"]) == second != first
    (own / "scratch.py").write_text("y = 1\n")  # never committed, and ignored
    assert revision_of([own / "recipe.py", own / "scratch.py"]) == f"{second}+"


def test_outside_any_repository_and_without_code_of_ones_own(tmp_path):
    (tmp_path / "recipe.py").write_text("x = 1\n")
    assert revision_of([tmp_path / "recipe.py"]) is None
    assert circumstances()["revision"] == revision() and "library" not in circumstances()


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    with written_whole(tmp_path / "out") as beside:
        beside.mkdir()
        (beside / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and (tmp_path / "out" / "a").read_text() == "1"

    def full():
        with written_whole(tmp_path / "other") as beside:
            beside.mkdir()
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*other: No space left"):
        full()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(UserError, match="out exists already and will not be overwritten"):
        refuse_taken(tmp_path / "out")
