"""The mathematics reward: what is an answer, what is equal, and that nothing hangs."""

import signal
import threading

import pytest

from rlft.rewards import math
from rlft.rewards.mathematics import _verifier, marked_answer
from rlft.types import Problem, Text

nan = float("nan")


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
    monkeypatch.setattr(_verifier, "ask", None)  # all of these are decided here
    assert score(gold, output) == 1


@pytest.mark.parametrize(
    ("gold", "output"),
    [
        ("#### 42", "43"), ("42", "#### 42 or #### 24"), ("1234", "1,234,000"), ("0.333", "0.334"), ("3", "-3"),
        ("42", ""), ("42", "forty-two"), ("42", r"\boxed{}"), ("3", r"3 it is, \boxed{4}"),
    ],
)  # fmt: skip
def test_plain_numbers_are_not_equal(gold, output, monkeypatch):
    monkeypatch.setattr(_verifier, "ask", None)
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
        ("two dozens", "24", nan), ("Evelyn", "Evelyn", nan), (None, "24", nan),
    ],
)  # fmt: skip
def test_expressions(gold, output, expected):
    assert score(gold, output) == pytest.approx(expected, nan_ok=True)


def test_what_takes_for_ever_costs_its_row_and_no_alarm():
    before = signal.getsignal(signal.SIGALRM)
    assert score("9", r"\boxed{9^{9^{9^{9}}}}", seconds=0.3) != score("9", r"\boxed{9^{9^{9^{9}}}}", seconds=0.3)  # NaN
    assert score(r"\frac{3}{4}", "3/4") == 1  # and the next is judged again
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


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
