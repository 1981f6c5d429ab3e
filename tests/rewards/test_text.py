"""Rewards of text: hand-made cases, and the edit distance against the textbook's table."""

import random

import pytest
import torch

from rlft.rewards import choice, concluded, exact, format, regex, similarity
from rlft.rewards.text import levenshtein
from rlft.types import Problem, Text, UserError

nan = float("nan")


def scores(reward, pairs):
    """The rewards of (answer, completion) pairs."""
    problems = [Problem(index=i, input="?", answer=answer) for i, (answer, _) in enumerate(pairs)]
    result = reward(problems, [Text(output) for _, output in pairs])
    assert result.dtype == torch.float32
    return result.tolist()


def test_exact():
    pairs = [("yes", " yes\n"), ("yes", "Yes"), (19, "19"), ("yes", "no"), (None, "")]
    assert scores(exact(), pairs) == pytest.approx([1, 0, 1, 0, nan], nan_ok=True)
    assert scores(exact(strip=False), pairs[:2]) == [0, 0]
    assert scores(exact(case=False), pairs[:2]) == [1, 1]


def test_a_conclusion_without_a_word_before_it_is_paid_half():
    said = {
        "<think>a</think>2<answer>2</answer>": 1.0,
        "<think>a</think><answer>2</answer>": 0.5,
        "<think>a</think>\n <answer> 2 </answer>": 0.5,
        "<think>a</think>2": 1.0,
        "<answer>2</answer>": 1.0,
        "2": 1.0,
        "<think>2</think>2<answer>1</answer>": 0.0,
        "<think>2</think><answer>1</answer>": 0.0,
    }
    pairs = [("2", output) for output in said]
    assert scores(concluded(), pairs) == list(said.values())
    assert scores(concluded(bare=0.25), pairs[:3]) == [1.0, 0.25, 0.25]
    assert scores(concluded(bare=1.0), pairs) == [float(value > 0) for value in said.values()]
    assert scores(concluded(), [(None, "2")]) == pytest.approx([nan], nan_ok=True)


@pytest.mark.parametrize(
    "output",
    ["B", "b", "(b)", "B. Paris", "**B**", "B) Paris, because", r"\boxed{B}", r"A? No: \boxed{\text{B}}", "#### B",
     "I doubt A. The answer is (B).", "Answer: B", "<answer> b </answer>", "It is not (A), it is (B) after all",
     "A train leaves. So I choose B.", "Between A and C lies\nB", "answer: **b**",
     "B。不是 A", "选B", "答案是B。", "（B）", "Ｂ", "B、巴黎", "B：巴黎", "因此选 B。", "我选择B，因为A不对",
     "B是对的", "答案是B，不是A。", "I choose B because A is worse.", "The answer is B. This answer is verified.",
     "*B*", "So it is B. It fits.", "Answer: B, not A", "Answer: (B) because (A) is wrong", "The answer is option B.",
     r"\boxed{\textbf{(B)}\ 12}"],
)  # fmt: skip
def test_choice_is_found(output):
    assert scores(choice(), [("B", output), ("(B)", output), ("B. Paris", output), ("C", output)]) == [1, 1, 1, 0]


@pytest.mark.parametrize(
    "output",
    ["", "A train leaves at noon", "Because", "I would say", "The answer is Paris", "The answer is a train.",
     r"\boxed{A or B}", r"\boxed{A, B}", "<answer>A and B</answer>", "答案是A或B"],
)  # fmt: skip
def test_no_choice(output):
    assert scores(choice(), [(letter, output) for letter in "ABCD"]) == [0, 0, 0, 0]


def test_choice_without_a_gold_letter():
    assert scores(choice("AB"), [("C", "C"), (None, "A"), ("A", "A")]) == pytest.approx([nan, nan, 1], nan_ok=True)
    with pytest.raises(UserError, match="different letters"):
        choice("AAB")


def test_format_is_of_all_and_regex_of_a_part():
    good = "<think>1\n2</think>\n<answer>3</answer>"
    pairs = [(None, good), (None, f" {good}\n"), (None, f"so {good}"), (None, f"{good} so")]
    assert scores(format(), pairs) == [1, 1, 0, 0]
    assert scores(regex(r"<answer>\d</answer>"), pairs) == [1, 1, 1, 1]
    assert scores(regex("1.2.*so$"), pairs) == [0, 0, 0, 1]
    with pytest.raises(UserError, match="not a regular expression"):
        regex("(")


def test_format_counts_what_the_prompt_has_opened():
    rest = " because</think><answer>3</answer>"
    chat = [{"role": "user", "content": "how many?"}, {"role": "assistant", "content": "<think>\n"}]
    prompts = ["how many? <think>", "how many? <think>\n", chat, "how many?", "a <think> within", 3]
    problems = [Problem(index=0, input=prompt) for prompt in prompts]
    assert format()(problems, [Text(rest)] * 6).tolist() == [1, 1, 1, 0, 0, 0]
    assert format()(problems, [Text("<think>" + rest)] * 6).tolist() == [1] * 6  # written again
    assert format(opened="<think>\n")(problems, [Text(rest)] * 6).tolist() == [1] * 6


def test_choice_explains():
    said = choice().explain(Problem(index=0, input="?", answer="B"), Text("(A)"))
    assert said == "chooses A, the answer is B"


def test_similarity():
    # kitten -> sitting: two substitutions and an insertion, 3 of 7
    pairs = [("sitting", "kitten"), ("a b c", "a x c d"), ("same", "same "), ("", ""), ("abc", ""), (None, "x")]
    assert scores(similarity(), pairs[:1]) == pytest.approx([4 / 7])
    assert scores(similarity(unit="words"), pairs[1:2]) == [0.5]
    assert scores(similarity(), pairs[2:]) == pytest.approx([1, 1, 0, nan], nan_ok=True)
    with pytest.raises(UserError, match="tokens"):
        similarity(unit="tokens")


def test_levenshtein_is_that_of_the_table():
    def table(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            last, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
        return row[-1]

    draw, seen = random.Random(3), set()
    for _ in range(300):
        a, b = ([draw.choice("abc") for _ in range(draw.randrange(90))] for _ in range(2))
        assert levenshtein(a, b) == table(a, b)
        seen.add(table(a, b))
    assert len(seen) > 30


def test_a_choice_may_be_paid_and_punished():
    """A letter that is missing is a wrong one; without a gold letter nothing is said."""
    rows = [Problem(0, "", "B"), Problem(1, "", "B"), Problem(2, "", "B"), Problem(3, "", None)]
    found = choice(right=0.1, wrong=-1.0)(rows, ["so, B", "so, C", "I do not know.", "B"])
    torch.testing.assert_close(found, torch.tensor([0.1, -1.0, -1.0, torch.nan]), equal_nan=True)
