"""The data of an environment of verifiers as a task."""

import pytest

from rlft.options.task import load_task
from rlft.types import UserError
from tests.environments.posing import Posing, put_in


def test_its_examples_by_name(monkeypatch):
    put_in(monkeypatch, pose=Posing)
    task = load_task("verifiers:pose(count=3)")
    one = task.at(2)
    assert (task.name, task.size, task.split) == ("verifiers:pose", 3, "train")
    assert (one.input, one.answer, one.columns) == ([{"role": "user", "content": "2"}], "2", {"example_id": 2})
    assert load_task("verifiers:pose", split="test").at(0).answer == "1"
    assert load_task("verifiers:pose(size=1, count=3)").size == 1
    with pytest.raises(IndexError, match="has 3 problems, none with index 3"):
        task.at(3)
    with pytest.raises(UserError, match=r"there is no task 'verifier', did you mean|verifiers:NAME"):
        load_task("verifier")
