"""Prompts for judges."""

import pytest

from rlft.errors import UserError
from rlft.rewards.judging.asked import Template, template
from rlft.types import Problem

ROW = Problem(0, "What is 2 + 2?", "4", {"level": 3, "extra_info": {"index": 9}})


def test_fields_are_filled_in_at_once():
    """A completion that names a field is shown as it is."""
    text = Template("{prompt} | {answer} | {completion} | {level} | {extra_info.index}").filled(
        ROW, "{answer} {prompt}"
    )
    assert text == "What is 2 + 2? | 4 | {answer} {prompt} | 3 | 9"


def test_the_final_answer_stands_behind_the_thoughts():
    shown = Template("[{final}]")
    assert shown.filled(ROW, "<think>5?</think>\n4") == "[\n4]"
    assert shown.filled(ROW, "<think>5?") == "[]"
    assert shown.filled(ROW, "4") == "[4]"


def test_other_braces_stay():
    text = Template(r'x{final}{answer} Write \boxed{score} and {"a": 1} and \frac{x}{y}').filled(ROW, "4")
    assert text == r'x44 Write \boxed{score} and {"a": 1} and \frac{x}{y}'


def test_a_conversation_is_shown_with_its_roles():
    asked = Problem(0, [{"role": "system", "content": "be short"}, {"role": "user", "content": "2 + 2?"}])
    assert Template("{prompt} {completion}").filled(asked, "4") == "system: be short\nuser: 2 + 2? 4"


def test_a_file_or_the_text(tmp_path):
    (tmp_path / "judge.txt").write_text("Right? {completion}")
    assert template(str(tmp_path / "judge.txt")).text == template("Right? {completion}").text == "Right? {completion}"
    with pytest.raises(UserError, match="nor a file"):
        template(str(tmp_path / "other.txt"))
    (tmp_path / "empty.txt").write_text("Right? {answer}")
    with pytest.raises(UserError, match="nothing to judge"):
        template(str(tmp_path / "empty.txt"))


def test_a_row_without_the_field():
    with pytest.raises(UserError, match="only prompt, completion, final, answer, level, extra_info"):
        Template("{completion} {anwser}").filled(ROW, "4")
    with pytest.raises(UserError, match="prompt asks for"):
        Template("{completion} {answer}").filled(Problem(0, "?"), "4")
