"""Critiques as blame of passages: of a function, of a served model, of one in this process."""

import pytest
import torch

from rlft.errors import UserError
from rlft.options.reward import load_reward
from rlft.rewards import combine, exact
from rlft.rewards.critiques.critique import ASKED, Critique, Written, by_function, critique, served_critique
from rlft.rewards.critiques.steps import Steps
from rlft.rewards.critiques.votes import Listed
from rlft.rewards.judging.asked import Template
from rlft.rewards.normalised import normalised
from rlft.rewards.routed import by_column
from rlft.training.score import score
from rlft.types import Blame, Parts, Problem

SAID = ["one\n\ntwo", "three", "", "four\n\n\n\nfive\n\nsix"]
ROWS = [Problem(0, "2 + 2?", "three", {"kind": "a"})] * 4


def calls_wrong(problem, steps):
    """Those with an e; it will not say anything of a single step."""
    return None if len(steps) == 1 else [number for number, step in enumerate(steps, 1) if "e" in step]


def test_passages_of_the_wrong_steps_are_blamed():
    found = Critique(by_function(calls_wrong))(ROWS, SAID)
    assert found == {} and found.blame == [[Blame(0, 5, 1.0)], [], [], [Blame(8, 14, 1.0)]]
    assert {name: values.tolist() for name, values in found.watch.items()} == {
        "steps": [2, 1, 0, 3],
        "wrong": [1, 0, 0, 1],
        "votes": [1, 0, 0, 1],
        "unread": [0, 1, 0, 0],
        "silent": [0, 1, 0, 0],
    }


def test_beside_a_reward():
    reward = combine({"exact": exact(), "critique": Critique(by_function(calls_wrong))})
    scores = score(reward, ROWS, SAID)
    assert scores.total.tolist() == [0, 1, 0, 0]
    assert scores.blame == [[(0, 5, 1.0)], [], [], [(8, 14, 1.0)]]
    assert scores.parts["critique/wrong"].tolist() == [1, 0, 0, 1]
    with pytest.raises(UserError, match="blames steps and pays nothing"):
        score(Critique(by_function(calls_wrong)), ROWS, SAID)
    with pytest.raises(UserError, match="two of the rewards are critiques"):
        score(combine({"a": Critique(by_function(calls_wrong)), "b": Critique(by_function(calls_wrong))}), ROWS, SAID)


def test_around_it_blame_is_kept():
    reward = combine({"exact": exact(), "critique": Critique(by_function(calls_wrong))})
    assert normalised(reward)(ROWS, SAID).blame == reward(ROWS, SAID).blame
    routed = by_column("kind", a=reward, otherwise=exact())
    other = Problem(1, "", "six", {"kind": "b"})
    assert routed([other, ROWS[0]], ["a\n\nbe", SAID[0]]).blame == [[], [(0, 5, 1.0)]]


def test_explained():
    told = Critique(by_function(calls_wrong)).explain(ROWS[0], SAID[0])
    assert told == "2 steps; wrong: 1; by intersection: [1]"


class Writer:
    """Says by the number of the vote which steps are wrong; nothing of a text with `six`."""

    def __init__(self):
        self.asked = []

    def replies(self, texts, votes, batch):
        self.asked += texts
        said = ["Wrong steps: 1, 2", "Wrong steps: 2", None, "hm"]
        return [None if "six" in text else said[:votes] for text in texts]


def test_one_that_writes():
    writer = Writer()
    template = Template("{prompt}|{steps}|{answer}")
    reward = Critique(Written(writer, template, Listed(), votes=4), Steps(), "average")
    found = reward([*ROWS, ROWS[0]], [*SAID, SAID[0]])
    assert writer.asked[0] == "2 + 2?|Step 1: one\nStep 2: two|three" and len(writer.asked) == 3
    assert found.blame == [[(0, 5, 0.5), (5, 8, 1.0)], [], [], [], [(0, 5, 0.5), (5, 8, 1.0)]]
    # of a single step the numbers 1, 2 and 2 are none that it has
    assert found.watch["votes"].tolist() == [2, 0, 0, 0, 2] and found.watch["unread"].tolist() == [2, 4, 0, 4, 2]
    assert found.watch["too_long"].tolist() == [0, 0, 0, 1, 0]


def test_a_served_one(monkeypatch):
    from tests.rewards.judging.stand_in import StandIn

    def says(text, times):
        return "Wrong steps: none" if "Step 1: three" in text else f"Wrong steps: {'1, ' if times == 1 else ''}2"

    stand_in = StandIn(says)
    try:
        reward = load_reward(
            f"served_critique(url='{stand_in.url}', model='m', votes=2, rule='majority', patience=5.0)"
        )
        found = reward(ROWS[:3], SAID[:3])
        assert found.blame == [[(5, 8, 1.0)], [], []]
        assert found.watch["votes"].tolist() == [2, 2, 0] and found.watch["requests"].tolist() == [2, 2, 0]
        assert ASKED.replace("{prompt}", "2 + 2?").replace("{steps}", "Step 1: one\nStep 2: two") in stand_in.asked
        assert reward(ROWS[:3], SAID[:3]).watch["cached"].tolist() == [2, 2, 0]
        kept = reward.state_dict()
        again = load_reward(f"served_critique(url='{stand_in.url}', model='m', votes=2, rule='majority')")
        again.load_state_dict(kept)
        assert again.critic.judge.totals["requests"] == 4
    finally:
        stand_in.stop()


def test_a_folder(tmp_path):
    """A model of random weights says nothing that can be read, which is counted and blames nobody."""
    from rlft.models.small_language import small_llama, word_tokenizer

    tokenizer = word_tokenizer(["Wrong steps: ", "none", "1", "2", " ", "?"])
    small_llama(len(tokenizer), width=16, layers=1, heads=2, context=32).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reward = critique(str(tmp_path), prompt="1{steps}?".replace("{steps}", "{completion}"), max_tokens=3, votes=3)
    found = reward([Problem(0, "1")] * 2, ["1 2", "2 2"])
    assert isinstance(found, Parts) and found.watch["steps"].tolist() == [1, 1]
    assert (found.watch["votes"] + found.watch["unread"]).tolist() == [3, 3]
    assert torch.equal(found.watch["wrong"], reward([Problem(0, "1")] * 2, ["1 2", "2 2"]).watch["wrong"])
    with pytest.raises(UserError, match="no language model"):
        critique(str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="4 critiques at temperature 0"):
        critique(str(tmp_path), temperature=0.0)
    with pytest.raises(UserError, match="rule='all'"):
        served_critique(url="http://127.0.0.1:1/v1", model="m", rule="all")
