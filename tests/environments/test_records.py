"""A record that is asked, entry by entry: what is told, to whom, and what nobody knows."""

import pytest

from rlft.environments.dialogue import Checking, Dialogue
from rlft.environments.records import UNKNOWN, Records, asked, entries, seen
from rlft.types import Message, Problem, Transcript, UserError

RECORD = {"Chest  Pain": "yes", "fever": "no", "age": 61}
PROBLEM = Problem(3, "61, unwell.", "angina", {"record": RECORD, "case": {"file": {"fever": "39.5"}}}, "cases")


def said(*turns):
    return [Message(role, text) for role, text in turns]


def test_an_entry_is_told_to_who_asks():
    record = Records()
    assert isinstance(record, Dialogue)
    turns = [
        said(("assistant", "It may be the heart. <ask> chest pain </ask>")),
        said(("assistant", "<ask>FEVER</ask>"), ("user", "no"), ("assistant", "<ask>age")),
        said(("assistant", "<ask>rash</ask>")),
        said(("assistant", "<evidence>chest pain</evidence><answer>angina</answer>")),
        said(("assistant", "<ask>fever</ask> <ask>age</ask>")),
    ]
    answers = record.respond([PROBLEM] * 5, turns)
    told = [[(message.role, message.content, message.failed) for message in answer] for answer in answers]
    yes, age, fever = ("user", "yes", False), ("user", "61", False), ("user", "no", False)
    assert told == [[yes], [age], [("user", UNKNOWN, True)], [], [fever]]
    assert record.stop == ("</ask>",)


def test_a_column_inside_another():
    answer = Records("case.file").respond([PROBLEM], [said(("assistant", "<ask>fever</ask>"))])
    assert answer[0][0].content == "39.5"


def test_what_a_conversation_has_seen():
    turns = (("assistant", "<ask>fever</ask>"), ("user", "no"), ("assistant", "<ask>rash</ask>"), ("user", UNKNOWN))
    talk = Transcript("so be it", (), False, said(*turns, ("user", "<ask>age</ask>"), ("assistant", "so be it")))
    assert seen(PROBLEM, talk, "record") == {"fever": "no"}
    assert seen(PROBLEM, "<ask>fever</ask>", "record") == {}
    assert asked("nothing") is None and asked("<ask> A  b </ask>") == "a b"


def test_a_problem_without_a_record_is_refused_before_anything_is_drawn():
    assert isinstance(Records(), Checking)
    Records().check(PROBLEM)
    with pytest.raises(UserError, match="has no record: its column 'file'"):
        Records("file").check(PROBLEM)


@pytest.mark.parametrize("held", [None, "fever: no", ["fever"]])
def test_no_record(held):
    with pytest.raises(UserError, match="problem 0 of cases has no record: its column 'record'"):
        entries(Problem(0, "?", None, {} if held is None else {"record": held}, "cases"), "record")
