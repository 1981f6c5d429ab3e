"""How likely a wrong step is, and the right one, by hand."""

import math

import pytest
import torch

from rlft.measure.credit import Error, at_errors
from rlft.types import Problem
from rlft.worlds.characters import blank


def test_by_hand():
    """The sum over the step's tokens alone, of log-probabilities behind question and kept text, in the mean."""
    policy = blank("abq123;", 12, width=8, layers=1, context=24).double()
    errors = [
        Error(Problem(0, "q1"), "a1;", "b2;", "b33;"),
        Error(Problem(1, "q23"), "", "a3;", "a1;"),
    ]
    found = at_errors(errors)(policy)

    def log_p(text, step):
        tokens = policy.tokenizer(text + step)["input_ids"]
        with torch.no_grad():
            logp = policy.causal(torch.tensor([tokens])).logits[0].double().log_softmax(-1)
        first = len(policy.tokenizer(text)["input_ids"])
        return sum(float(logp[place - 1, tokens[place]]) for place in range(first, len(tokens)))

    wrong = (log_p("q1a1;", "b2;") + log_p("q23", "a3;")) / 2
    right = (log_p("q1a1;", "b33;") + log_p("q23", "a1;")) / 2
    assert found == pytest.approx({"wrong_step": wrong, "right_step": right, "right_odds": right - wrong}, abs=1e-9)
    assert abs(wrong - right) > 1e-3
    assert all(map(math.isnan, at_errors([])(policy).values()))
