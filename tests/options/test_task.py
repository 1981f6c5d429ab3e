"""Tasks by name: files, generators of this folder, reasoning-gym; and what the errors say."""

import json

import numpy as np
import pytest

from rlft.options.task import generator, load_task
from rlft.tasks.arithmetic import Arithmetic
from rlft.tasks.files import Files
from rlft.tasks.films import frames_of
from rlft.types import UserError


def test_files(tmp_path):
    path = tmp_path / "sums.jsonl"
    path.write_text(json.dumps({"question": "1+1?", "gold": "2"}))
    task = load_task(str(path), prompt_field="question", answer_field="gold", split="test")
    assert isinstance(task, Files)
    assert (task.at(0).input, task.at(0).answer, task.split) == ("1+1?", "2", "test")
    with pytest.raises(UserError, match="no column 'prompt'"):
        load_task(str(path))


def test_generators():
    task = load_task("arithmetic(digits=1, operators='-')", split="test")
    assert isinstance(task, Arithmetic)
    assert (task.name, task.split) == ("arithmetic-1-", "test")
    assert load_task("arithmetic").at(5) == Arithmetic().at(5)
    assert load_task("arithmetic(split='validation')").split == "validation"
    assert generator("arithmetic") is Arithmetic
    assert generator("files") is generator("stream") is generator("reasoning") is generator("nothing") is None


def test_reasoning_gym():
    task = load_task("reasoning_gym:chain_sum(min_terms=2, max_terms=2, size=9)", split="test")
    assert (task.name, task.split, task.size) == ("reasoning_gym:chain_sum", "test", 9)
    assert load_task("reasoning_gym:chain_sum").size is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("arithmetics", "no task 'arithmetics'; did you mean arithmetic"),
        ("reasoning", "did you mean reasoning_gym:NAME"),
        ("zzz", "there are aerial, arithmetic"),
        ("arithmetic(digit=2)", r"unexpected keyword argument 'digit'; it is arithmetic\(digits: int = 2"),
        ("arithmetic(digits=two)", "cannot read"),
        ("reasoning_gym:chainsum", "did you mean chain_sum"),
        ("nowhere/file.jsonl", "there is no file nowhere/file.jsonl"),
        ("file.jsonl", "there is no file file.jsonl"),
    ],
)
def test_errors(spec, message):
    with pytest.raises(UserError, match=message):
        load_task(spec)


def test_fields_are_for_files():
    with pytest.raises(UserError, match="makes its own problems"):
        load_task("arithmetic", prompt_field="question")


def test_one_row_with_a_film_is_enough(tmp_path):
    """The first shows none: it stays as it is, and the other's film becomes as many frames as are asked for."""
    np.save(tmp_path / "film.npy", np.zeros((8, 4, 4, 3), dtype=np.uint8))
    rows = [{"prompt": "what?"}, {"prompt": "which?", "video": "film.npy"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = load_task(str(tmp_path / "rows.jsonl"), frames=3)
    assert task.at(0).input == "what?" and [frames_of(task.at(i)) for i in range(2)] == [0, 3]
