"""What runs beside the mathematics reward: the fast parser gives the slow one's trees, and what is around the judge."""

from types import SimpleNamespace

import pytest
import sympy
from antlr4.atn.PredictionMode import PredictionMode

from rlft.rewards import mathematics_child
from rlft.rewards.reading import read
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
