"""What runs beside the mathematics reward: the fast parser gives the slow one's trees, and what is around the judge."""

from types import SimpleNamespace

import pytest
import sympy
from antlr4.atn.PredictionMode import PredictionMode
from math_verify import parse, verify

from rlft.rewards.mathematics import judged
from rlft.rewards.reading import read
from rlft.sandbox import mathematics_child
from tests.rewards.mathematics_cases import cases


def test_two_stage_parsing_gives_the_same_trees(monkeypatch):
    golds = dict.fromkeys(read(gold).expression for kind, gold, _, _ in cases() if kind not in ("words", "gsm8k"))
    texts = [text for text in golds if text and not text.isdigit()][::4]
    fast = [list(map(sympy.srepr, mathematics_child.parsed(text))) for text in texts]
    full = SimpleNamespace(SLL=PredictionMode.LL, LL=PredictionMode.LL)
    monkeypatch.setattr(mathematics_child, "PredictionMode", full)
    mathematics_child.parsed.cache_clear()
    slow = [list(map(sympy.srepr, mathematics_child.parsed(text + " "))) for text in texts]
    assert fast == slow
    assert len(texts) > 25 and sum(map(bool, fast)) > 20


@pytest.mark.parametrize(
    ("gold", "given", "verdict"),
    [
        ("5", "5", (True, "Math-Verify", "5", "5")),
        ("2 x = 4", "4 x = 8", (True, "multiples of an equation", "Eq(2*x, 4)", "Eq(4*x, 8)")),
        ("10^{-31}", "10^{-19}", (False, "other values", "10**(-31)", "10**(-19)")),
        ("0.0000002, x", "0.0000003, x", (False, "relative error", "{2.0e-7, x}", "{3.0e-7, x}")),
        ("10^{-9}", "0.000000001", (True, "Math-Verify", "10**(-9)", "1.00000000000000e-9")),
        ("(", "5", (None, "the gold answer cannot be read", "", "5")),
        ("5", "(", (False, "the answer cannot be read", "5", "")),
        ("5", None, (False, "the answer cannot be read", "5", "")),
    ],
)
def test_rules_around_the_judge(gold, given, verdict):
    assert mathematics_child.answer(gold, given) == verdict


def test_plain_numbers_are_judged_as_math_verify_judges_them():
    """Nothing about numbers in English notation is decided otherwise by the rule that spares asking."""
    numbers = ["0", "-3", "3", "7", "50", "1000", "1,000", "0.5", "0.50", "2.5", "0.333333", "0.33", "1/2", "5/2"]
    numbers += [r"\frac{1}{2}", r"\frac{1}{3}", r"\frac{-6}{2}", r"50\%", r"5\%", r"2\frac{1}{2}", "0.05", "1/7"]
    pairs = [(gold, given) for gold in numbers for given in numbers]
    verdicts = judged([(gold, rf"\boxed{{{given}}}") for gold, given in pairs], 5.0)
    assert {verdict.rule for verdict in verdicts} == {"plain numbers", "same text"}
    parsed = {number: parse(f"${number}$", parsing_timeout=None) for number in numbers}
    by_judge = [verify(parsed[gold], parsed[given], timeout_seconds=None) for gold, given in pairs]
    assert [pair for pair, v, judge in zip(pairs, verdicts, by_judge, strict=True) if bool(v.score) != judge] == []
