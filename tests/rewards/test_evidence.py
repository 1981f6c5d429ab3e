"""Evidence by hand: what is cited against what was found and what is required."""

import math

import pytest

from rlft.rewards.adapt import explained
from rlft.rewards.evidence import cited, evidence
from rlft.types import Message, Problem, Transcript, UserError

RECORD = {"cough": "yes", "fever": "yes", "rash": "no", "pallor": "yes", "chest pain": "yes"}
COLUMNS = {"record": RECORD, "known": ["Cough"], "evidence": ["cough", "fever", "chest pain", "pallor"]}
PROBLEM = Problem(0, "Coughs.", "flu", COLUMNS, "cases")


def talk(last, *asked, truncated=False):
    messages = [m for name in asked for m in (Message("assistant", f"<ask>{name}</ask>"), Message("user", "yes"))]
    return Transcript(last, (), truncated, [*messages, Message("assistant", last)])


@pytest.mark.parametrize(
    ("output", "f1", "precision", "recall", "unseen"),
    [
        # cough was told, fever asked for: two of two, two of four
        (talk("<evidence>cough; fever</evidence> flu", "fever"), 2 / 3, 1, 1 / 2, 0),
        # pallor is so and required, and nobody asked for it
        (talk("<evidence>cough; fever; pallor</evidence>", "fever"), 4 / 7, 2 / 3, 1 / 2, 1 / 3),
        # rash was asked for and is none
        (talk("<evidence>FEVER, rash\nchest  pain</evidence>", "fever", "rash", "chest pain"), 4 / 7, 2 / 3, 1 / 2, 0),
        # said twice is said once; the last tag counts, an answer ends it
        (talk("<evidence>rash</evidence><evidence>cough;cough<answer>flu"), 2 / 5, 1, 1 / 4, 0),
        (talk("It is flu: cough and fever", "fever"), 0, 0, 0, 0),
        (talk("<evidence> ; </evidence>flu", "fever"), 0, 0, 0, 0),
        (talk("<evidence>cough; fever</evidence>", "fever", truncated=True), 0, 0, 0, 0),
        # what is named and is in no record was not found
        (talk("<evidence>cough; gout</evidence>"), 2 / 6, 1 / 2, 1 / 4, 1 / 2),
        ("<evidence>cough; fever</evidence>", 2 / 6, 1 / 2, 1 / 4, 1 / 2),
    ],
)
def test_shares(output, f1, precision, recall, unseen):
    parts = evidence()([PROBLEM], [output])
    told = (parts["evidence"], parts.watch["precision"], parts.watch["recall"], parts.watch["unseen"])
    assert [float(one) for one in told] == pytest.approx([f1, precision, recall, unseen])
    for worth, value in (("precision", precision), ("recall", recall)):
        assert float(evidence(worth=worth)([PROBLEM], [output])["evidence"]) == pytest.approx(value)


def test_to_name_everything_does_not_pay():
    all_of_it = "<evidence>" + ";".join(RECORD) + "</evidence>"
    asked = talk("<evidence>cough;fever;pallor;chest pain</evidence>", *RECORD)
    assert evidence()([PROBLEM] * 2, [talk(all_of_it, *RECORD), asked])["evidence"].tolist() == pytest.approx(
        [8 / 9, 1]
    )


def test_without_what_is_required_nothing_is_scored():
    bare = Problem(0, "?", None, {"record": RECORD}, "cases")
    assert math.isnan(evidence()([bare], [talk("<evidence>cough</evidence>")])["evidence"])


def test_other_columns_and_what_is_said():
    problem = Problem(0, "?", None, {"file": {"a": 1, "b": 2}, "given": "a", "need": ["a", "b"]}, "cases")
    reward = evidence(column="need", record="file", known="given")
    output = talk("<evidence>a; c</evidence>")
    assert float(reward([problem], [output])["evidence"]) == pytest.approx(1 / 2)
    said = explained(reward, problem, output)
    assert said in (
        "cited a, c; not found c; not required nothing; missing b",
        "cited c, a; not found c; not required nothing; missing b",
    )
    with pytest.raises(UserError, match="f1, precision or recall, not 'all'"):
        evidence(worth="all")


def test_cited():
    assert cited("no tag") == set() and cited("<evidence>a,b") == {"a", "b"}
