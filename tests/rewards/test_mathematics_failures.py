"""Seven ways in which verifiers of mathematics have failed, as MATH-Beyond (arXiv:2510.11653) tells them apart."""

import pytest

from rlft.rewards import math
from rlft.types import Problem, Text

CASES = {
    "the first box for the last": [
        ("4", r"First \boxed{3}, and so \boxed{4}", 1),
        ("3", r"First \boxed{3}, and so \boxed{4}", 0),
    ],
    "a value on the way": [
        ("42", r"So $x = 42$, and $x - 25 = 17$. \boxed{17}", 0),
        ("17", r"So $x = 42$, and $x - 25 = 17$. \boxed{17}", 1),
        ("42", "So x = 42. Then x - 25 = 17. The answer is 17.", 0),
    ],
    "an answer that is overwritten": [
        ("7", "The answer is 5. I forgot 2 of them. The answer is 7.", 1),
        ("5", "The answer is 5. I forgot 2 of them. The answer is 7.", 0),
    ],
    "a correction of its own": [
        ("7", r"\boxed{5}. Wait, 2 are missing: \boxed{7}", 1),
        ("5", r"\boxed{5}. Wait, 2 are missing: \boxed{7}", 0),
        # It has to mark the answer anew.
        ("5", r"\boxed{5}. Wait, it is 7.", 1),
    ],
    "the order of a tuple": [
        ("(1,2)", r"\boxed{(2,1)}", 0),
        ("(1,2)", r"$x = 1$, $y = 2$, so \boxed{(1, 2)}", 1),
        ("(3,1,2)", r"\boxed{(1,2,3)}", 0),
    ],
    "nothing that marks it": [
        ("42", "so it is 42", 1),
        ("42", r"we have $6 \cdot 7 = 42$", 1),
        ("42", r"we have $6 \cdot 7 = 41$", 0),
    ],
    "a letter for its text": [
        ("B", r"\boxed{B}", 1),
        ("B", r"\boxed{\text{(B)}}", 1),
        ("B", "The answer is B.", 1),
        ("B", r"\boxed{C}", 0),
        ("42", r"\boxed{B}", 0),
        ("B", r"\boxed{42}", 0),
        # Which letter stands for which text only the question says.
        ("(B) 42", r"\boxed{(B) 42}", 1),
        ("B", r"\boxed{\textbf{(C) } 42}", 0),
        ("B", r"\boxed{\textbf{(B) } 42}", 1),
        ("B", r"\boxed{\text{(B)}\ x^2+1}", 1),
        ("(B) 42", r"\boxed{B}", 1),
        ("(B) 42", r"\boxed{C}", 0),
        ("(B) 42", r"\boxed{(B) 43}", 0),
        ("(A)(B)", r"\boxed{A}", 0),
    ],
}


@pytest.mark.parametrize("failure", CASES)
def test_it_does_not_fail_so(failure):
    golds, outputs, expected = zip(*CASES[failure], strict=True)
    problems = [Problem(row, "?", gold) for row, gold in enumerate(golds)]
    assert math()(problems, [Text(output) for output in outputs]).tolist() == list(expected)
