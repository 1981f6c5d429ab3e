"""Rows of MedQA, MedMCQA and MMLU, invented ones, as prompts and letters."""

import json

import pytest

from rlft.rewards.text import choice
from rlft.tasks.files import Files
from rlft.tasks.multiple_choice import ASKED
from rlft.types import Text, UserError

QUESTION = "A 30-year-old gardener has a rash. What is it?"
TEXTS = ["Nettle", "Sunburn", "Hives", "Mites"]
OPTIONS = dict(zip("ABCD", TEXTS, strict=True))
PROMPT = f"{QUESTION}\nA. Nettle\nB. Sunburn\nC. Hives\nD. Mites\n{ASKED}"
MEDQA = {"question": QUESTION, "answer": "Hives", "options": OPTIONS, "meta_info": "step1", "answer_idx": "C"}


def place(cop, **more):
    return {
        "id": "x",
        "question": f" {QUESTION} ",
        **dict(zip(("opa", "opb", "opc", "opd"), TEXTS, strict=True)),
        "cop": cop,
        **more,
    }


@pytest.mark.parametrize(
    "row",
    [
        MEDQA,
        {**MEDQA, "options": [{"key": letter, "value": text} for letter, text in OPTIONS.items()]},
        {**MEDQA, "options": {"key": list(OPTIONS), "value": TEXTS}},
        {"question": QUESTION, "options": OPTIONS, "answer": "C"},
        {"question": QUESTION, "options": OPTIONS, "answer": "Hives"},
        {"question": QUESTION, "options": TEXTS, "answer": "Hives"},
        {"question": QUESTION, "choices": TEXTS, "answer": 2},
        {"question": QUESTION, "options": {**OPTIONS, "E": None}, "answer_idx": "C"},
    ],
)
def test_every_way_to_write_it(row):
    problem = Files([row]).at(0)
    assert (problem.input, problem.answer) == (PROMPT, "C")
    assert problem.columns["question"] == QUESTION  # all columns stay
    said = [Text("A rash that itches … \\boxed{C}"), Text("The answer is B."), Text("Hives")]
    assert choice()([problem] * 3, said).tolist() == [1.0, 0.0, 0.0]


def test_a_file_of_lines(tmp_path):
    file = tmp_path / "medqa.jsonl"
    five = {**MEDQA, "options": {**OPTIONS, "E": "Ivy"}, "answer": "Ivy", "answer_idx": "E"}
    file.write_text("".join(json.dumps(row) + "\n" for row in (MEDQA, five)))
    first, second = (Files(file).at(index) for index in (0, 1))
    assert (first.answer, second.answer) == ("C", "E") and second.input.splitlines()[5] == "E. Ivy"
    assert choice("ABCDE")([second], [Text("E")]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("cops", "letters"),
    [((1, 2, 3, 4), "ABCD"), ((0, 2, 1, 3), "ACBD"), ((0, -1), ["A", None]), ((4, None), ["D", None]), ((-1,), [None])],
)
def test_places_that_count_from_one_or_from_nought(cops, letters):
    task = Files([place(cop) for cop in cops])
    assert [task.at(index).answer for index in range(len(cops))] == list(letters)
    assert task.at(0).input == PROMPT


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([place(2), place(3)], "neither 0 nor 4"),
        ([place(0), place(4)], "both 0 and 4"),
        ([place(7)], "0 to 3 or 1 to 4; got 7"),
        ([{**MEDQA, "answer_idx": "F"}], "row 1 .*'F' is no option"),
        ([{"question": QUESTION, "options": ["a", "a"], "answer": "a"}], "more than one option"),
        ([{"question": QUESTION, "choices": TEXTS, "answer": -1}], "-1 is no place among 4"),
        ([MEDQA, {"question": QUESTION, "answer": "C"}], "row 2 is not written as the first"),
    ],
)
def test_what_cannot_be_read(rows, said):
    with pytest.raises(UserError, match=said):
        Files(rows)


def test_a_guess_pays_one_in_so_many():
    """Of the four letters, one is right."""
    problem = Files([MEDQA]).at(0)
    assert choice()([problem] * 4, [Text(letter) for letter in "ABCD"]).mean() == 1 / 4


def test_another_column_as_the_prompt_is_left_as_it_is():
    assert Files([MEDQA], prompt="question").at(0).input == QUESTION
