"""Formats and their numbers by hand; what becomes of shares, against enumeration and gradients."""

import math

import pytest
import torch

from rlft.chances import unbiased
from rlft.measure.formats import (
    Formats,
    by_format,
    converged,
    formats,
    imitated,
    leading,
    majority,
    most_accurate,
    pass_within,
    pushed,
    tallied,
    tilted,
    voted,
)
from rlft.types import Problem, Text, UserError

CODE = formats(["tool=<tool>", "code=^def "])
nan = math.nan


def test_a_text_is_in_the_first_format_that_fits():
    assert CODE.names == ("tool", "code", "other")
    assert CODE.of("so\ndef f(): pass") == "code"
    assert CODE.of("def f(): <tool>") == "tool"
    assert CODE.of("undef f()") == CODE.of("") == "other"
    overlapping = Formats((("a", lambda text: True), ("b", lambda text: True)), rest="text")
    assert overlapping.of("whatever") == "a"


@pytest.mark.parametrize("text", ["", "<tool>", "def ", "\n", "x" * 1000, "\0", "é def \ndef g"])
def test_every_text_is_in_one_format(text):
    told = tallied(CODE, [text], [True])
    assert sum(tally.rows for tally in told.values()) == 1 and CODE.of(text) in CODE.names


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ([], "no format was given"),
        (["code"], "'code' is no format: expected NAME=REGEX"),
        (["=x"], "is no format"),
        (["code="], "is no format"),
        (["code=("], "the regular expression of the format 'code' cannot be read"),
        (["a=x", "a=y"], "two formats are called 'a'"),
        (["other=x"], "two formats are called 'other'"),
    ],
)
def test_what_is_no_format(specs, said):
    with pytest.raises(UserError, match=said):
        formats(specs)


def test_shares_and_accuracies_by_hand():
    told = tallied(CODE, ["<tool>", "<tool> 1", "def f", "x", "y", "z"], [True, False, True, False, None, None])
    assert [(t.share, t.accuracy) for t in told.values()] == [(2 / 6, 1 / 2), (1 / 6, 1.0), (3 / 6, 0.0)]
    assert leading(told) == "other" and most_accurate(told) == "code" and most_accurate(told, least=2) == "tool"
    # pass@1 is the mean of the accuracies by the shares, of the rows that were judged
    judged = tallied(CODE, ["<tool>", "<tool> 1", "def f", "x"], [True, False, True, False])
    assert sum(t.share * t.accuracy for t in judged.values()) == 2 / 4
    empty = tallied(CODE, [], [])
    assert leading(empty) is None and most_accurate(empty) is None
    assert math.isnan(empty["tool"].share) and math.isnan(empty["tool"].accuracy)


def test_convergence():
    shares = [{"a": 0.5, "b": 0.5}, {"a": 0.11, "b": 0.89}, {"a": 0.1, "b": 0.9}, {"a": 1.0, "b": 0.0}]
    assert converged([0, 10, 20], shares[:3]) == (20, "b")
    assert converged([0, 10, 20], shares[:3], at=0.85) == (10, "b")
    assert converged([0, 10, 20, 30], shares) == (30, "a")  # what b had it has lost
    assert converged([0, 10], shares[:2]) is None and converged([], []) is None


def test_majority():
    assert majority(["7", "7", "3"], [True, True, False]) == 1
    assert majority(["7", "3", "3", None, None, None], [True, False, False, False, False, False]) == 0
    assert majority(["7", "3", "7", "3", "1"], [True, False, True, False, False]) == 0.5
    assert majority([None, None], [False, False]) == 0


def test_pass_within_a_format():
    assert pass_within([(4, 1), (2, 2), (1, 1)], 2) == pytest.approx((unbiased(1, 4, 2) + 1) / 2) == (0.5 + 1) / 2
    assert math.isnan(pass_within([(1, 1)], 2))


def test_as_a_measure():
    problems = [Problem(i // 2, "q", "1") for i in range(4)]
    texts = [Text(text, range(len(text))) for text in ("<tool>1", "1", "2", "def 2")]
    reward = lambda problems, outputs: torch.tensor([1.0, 1.0, 0.0, nan])  # noqa: E731
    told = by_format(CODE, reward)(problems, texts)
    assert (told["share/tool"], told["share/code"], told["share/other"], told["share"]) == (0.25, 0.25, 0.5, 0.5)
    assert (told["within/tool"], told["within/other"]) == (1, 0.5) and math.isnan(told["within/code"])
    assert voted(lambda text: text[-1], reward)(problems, texts) == {"majority": 0.5}


W, P = [0.5, 0.3, 0.2], [0.2, 0.6, 0.9]


@pytest.mark.parametrize("beta", [0.1, 0.5, 2.0])
def test_the_optimum_under_a_kl_penalty_is_that_of_all_outputs(beta):
    """Each format has right outputs and wrong ones, w p and w (1 - p) of the base; the best policy is the base times
    e^(R/beta), normalised (Korbak et al. 2022): summed over each format's outputs."""
    base = [(w * p, 1.0) for w, p in zip(W, P, strict=True)], [(w * (1 - p), 0.0) for w, p in zip(W, P, strict=True)]
    right, wrong = ([mass * math.exp(r / beta) for mass, r in side] for side in base)
    total = sum(right) + sum(wrong)
    expected = [(a + b) / total for a, b in zip(right, wrong, strict=True)]
    assert tilted(W, P, beta) == pytest.approx(expected, abs=1e-12)


def test_by_hand_and_at_its_ends():
    # e^(1/b) = 3: 1/2 (1 - .5 + 1.5) : 1/2 (1 - 0 + 0) = 1 : 1/2
    assert tilted([0.5, 0.5], [0.5, 0.0], 1 / math.log(3)) == pytest.approx([2 / 3, 1 / 3])
    assert tilted(W, P, 1e9) == pytest.approx(W)  # too dear to move
    assert tilted(W, P, 1e-4) == pytest.approx(imitated(W, P))  # as right rows alone; e^(1/beta) would overflow
    with pytest.raises(UserError, match="weight above 0; got 0"):
        tilted(W, P, 0.0)


def test_the_gradient_on_the_logits_of_formats():
    logits = torch.tensor(W, dtype=torch.float64).log().requires_grad_()
    (logits.softmax(0) * torch.tensor(P, dtype=torch.float64)).sum().backward()
    assert pushed(W, P) == pytest.approx(logits.grad.tolist(), abs=1e-15)
    assert sum(pushed(W, P)) == pytest.approx(0, abs=1e-15)


def test_expert_iteration_multiplies_odds():
    w = 1 / 64
    for rounds in range(1, 8):
        share, rest = imitated([w, 1 - w], [1.0, 0.5], rounds)
        assert share / rest == pytest.approx(w / (1 - w) * 2**rounds)
    # log2((1 - w)/w) rounds until both are a half
    assert imitated([w, 63 * w], [1.0, 0.5], 6)[0] > 0.5 > imitated([w, 63 * w], [1.0, 0.5], 5)[0]
    assert math.log2(63) == pytest.approx(5.977, abs=1e-3)
    with pytest.raises(UserError, match="no format is ever right"):
        imitated([0.5, 0.5], [0.0, 0.0])


def test_pass_at_k_may_fall_while_pass_at_1_rises():
    """Two formats, each of which solves one of two problems; the first does so always, the second every other time."""

    def chances(share):
        return [share, (1 - share) / 2]

    def pass_at(share, k):
        return sum(1 - (1 - p) ** k for p in chances(share)) / 2

    assert pass_at(0.99, 1) > pass_at(0.5, 1) and pass_at(0.99, 16) < pass_at(0.5, 16)
    assert (pass_at(0.5, 1), pass_at(0.99, 1)) == (pytest.approx(0.375), pytest.approx(0.4975))
