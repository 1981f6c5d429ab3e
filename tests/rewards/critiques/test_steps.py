"""Texts cut into steps."""

import pytest

from rlft.errors import UserError
from rlft.rewards.critiques.steps import Steps, numbered


def parts(text, ends=None):
    steps = Steps() if ends is None else Steps(ends)
    return [text[begin:end] for begin, end in steps.of(text)]


def test_at_blank_lines():
    assert parts("one\n\ntwo\nmore\n \nthree") == ["one\n\n", "two\nmore\n \n", "three"]
    assert parts("one") == ["one"] and parts("") == [] and parts(" \n\n ") == []


@pytest.mark.parametrize("text", ["a\n\nb", "\n\na\n\n\n\nb\n\n", "x\n\n \n\ny", "a\n\n  "])
def test_every_character_is_in_one_step(text):
    assert "".join(parts(text)) == text
    assert all(part.strip() for part in parts(text))


def test_behind_a_pattern_that_takes_no_room():
    assert parts("a71b13=3", r"(?<=\d\d)(?=[a-h=])") == ["a71", "b13", "=3"]
    assert parts("x=1. y=2.", r"\.") == ["x=1.", " y=2."]
    with pytest.raises(UserError, match="no regular expression"):
        Steps("(")


def test_numbered():
    assert numbered(["one\n\n", " two"]) == "Step 1: one\nStep 2: two"
