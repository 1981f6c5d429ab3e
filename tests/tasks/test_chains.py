"""Chains: right totals, kinds, a sign for another, splits that share no question."""

import pytest

from rlft.options.task import load_task
from rlft.tasks.chains import Chains, totals
from rlft.types import UserError


@pytest.mark.parametrize(
    ("chain", "slips", "answer"),
    [
        ("3+4-2*4", (), "750"),
        ("3#4", (), "9"),
        ("9+4", (), "3"),
        ("3+4-2*4", (0, 1, 0), "764"),
        ("1*3*3*3", (9, 0, 5), "263"),
        ("2#1+2#3", (), "130"),
    ],
)
def test_by_hand(chain, slips, answer):
    assert totals(chain, slips) == answer


def test_questions():
    task = Chains(("+", "-*", "#"), 2, 4, size=300)
    seen = {}
    for problem in map(task.at, range(300)):
        chain = problem.input.rstrip(".=")
        assert len(problem.input) == 10 and problem.input[-1] == "="
        assert set(chain[1::2]) <= set(problem.columns["kind"]) and all(1 <= int(c) <= 4 for c in chain[2::2])
        assert problem.answer == totals(chain) and len(problem.answer) == len(chain) // 2
        seen.setdefault(problem.columns["kind"], set()).add((len(chain) // 2, *sorted(set(chain[1::2]))))
    assert set(seen) == {"+", "-*", "#"} and {length for length, *_ in seen["#"]} == {2, 3, 4}
    assert (2, "*", "-") in seen["-*"]
    assert task.reward([problem, problem], [problem.answer, problem.answer + "0"]).tolist() == [1, 0]


def test_splits_share_no_question():
    train, test = ({task.at(i).input for i in range(400)} for task in (Chains(split=s) for s in ("train", "test")))
    assert len(train) > 350 and len(test) > 350 and not train & test
    assert Chains(size=5).at(4) == Chains().at(4)


def test_the_tool_finds_it():
    assert load_task("chains(shortest=2, longest=2)").at(0).input.count(".") == 0


@pytest.mark.parametrize(
    "settings", [{"kinds": ("+/",)}, {"kinds": ()}, {"shortest": 0}, {"longest": 2}, {"split": "x"}]
)
def test_what_is_refused(settings):
    with pytest.raises(UserError, match=r"kinds are made of|a chain has an operator|chains have the splits"):
        Chains(**settings)
    with pytest.raises(IndexError):
        Chains(size=5).at(5)
