"""Orders and deliveries, their errors and critiques, by hand."""

import pytest

from rlft.errors import UserError
from rlft.tasks.flawed import KINDS, LOOKS, PLACES, Flawed, compared, errors, read, unit_f1, written
from rlft.types import Problem, Text

ASKED = "1rgsstt2ggmmqq3bbssoq="
UNITS = frozenset({("1", "C"), ("3", "F")})
ONE = Problem(0, ASKED, columns={"units": tuple(sorted(UNITS))})


def test_the_example():
    assert written(ASKED, UNITS) == "1rgCss.tt.2gg.mm.qq.3bb.ss.oqF"
    assert read("1rgCss.tt.2gg.mm.qq.3bb.ss.oqF") == UNITS
    assert read("1rgCss.tt.2ggCmm.qqF3bb.ss.oq.") == {("1", "C"), ("2", "C"), ("2", "F")}
    assert read("1rg.ss.tt.2gg.mm.qq.3bb.ss.oq.") == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1rgCss.tt.",
        "2gg.mm.qq.1rgCss.tt.3bb.ss.oqF",
        "1rgCss.tt.2gg.mm.qq.3bb.ss.oqF.",
        "1rgSss.tt.2gg.mm.qq.3bb.ss.oqF",
    ],
)
def test_what_is_no_critique(text):
    assert read(text) is None
    assert unit_f1()([ONE], [Text(text, (0,))]).item() == 0


def test_what_is_earned():
    """F1 = 2 right / (said + true); what is retold does not count, what did not end earns nothing."""
    texts = [
        "1rgCss.tt.2gg.mm.qq.3bb.ss.oqF",
        "1rrCss.tt.2gg.mm.qq.3bb.ss.oq.",
        "1rgCss.tt.2gg.mmSqq.3bbCss.oqF",
        "1rg.ss.tt.2gg.mm.qq.3bb.ss.oq.",
    ]
    earned = unit_f1()([ONE] * 4, [Text(text, (0,)) for text in texts])
    assert earned.tolist() == pytest.approx([1, 2 / 3, 4 / 6, 0])
    assert unit_f1()([ONE], [Text(texts[0], (0,), truncated=True)]).item() == 0


def test_errors_are_what_differs():
    """One piece in three is wrong, each kind as often, and a gold critique earns all."""
    problems = [Flawed().at(index) for index in range(4000)]
    for problem in problems:
        asked = problem.input
        differs = {
            (place, kind)
            for number, place in enumerate(PLACES)
            for at, kind in enumerate(KINDS)
            if asked[7 * number + 1 + 2 * at] != asked[7 * number + 2 + 2 * at]
        }
        assert errors(problem) == differs and compared(problem, problem.answer).f1 == 1
        assert all(asked[7 * n + 1 + 2 * at] in looks for n in range(3) for at, looks in enumerate(LOOKS))
    for kind in KINDS:
        count = sum(unit[1] == kind for problem in problems for unit in errors(problem))
        assert count / 12000 == pytest.approx(1 / 9, abs=0.01)


def test_splits_share_no_order():
    def ordered(split):
        asked = [Flawed(300, split).at(index).input for index in range(300)]
        return {"".join(one[7 * n + 1 : 7 * n + 7 : 2] for n in range(3)) for one in asked}

    assert not ordered("train") & ordered("test")
    with pytest.raises(UserError, match="splits"):
        Flawed(split="dev")
    with pytest.raises(IndexError):
        Flawed(3).at(3)
