"""Environments of verifiers, by a stand-in of the package: what is asked, what a row is told of, what is earned."""

import sys

import pytest

from rlft.environments.agents import Agents
from rlft.environments.verified import _loaded, examples, loaded, verifiers
from rlft.types import Message, Problem, UserError
from tests.environments.posing import Posing, put_in

pytest.importorskip("openai", reason="environments of verifiers ask by the package openai: pip install openai")


def said(agents, put, *turns):
    """The last message of each row after these turns, one of each row a turn."""
    rows = [[] for _ in put]
    for turn in turns:
        rows = [[*row, Message("assistant", word)] for row, word in zip(rows, turn, strict=True)]
        answers = agents.respond(put, rows)
        rows = [[*row, *answer] for row, answer in zip(rows, answers, strict=True)]
    return [row[-1] for row in rows]


def test_a_row_is_a_rollout_of_theirs(monkeypatch):
    """Its own question, turns and reward; what it is told of is the example's, and a text is a user's message."""
    held = Posing()
    put_in(monkeypatch, pose=lambda **told: held)
    problems = [
        Problem(0, held.rows[0]["prompt"], "0", {"example_id": 0, "other": 1}),
        Problem(1, "5", "1", {"info": {"a": 2}}),
    ]
    agents = Agents(verifiers("pose"), seconds=20.0)
    put = agents.opened(problems)
    assert [problem.input for problem in put] == [[{"role": "user", "content": word}] for word in ("0", "5")]
    results = said(agents, put, ("7", "7"), ("0", "7"))
    assert [(one.role, one.content) for one in results] == [("result", "1.0"), ("result", "0.25")]
    assert sorted(held.seen, key=str) == sorted(
        [
            {"example_id": 0, "answer": "0", "prompt": [{"role": "user", "content": "0"}]},
            {"example_id": 0, "answer": "1", "info": {"a": 2}, "prompt": [{"role": "user", "content": "5"}]},
        ],
        key=str,
    )
    assert len(set(held.loops)) == 1


def test_it_is_loaded_once_for_what_it_is_told(monkeypatch):
    made = []
    put_in(monkeypatch, pose=lambda **told: made.append(told) or Posing(**told))
    assert loaded("pose", count=3) is loaded("pose", count=3) is not loaded("pose")
    assert made == [{"count": 3}, {}]
    assert [row["answer"] for row in examples("pose", "train", count=3)] == ["0", "1", "2"]
    assert [row["answer"] for row in examples("pose", "test", count=3)] == ["2", "1", "0"]


def test_a_rollout_that_failed_has_no_score(monkeypatch):
    put_in(monkeypatch, pose=lambda: Posing(fails=True))
    with pytest.raises(UserError, match="the environment pose says: no sandbox"):
        Agents(verifiers("pose"), seconds=20.0).opened([Problem(0, "5")])


def test_what_cannot_be_loaded_is_said(monkeypatch):
    put_in(monkeypatch, other=Posing, old=object)
    with pytest.raises(UserError, match=r"cannot load 'pose': Could not import 'pose' environment\.; is its package"):
        verifiers("pose")
    with pytest.raises(UserError, match="has no run_rollout"):
        verifiers("old")
    with pytest.raises(UserError, match="loaded with texts and numbers"):
        verifiers("other", count={1, 2})
    _loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "verifiers", None)
    with pytest.raises(UserError, match=r"pip install 'rlft\[verifiers\]'"):
        verifiers("pose")
