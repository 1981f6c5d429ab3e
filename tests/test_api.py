"""The library in one call: what the README shows."""

import json

import pytest

import rlft
from rlft.methods.rloo import rloo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.types import UserError


def named_a(problems, outputs):
    return [float("a" in output) for output in outputs]


ROWS = [{"prompt": f"say {c}", "answer": c} for c in "abcd"]


def policy(**told):
    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz .")
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24)
    return rlft.Language(model, tokenizer, max_new_tokens=4, **told)


def settings(out, **more):
    return {"out": out, "steps": 3, "prompts": 2, "group": 3, "lr": 1e-2, "quiet": True, **more}


def test_five_lines(tmp_path):
    def trl_style(prompts, completions, answer, **kwargs):
        return [float(gold in text) for gold, text in zip(answer, completions, strict=True)]

    found = rlft.train(policy(), ROWS, trl_style, rloo(), eval_data=ROWS, **settings(tmp_path / "run"))
    assert len(found["before"].rewards) == 4
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
    assert (tmp_path / "run" / "report.html").exists()


def test_resume_is_the_same_call(tmp_path, monkeypatch):
    def count(problems, outputs):
        return [o.count("a") for o in outputs]

    straight = policy()
    rlft.train(straight, ROWS, count, rloo(), **settings(tmp_path / "straight"))
    rlft.train(policy(), ROWS, count, rloo(), **settings(tmp_path / "parts", steps=2))
    resumed, told = policy(), []
    monkeypatch.setattr("rlft.api.checked", tuple)
    monkeypatch.setattr("rlft.trackers.opened", lambda name, about: told.append(name) or 1 / 0)
    rlft.train(resumed, ROWS, count, rloo(), resume=True, track=("book",), **settings(tmp_path / "parts"))
    assert told == ["book"]  # asked for when the run goes on, and its failing ends nothing
    pairs = zip(straight.parameters(), resumed.parameters(), strict=True)
    assert all(bool((a == b).all()) for a, b in pairs)


def test_what_cannot_work(tmp_path):
    with pytest.raises(UserError, match="has no reward of its own: give one"):
        rlft.train(policy(), ROWS, out=tmp_path / "run")
    with pytest.raises(UserError, match="rows has no rows"):
        rlft.train(policy(), [], "exact", out=tmp_path / "run")
    with pytest.raises(UserError, match="unknown tracker 'paper'"):
        rlft.train(policy(), ROWS, "exact", out=tmp_path / "run", track=("paper",))
    assert not (tmp_path / "run").exists()
    with pytest.raises(AttributeError, match="no attribute 'teach'"):
        _ = rlft.teach
    assert not (tmp_path / "run").exists()


def test_problems_that_do_not_fit(tmp_path, capsys):
    """The context has 24 places: 4 are for the answer."""
    rows = [*ROWS, {"prompt": "a" * 21, "answer": "a"}, {"prompt": "a" * 19, "answer": "a"}]
    with pytest.raises(UserError, match="problem 4 of rows/train: its prompt of 22 tokens and 4 new ones do not fit"):
        rlft.train(policy(), rows, "exact", rloo(), **settings(tmp_path / "refused", steps=1))
    assert not (tmp_path / "refused").exists()
    dropping = policy(overlong="drop")
    rlft.train(dropping, rows, named_a, rloo(), eval_data=rows, **settings(tmp_path / "run", steps=1))
    lines = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert capsys.readouterr().err.count("1 of 6 problems of rows do not fit") == 2
    assert lines[0]["problems"] == 5
    rlft.train(policy(overlong="cut"), rows, named_a, rloo(), **settings(tmp_path / "cut", steps=1))


def test_changed_data_are_gone_on_with_if_that_is_said(tmp_path):
    rlft.train(policy(), ROWS, named_a, rloo(), **settings(tmp_path / "run", steps=1))
    other = [*ROWS[:-1], {"prompt": "say e", "answer": "e"}]
    again = {"resume": True, **settings(tmp_path / "run", steps=2)}
    with pytest.raises(UserError, match="the data is not what it was, in rows 4 to 4"):
        rlft.train(policy(), other, named_a, rloo(), **again)
    rlft.train(policy(), other, named_a, rloo(), changed_anyway=True, **again)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["steps"] == 2 and facts["changed"] == ["the data is not what it was, in rows 4 to 4"]


def test_several_rewards_and_their_parts(tmp_path):
    def short(completions, **kwargs):
        return [len(text) / 4 for text in completions]

    found = rlft.train(
        policy(),
        ROWS,
        [named_a, short],
        rloo(),
        reward_weights=[0.5, -1.0],
        eval_data=ROWS,
        **settings(tmp_path / "run"),
    )
    numbers = found["after"].numbers()
    assert numbers["reward"] == pytest.approx(numbers["reward/named_a"] + numbers["reward/short"], abs=1e-6)
    assert numbers["pass@1/named_a"] == pytest.approx(2 * numbers["reward/named_a"])
    assert "reward/short" in json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    with pytest.raises(UserError, match="1 rewards and 2 reward weights"):
        rlft.train(policy(), ROWS, [named_a], rloo(), reward_weights=[1.0, 2.0], **settings(tmp_path / "wrong"))
