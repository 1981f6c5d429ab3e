"""A verifier's soft and binary rewards, with a speaker whose probabilities are given."""

import pytest
import torch

from rlft.errors import UserError
from rlft.options.reward import load_reward
from rlft.rewards.judging.asked import Template
from rlft.rewards.learned.verifier import Verifier
from rlft.types import Problem
from tests.models.test_next_token import speaker


class Given:
    """p(yes) and p(no) of a text by its last word."""

    longest = 8

    def __init__(self):
        self.asked = []
        self.said = {"sure": (0.8, 0.0), "half": (0.3, 0.1), "no": (0.1, 0.3), "hm": (0.001, 0.002), "even": (0.2, 0.2)}

    def shown(self, text):
        return [text] * (9 if text.endswith("long") else 1)

    def likely(self, rows, batch):
        self.asked += [row[0] for row in rows]
        return torch.tensor([self.said[row[0].split()[-1]] for row in rows])


ASK = Template("{answer} {completion}")
SAID = ["sure", "half", "no", "hm", "even", "long"]


def asked(said=SAID, **told):
    return Verifier(Given(), ASK, **told)([Problem(0, "?", "4")] * len(said), said)


def test_soft_is_the_share_of_yes():
    found = asked()
    expected = [1.0, 0.75, 0.25, torch.nan, 0.5, torch.nan]
    torch.testing.assert_close(found["verified"], torch.tensor(expected), equal_nan=True)
    assert found.watch["unread"].tolist() == [0, 0, 0, 1, 0, 0]
    assert found.watch["too_long"].tolist() == [0, 0, 0, 0, 0, 1]
    torch.testing.assert_close(asked(mass=0.0)["verified"][3], torch.tensor(1 / 3))


def test_binary_by_a_threshold():
    expected = torch.tensor([1.0, 1.0, 0.0, torch.nan, 0.0, torch.nan])
    torch.testing.assert_close(asked(gives="binary")["verified"], expected, equal_nan=True)
    assert asked(gives="binary", threshold=0.8)["verified"][:3].tolist() == [1, 0, 0]
    torch.testing.assert_close(asked().watch["yes"], expected, equal_nan=True)


def test_votes_are_drawn_alike_for_alike_texts():
    """Of 400 votes at 0.75 the share is within 4 deviations of 0.0217."""
    found = asked(["half", "half", "sure", "no"], votes=400)["verified"]
    assert found[0] == found[1] == pytest.approx(0.75, abs=0.087)
    assert found[0] != 0.75
    assert found[2] == 1.0
    assert asked(["half", "no"], votes=400, gives="binary")["verified"].tolist() == [1, 0]


def test_equal_texts_are_read_once():
    given = Given()
    Verifier(given, ASK)([Problem(0, "?", "4")] * 3, ["half", "no", "half"])
    assert given.asked == ["4 half", "4 no"]


def test_what_it_says_of_a_row():
    reward = Verifier(Given(), ASK)
    assert reward.explain(Problem(0, "?", "4"), "half") == "p(yes) 0.300, p(no) 0.100"
    assert reward.explain(Problem(0, "?", "4"), "long") == "too long for it"


def test_a_folder(tmp_path):
    said = speaker()
    said.model.save_pretrained(tmp_path)
    said.tokenizer.save_pretrained(tmp_path)
    words = f"verifier({str(tmp_path)!r}, prompt='{{answer}} {{completion}}?', device='cpu', mass=0.0"
    rows = [Problem(0, "?", "a")] * 2, ["b", "cab"]
    p = said.likely([said.shown(text) for text in ("a b?", "a cab?")])
    soft = p[:, 0] / p.sum(1)
    torch.testing.assert_close(load_reward(f"{words})")(*rows)["verified"], soft)
    found = load_reward(f"{words}, normalise='batch')")(*rows)["normalised"]
    torch.testing.assert_close(found, torch.tensor([1.0, -1.0]) * (1 if soft[0] > soft[1] else -1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("wrong", [{"gives": "hard"}, {"votes": -1}, {"threshold": 1.0}, {"batch": 0}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(UserError):
        Verifier(Given(), ASK, **wrong)
