"""The mathematics reward: what is an answer, what is equal, and that nothing hangs."""

import math as numeric
import signal
import threading

import pytest

from rlft.rewards import math
from rlft.rewards.mathematics import RULES, _verifier, compared, judged, marked_answer
from rlft.types import Problem, Text
from tests.rewards.mathematics_cases import cases

nan = float("nan")


@pytest.fixture(scope="module")
def table():
    """(case, verdict) of the whole table, in one batch and so in one process."""
    found = cases()
    return list(zip(found, judged([(gold, completion) for _, gold, completion, _ in found], 5.0), strict=True))


def test_the_table_is_large_and_mixed(table):
    assert len(table) >= 400
    assert len({kind for (kind, *_), _ in table}) >= 35


def test_nothing_wrong_is_right(table):
    assert [(case, str(verdict)) for case, verdict in table if verdict.score == 1 and case[3] != 1] == []


def test_at_most_two_in_a_hundred_right_ones_are_missed(table):
    right = [(case, verdict) for case, verdict in table if case[3] == 1]
    missed = [(case, str(verdict)) for case, verdict in right if verdict.score != 1]
    assert len(missed) <= 0.02 * len(right), missed


def test_what_cannot_be_judged(table):
    found = [(case, str(verdict)) for case, verdict in table if numeric.isnan(verdict.score) != numeric.isnan(case[3])]
    assert found == []


def test_a_gold_answer_equals_itself(table):
    golds = sorted({gold for (_, gold, _, _), _ in table if "####" not in gold and "\n" not in gold})
    pairs = [(gold, rf"\boxed{{{gold}}}") for gold in golds]
    missed = [pair for pair, verdict in zip(pairs, judged(pairs, 5.0), strict=True) if verdict.score != 1]
    assert missed == []


def test_most_rules_decide_somewhere(table):
    expected = {
        "no answer", "same text", "plain numbers", "times and ratios", "lists of numbers", "same words", "other words",
        "words against mathematics", "Math-Verify", "other values", "relative error", "multiples of an equation",
    }  # fmt: skip
    assert {verdict.rule for _, verdict in table} >= expected
    assert all(rule.__doc__ for rule in RULES)


def score(gold, output, **settings):
    return float(math(**settings)([Problem(index=0, input="?", answer=gold)], [Text(output)])[0])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"first \boxed{3}, then \boxed{4}", "4"),
        (r"\boxed{3} or rather #### 4", "4"),
        (r"#### 4 or rather \boxed{3}", "3"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{3} and \boxed{4", "3"),
        ("<think>#### 3</think><answer> 4\n</answer>", "4"),
        (r"<answer>\boxed{5}</answer>", "5"),
        ("The answer is 3. I hope so, 4 times.", "3"),
        ("Answer: $3.50 a piece\n4", "$3.50 a piece"),
        ("The final answer is:\n\n7", "7"),
        (r"\boxed{}", ""),
        ("no answer here", None),
    ],
)
def test_the_last_marked_answer_counts(text, answer):
    assert marked_answer(text) == answer


@pytest.mark.parametrize(
    ("gold", "output"),
    [
        ("She has 2 and 40.\n#### 42", "42"), ("#### 1,234", "1234"), ("1234", "#### 1,234.00"), (r"\boxed{42}", "42."),
        (42, "It costs $42!"), ("70000", "a profit of $70,000"), ("-3", "it is −3"), 
        ("9", "6+3=<<6+3=9>>9 times"),
        ("18", "The answer is **18** dollars."), ("0.5", "0.50"), ("0.3333333", "0.33333331"), ("7", "10 - 3 = 7"),
        ("18", "<think>20</think><answer>18</answer>"), ("0", "-0"), ("3", "I have 4, you have 3"),
    ],
)  # fmt: skip
def test_plain_numbers_are_equal(gold, output, monkeypatch):
    monkeypatch.setattr(_verifier, "ask_all", lambda questions, seconds: [*questions] and pytest.fail("asked"))
    assert score(gold, output) == 1


@pytest.mark.parametrize(
    ("gold", "output"),
    [
        ("#### 42", "43"), ("42", "#### 42 or #### 24"), ("1234", "1,234,000"), ("0.333", "0.334"), ("3", "-3"),
        ("42", ""), ("42", "forty-two"), ("42", r"\boxed{}"), ("3", r"3 it is, \boxed{4}"),
    ],
)  # fmt: skip
def test_plain_numbers_are_not_equal(gold, output, monkeypatch):
    monkeypatch.setattr(_verifier, "ask_all", lambda questions, seconds: [*questions] and pytest.fail("asked"))
    assert score(gold, output) == 0


@pytest.mark.parametrize(
    ("gold", "output", "expected"),
    [
        (r"\frac{1}{2}", "The answer is 0.5", 1), ("1/2", r"\boxed{\frac{2}{4}}", 1), ("x^2+1", r"\boxed{1+x^2}", 1),
        ("x^2+1", "x^2 + 2", 0), (r"2\sqrt{3}", r"so $\sqrt{12}$", 1), ("2", r"\boxed{2\sqrt{3}}", 0),
        ("(1,2)", "(1, 2)", 1),
        ("(1,2)", "(1, 3)", 0), ("50", "50%", 1), ("0.5", "50%", 1), ("5 cm", "5", 1), ("90", r"\boxed{90^\circ}", 1),
        # the last number is only a part of these
        ("2", "it is 1/2", 0), ("2", "it is x^2", 0), ("3", "10 - 3", 0), ("-3", "10 -3", 0),
        ("2", r"$\frac{1}{2}$", 0),
        # nothing to compare with
        ("two dozens", "24", nan), (None, "24", nan),
    ],
)  # fmt: skip
def test_expressions(gold, output, expected):
    assert score(gold, output) == pytest.approx(expected, nan_ok=True)


def test_what_takes_for_ever_costs_its_row_and_no_alarm():
    before = signal.getsignal(signal.SIGALRM)
    tower = r"\boxed{9^{9^{9^{9}}}}"
    outputs = [Text(text) for text in (r"\boxed{\frac{9}{1} \cdot 1}", tower, r"\boxed{3^2}", "3")]
    problems = [Problem(index=0, input="?", answer="9")] * 4
    assert math(seconds=0.3)(problems, outputs).tolist() == [1, 0, 1, 0]  # its row, and no other of its batch
    assert score(r"\frac{3}{4}", "6/8") == 1  # and the next is judged again
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_gold_answer_that_takes_for_ever_is_well_formed_all_the_same():
    assert score("9^{9^{9^{9}}}", r"\boxed{8^{9^{9^{9}}}}", seconds=0.3) == 0
    assert score("9^{9^{9^{9}}}", r"\boxed{9^{9^{9^{9}}}}", seconds=0.3) == 1


@pytest.mark.parametrize(
    ("gold", "output", "expected"),
    [
        ("7", r"\boxed{7}", 1), ("7", r"\boxed{9-2}", 0), ("7", r"\boxed{7, 8}", 0), ("7", r"\boxed{14/2}", 0),
        ("7", r"\boxed{\sqrt{49}}", 0), ("7", r"\boxed{7 \text{ apples}}", 1), ("7", "9 - 2 = 7", 1), ("7", "", 0),
        (r"\frac{1}{2}", "1/2", 1), ("0.5", "50%", 1), ("7", r"\boxed{8}", 0), ("x^2", r"\boxed{7}", nan),
    ],
)  # fmt: skip
def test_a_number_only(gold, output, expected, monkeypatch):
    monkeypatch.setattr(_verifier, "ask_all", lambda questions, seconds: [*questions] and pytest.fail("asked"))
    assert compared(gold, output, 5.0, number=True) == pytest.approx(expected, nan_ok=True)
    assert score(gold, output, number=True) == pytest.approx(expected, nan_ok=True)


def test_each_question_is_asked_once(monkeypatch):
    asked = []
    monkeypatch.setattr(_verifier, "ask_all", lambda questions, seconds: asked.append(questions) or [
        (True, "rule", "a", "b") for _ in questions])  # fmt: skip
    pairs = [(r"17\sqrt{3}", r"\boxed{\sqrt{867}}")] * 3 + [("3", "3")]
    assert [verdict.score for verdict in judged(pairs, 4.25)] == [1, 1, 1, 1]
    assert asked == [[(r"17\sqrt{3}", r"\sqrt{867}")], []]
    judged(pairs, 4.25)
    assert asked[2:] == [[], []]  # known by now


def test_it_explains():
    reward = math()
    said = reward.explain(Problem(0, "?", r"2\sqrt{3}"), Text(r"so \boxed{\sqrt{12}} it is"))
    assert said == r"'\sqrt{12}' (box) is sqrt(12), gold '2\sqrt{3}' is 2*sqrt(3): Math-Verify"
    said = reward.explain(Problem(0, "?", "5 m"), Text("The answer is 500 cm."))
    assert said == "'500 cm' (sentence) is 500 [length], gold '5 m' is 5 [length]: plain numbers"


def test_off_the_main_thread():
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(score(rf"\frac{{{n}}}{{8}}", f"{n / 8}"))) for n in (1, 3, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1]
