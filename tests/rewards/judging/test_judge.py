"""A served judge as a reward, against a stand-in on loopback: its numbers, what it asks and how often, what it says."""

import hashlib
import json
import math
import random

import pytest
import torch

from rlft.errors import Unavailable, UserError
from rlft.options.reward import load_reward
from rlft.rewards.judging import server
from rlft.rewards.judging.judge import judge
from rlft.types import Problem

PROMPT = "Rate from 0 to 1.\n{prompt}\n{completion}"


def hashed_score(text, times):
    """Three digits of a hash of what is judged: equal for equal texts, and nobody's guess."""
    return f"I looked at it. Score: 0.{int(hashlib.sha256(text.encode()).hexdigest(), 16) % 1000:03d}"


def expected(completion, prompt="2 + 2?"):
    return float(hashed_score(f"Rate from 0 to 1.\n{prompt}\n{completion}", 1).rpartition(" ")[2])


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(server, "_FIRST_WAIT", 0.002)


@pytest.fixture
def stand_in():
    from tests.rewards.judging.stand_in import StandIn

    made = StandIn(hashed_score)
    yield made
    made.stop()


def made(stand_in, **settings):
    told = {"url": stand_in.url, "model": "m", "prompt": PROMPT, "patience": 5.0}
    return judge(**{**told, **settings})


def rows(*completions):
    return [Problem(0, "2 + 2?", "4")] * len(completions), list(completions)


def scores(reward, *completions):
    return reward(*rows(*completions))["judge"].tolist()


def test_each_row_has_its_own_score(stand_in):
    stand_in.slow = 0.002
    found = scores(made(stand_in), *map(str, range(40)))
    assert found == pytest.approx([expected(n) for n in range(40)])
    assert len(set(found)) > 30
    assert stand_in.bodies[0][0] == {
        "model": "m",
        "temperature": 0.0,
        "max_tokens": 512,
        "messages": [{"role": "user", "content": stand_in.bodies[0][0]["messages"][0]["content"]}],
    }


def test_a_thousand_judgements_are_asked_once_each_also_by_the_next_process(stand_in, tmp_path):
    texts = [str(n % 137) for n in range(1000)]
    random.Random(0).shuffle(texts)
    settings = {"cache": str(tmp_path / "judged.jsonl"), "concurrency": 4}
    reward, found = made(stand_in, **settings), []
    for start in range(0, 500, 100):
        found += scores(reward, *texts[start : start + 100])
    again = made(stand_in, **settings)
    for start in range(500, 1000, 100):
        found += scores(again, *texts[start : start + 100])
    assert found == pytest.approx([expected(text) for text in texts])
    assert len(stand_in.asked) == 137
    assert set(stand_in.asked.values()) == {1}
    total = {name: reward.totals[name] + again.totals[name] for name in reward.totals}
    assert (total["requests"], total["cached"]) == (137, 1000 - 137)


def test_counters_of_rows_tokens_and_money(stand_in):
    reward = made(stand_in, price=(2.0, 50.0))
    watch = reward(*rows("a", "b", "a")).watch
    assert watch["requests"].tolist() == [1, 1, 0]
    assert watch["cached"].tolist() == [0, 0, 1]
    assert watch["tokens"].tolist() == [110, 110, 0]
    assert watch["cost"].tolist() == pytest.approx([0.0007, 0.0007, 0])
    reward(*rows("a"))
    assert reward.totals == {
        **dict.fromkeys(("retries", "unread", "refused"), 0),
        **dict.fromkeys(("requests", "cached"), 2),
        "tokens": 220,
        "cost": pytest.approx(0.0014),
    }
    other = made(stand_in)
    other.load_state_dict(reward.state_dict())
    assert other.totals == reward.totals


def test_retries_are_counted_where_they_happened(stand_in):
    stand_in.troubles = [500, "cut"]
    reward = made(stand_in, concurrency=1)
    watch = reward(*rows("a", "b")).watch
    assert watch["retries"].tolist() == [2, 0]


def test_what_cannot_be_read_is_no_score(stand_in):
    said = {"a": "Score: 0.5", "b": "quite good", "c": "Score: 5", "d": ("Score: 0.1", "length"), "e": None}
    stand_in.says = lambda text, times: said[text[-1]]
    reward = made(stand_in)
    result = reward(*rows(*said))
    assert result["judge"][0] == 0.5
    assert result["judge"][1:].isnan().all()
    assert result.watch["unread"].tolist() == [0, 1, 1, 1, 1]
    assert reward.explain(*[one[0] for one in rows("d")]) == "unread (cut off): …'Score: 0.1'"
    assert reward.explain(*[one[0] for one in rows("a")]) == "0.5: …'Score: 0.5'"


def test_what_is_refused_is_no_score_and_all_of_it_an_error(stand_in):
    reward = made(stand_in)
    stand_in.refuses = {f"Rate from 0 to 1.\n2 + 2?\n{text}" for text in "ab"}
    with pytest.raises(UserError, match="takes no request: 400 this model's context is too short"):
        reward(*rows("a", "b"))
    result = reward(*rows("a", "c"))
    assert result["judge"].isnan().tolist() == [True, False]
    assert result.watch["refused"].tolist() == [1, 0]
    assert result.watch["cached"].tolist() == [0, 0]
    assert reward(*rows("a"))["judge"].isnan().all()
    assert "context is too short" in reward.explain(*[one[0] for one in rows("a")])


def test_votes_are_requests_of_their_own_and_their_mean_counts(stand_in):
    said = {"a": ["yes", "no", "yes", "yes"], "b": ["yes", "hm", "hm", "no"], "c": ["hm", "yes", "no", "yes"]}
    stand_in.says = lambda text, times: said[text[-1]][times - 1]
    reward = made(stand_in, reads="yes", votes=4, temperature=0.7, concurrency=1)
    result = reward(*rows("a", "b", "c"))
    assert result["judge"][0] == 0.75
    assert math.isnan(result["judge"][1])  # two of four are no more than half
    assert result["judge"][2] == pytest.approx(2 / 3)
    assert result.watch["requests"].tolist() == [4, 4, 4]
    assert result.watch["unread"].tolist() == [0, 2, 1]
    assert all("n" not in body for body, _, _ in stand_in.bodies)


def test_a_server_that_ignores_the_temperature_is_told(stand_in, capsys):
    said = "I have looked at all of this very carefully. Score: 0.5"
    stand_in.says = lambda text, times: said
    reward = made(stand_in, votes=2, temperature=0.7)
    reward(*rows(*"abcdefg"))
    assert capsys.readouterr().err == ""
    reward(*rows("h"))
    assert "all 2 votes are word for word alike in 8 rows of 8: its server ignores" in capsys.readouterr().err
    reward(*rows("i"))
    assert capsys.readouterr().err == ""
    stand_in.says = lambda text, times: f"{said[:-1]}{times}"
    other = made(stand_in, votes=2, temperature=0.7)
    other(*rows(*"abcdefghijk"))
    assert capsys.readouterr().err == ""


def test_soft_verdicts(stand_in):
    top = [{"token": "Yes", "logprob": math.log(0.6)}, {"token": "No", "logprob": math.log(0.2)}]
    stand_in.logprobs = {"content": [{"token": "Yes", "logprob": 0.0, "top_logprobs": top}]}
    reward = made(stand_in, reads="p(yes)", max_tokens=1)
    stand_in.says = lambda text, times: ("Yes", "length")
    assert scores(reward, "a") == pytest.approx([0.75])
    body = stand_in.bodies[0][0]
    assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
    stand_in.logprobs = None
    with pytest.raises(UserError, match="took `logprobs` and sent none"):
        scores(reward, "b")


def test_a_server_that_counts_nothing_or_is_another_is_told(stand_in, capsys):
    stand_in.usage = False
    scores(made(stand_in, price=(1.0, 1.0)), "a")
    assert "counts no tokens" in capsys.readouterr().err
    scores(made(stand_in), "b")
    stand_in.model = "m-2026"
    scores(made(stand_in), "c")
    assert capsys.readouterr().err == ""
    stand_in.model = "other"
    scores(made(stand_in), "d")
    assert "asked for m, its server answers as other" in capsys.readouterr().err


def test_a_dead_server_raises_and_invents_nothing(stand_in, tmp_path):
    reward = made(stand_in, patience=0.05, concurrency=1, cache=str(tmp_path / "judged.jsonl"))
    stand_in.dies_at = 3
    with pytest.raises(Unavailable, match="does not answer"):
        reward(*rows(*"abcdef"))
    assert len((tmp_path / "judged.jsonl").read_text().splitlines()) == 3  # those that were answered are kept
    stand_in.dies_at = None
    assert scores(reward, *"abcdef") == pytest.approx([expected(text) for text in "abcdef"])
    assert set(stand_in.asked.values()) == {1}


def test_a_changed_prompt_is_told(stand_in, capsys):
    state = made(stand_in).state_dict()
    made(stand_in, concurrency=2, timeout=7.0).load_state_dict(state)
    assert capsys.readouterr().err == ""
    made(stand_in, prompt="{completion}").load_state_dict(state)
    assert "are not what they were" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"votes": 0},
        {"votes": 2},
        {"votes": 2, "temperature": 1.0, "reads": "p(yes)"},
        {"concurrency": 0},
        {"max_tokens": -1},
        {"price": (1.0,)},
        {"price": (-1.0, 0.0)},
        {"timeout": 0.0},
        {"least": 2.0},
        {"prompt": "nothing"},
        {"url": "localhost"},
    ],
)
def test_wrong_settings_are_refused(stand_in, wrong):
    with pytest.raises(UserError):
        made(stand_in, **wrong)


def test_the_command_lines_words(stand_in, tmp_path):
    (tmp_path / "judge.txt").write_text(PROMPT)
    words = f"judge(url={stand_in.url!r}, model='m', prompt={str(tmp_path / 'judge.txt')!r}, extra={{'top_p': 0.5}})"
    assert scores(load_reward(words), "a") == pytest.approx([expected("a")])
    assert stand_in.bodies[0][0]["top_p"] == 0.5
    assert torch.is_tensor(load_reward(words)(*rows("a"))["judge"])
    assert json.dumps(stand_in.bodies[0][0])
