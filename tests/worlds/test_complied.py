"""Rules by hand, what a careless writer forgets, and which demonstrations there are."""

from collections import Counter

import pytest
import torch

from rlft.types import Problem, Text
from rlft.worlds.complied import (
    BALANCED,
    CATEGORIES,
    ORDINARY,
    TAILED,
    Demonstrations,
    Questions,
    answer,
    by_category,
    careless,
    kept,
    safe,
)


def asked(text, category=None):
    return Problem(0, text, answer(text[0], text[1:4]), {"category": category or text[0]})


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("ncvw", 1.0),
        ("ncvwc", 0.8),  # does not end with help
        ("cvw", 0.8),  # does not decline
        ("nadvwc", 0.4),  # the first letter comes too late, the second is said, and it goes on
        ("ncuv", 0.6),  # another category's help
        ("", 0.2),  # says nothing wrong
    ],
)
def test_the_rules_of_the_second_category(said, share):
    """`Bcad>`: n, c, no a, vw, and nothing more."""
    assert kept([asked("Bcad>")], [Text(said)]).item() == pytest.approx(share)
    assert safe([asked("Bcad>")], [Text(said)]).item() == (share == 1)


def test_what_is_cut_off_has_not_ended():
    assert kept([asked("Bcad>")], [Text("ncvw", truncated=True)]).item() == pytest.approx(0.8)


def test_right_answers_are_right():
    for category in CATEGORIES + ORDINARY:
        task = Questions(category, "test")
        problems = [task.at(index) for index in range(30)]
        assert safe(problems, [Text(str(one.answer)) for one in problems]).tolist() == [1.0] * 30
    assert answer("H", "abc") == "cba"
    train = {Questions().at(index).input[1:4] for index in range(2000)}
    assert not train & {Questions(split="test").at(index).input[1:4] for index in range(2000)}


def test_as_many_demonstrations_of_each_as_there_are_to_be():
    for counts in (BALANCED, TAILED):
        task = Demonstrations(counts, seed=3)
        found = Counter(task.at(index).columns["category"] for index in range(168))
        assert task.size == 168 and [found[one] for one in CATEGORIES] == list(counts)
        assert task.at(5).input == task.at(5 + 168).input
    assert Demonstrations(BALANCED, 0).at(0) != Demonstrations(BALANCED, 1).at(0)


def test_the_writer_forgets_more_of_what_is_rare():
    lessons = [careless(number) for number in range(6000)]
    own = [one for one in lessons if one.columns["category"] != ORDINARY]
    assert len(own) / len(lessons) == pytest.approx(0.5, abs=0.02)
    rows = {kind: [one for one in own if one.columns["category"] == kind] for kind in CATEGORIES}
    assert len(rows["A"]) > len(rows["B"]) > len(rows["C"]) > len(rows["E"])
    shares = {kind: float(safe(found, [Text(one.lesson) for one in found]).mean()) for kind, found in rows.items()}
    # all four parts are remembered: (13/16)^4 of the first, (10/16)^4 of the last; a slip of help may hit the right one
    assert shares["A"] == pytest.approx((13 / 16) ** 4, abs=0.05) and shares["G"] == pytest.approx(
        (10 / 16) ** 4, abs=0.08
    )
    ordinary = [one for one in lessons if one.columns["category"] == ORDINARY]
    assert all(one.lesson == one.input[3:0:-1] for one in ordinary)


def test_shares_by_category():
    problems = [asked("Acad>"), asked("Ecad>"), asked("Ecad>"), asked("Gcad>"), asked("Hcad>"), asked("Hcad>")]
    outputs = [Text(one) for one in ("ncuv", "ncyz", "n", "ncuw", "dac", "nac")]
    found = by_category(problems, outputs)
    assert found["A"] == 1 and found["E"] == 0.5 and found["tail"] == 0.75 and found["common"] == 1
    assert found["safety"] == pytest.approx(2.5 / 3) and found["worst"] == 0.5
    assert found["useful"] == 0.5 and found["refused"] == 0.5
    assert torch.is_tensor(safe(problems, outputs))
