"""Reward models fitted by maximum likelihood: losses by hand, and a rule that is learned."""

import math

import pytest
import torch

from rlft.errors import UserError
from rlft.rewards.learned.fitting import Demonstrated, Fitting, Labelled, Preference, fit, logits_of, loss_of
from tests.models.small_readers import small_reader

QUICK = Fitting(epochs=4, lr=3e-2, batch=16)


def read(*numbers):
    """What a reader says of texts, each of one token."""
    return lambda texts: torch.tensor(
        [[numbers[text[0]]] if isinstance(numbers[0], float) else numbers[text[0]] for text in texts]
    )


def test_preferences_are_bradley_terrys():
    rows = [([[0], [1]], 0), ([[2], [0]], 0)]
    logits = logits_of(small_reader(), rows, read(math.log(3), 0.0, 0.0))
    assert loss_of(logits, rows).item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2, rel=1e-6)


def test_a_demonstration_is_told_from_what_was_drawn():
    """Scores log 3, 0 and log 2 of three texts: the first one of 3 + 1 + 2, and the second one of as many."""
    rows = [([[0], [1], [2]], 0), ([[1], [2], [0]], 0)]
    logits = logits_of(small_reader(), rows, read(math.log(3), 0.0, math.log(2)))
    assert loss_of(logits, rows).item() == pytest.approx((math.log(6 / 3) + math.log(6 / 1)) / 2, rel=1e-6)
    # with one drawn it is a preference
    pair = [([[0], [1]], 0)]
    assert loss_of(logits_of(small_reader(), pair, read(math.log(3), 0.0)), pair).item() == pytest.approx(
        math.log(4 / 3), rel=1e-6
    )
    with pytest.raises(UserError, match="got 1, 2"):
        fit(small_reader(), [Demonstrated("1", "a", ("b",)), Demonstrated("2", "a", ("b", "c"))])
    with pytest.raises(UserError, match="a scorer has one label"):
        fit(small_reader(3), [Demonstrated("1", "a", ("b",))])


def test_preferences_in_order_weigh_less_by_focal():
    """p = 3/4 counts a quarter at exponent 2, p = 1/4 wholly."""
    rows = [([[0], [1]], 0), ([[2], [0]], 0)]
    logits = logits_of(small_reader(), rows, read(math.log(3), 0.0, 0.0))
    assert loss_of(logits, rows, 2.0).item() == pytest.approx((math.log(4 / 3) / 4 + math.log(4)) / 2, rel=1e-6)
    with pytest.raises(UserError, match="focal"):
        Fitting(focal=-1.0)


def test_one_label_is_a_sigmoid_and_several_are_a_softmax():
    rows = [([[0]], 1), ([[1]], 0)]
    one = loss_of(logits_of(small_reader(), rows, read(math.log(3), 0.0)), rows)
    assert one.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, rel=1e-6)
    said = read([0.0, math.log(2), 0.0], [math.log(6), 0.0, 0.0])
    several = loss_of(logits_of(small_reader(3), rows, said), rows)
    assert several.item() == pytest.approx((math.log(4 / 2) + math.log(8 / 6)) / 2, rel=1e-6)


def test_a_step_raises_the_chosen_and_lowers_the_rejected():
    reader = small_reader()
    examples = [Preference("1", "ab", "ba")]
    rows = [reader.shown("1", text) for text in ("ab", "ba")]
    before = reader.read(rows)[:, 0]
    found = fit(reader, examples, Fitting(lr=1e-3, held_out=0.0))
    assert (found.examples, found.calibrated, found.measured, found.held_out) == (1, 0, 1, False)
    after = reader.read(rows)[:, 0]
    assert (after[0] - after[1]) > (before[0] - before[1])


def letters(count, noise=0):
    """The longer one is preferred; of every `noise`-th pair the shorter."""
    pairs = [(f"{n % 10}", "abcdefgh"[: n % 6 + 2], "a" * (n % 2 + 1)) for n in range(count)]
    turned = [(p, r, c) if noise and n % noise == 0 else (p, c, r) for n, (p, c, r) in enumerate(pairs)]
    return [Preference(f"{prompt}{n}", chosen, rejected) for n, (prompt, chosen, rejected) in enumerate(turned)]


def test_a_preference_is_learned_and_what_it_says_is_calibrated():
    """A quarter of the pairs is the wrong way round, so that a confident scorer is wrong too often."""
    reader = small_reader()
    told = Fitting(epochs=4, lr=3e-2, batch=16, held_out=0.5)
    found = fit(reader, letters(240, noise=4), told)
    assert 100 < found.examples < 140
    assert found.examples + found.calibrated + found.measured == 240
    assert found.held_out
    assert 0.6 < found.accuracy < 0.9
    short, long = (reader.read([reader.shown("5", text)])[0, 0] for text in ("a", "abcdef"))
    assert long > short
    reader.divide(1 / 10)  # far too sure of itself
    again = fit(reader, letters(240, noise=4), Fitting(lr=1e-9, held_out=0.5))
    assert again.ece_before > 0.1
    assert again.ece < 0.05
    assert again.temperature == pytest.approx(10, rel=0.01)
    now = [reader.read([reader.shown("5", text)])[0, 0] for text in ("a", "abcdef")]
    torch.testing.assert_close(torch.stack(now), torch.stack([short, long]), rtol=0.01, atol=0.01)


def test_labels_are_learned():
    reader = small_reader(2)
    examples = [Labelled(f"{n}", "ab" if n % 2 else "ba", n % 2) for n in range(80)]
    found = fit(reader, examples, QUICK)
    assert found.accuracy == 1.0
    assert reader.read([reader.shown("7", "ab")]).argmax() == 1


def test_the_same_again():
    told = {"lr": 1e-3, "held_out": 0.0}
    one, two = (fit(small_reader(), letters(40), Fitting(**told)) for _ in range(2))
    assert one == two
    other = fit(small_reader(), letters(40), Fitting(**told, seed=1))
    assert other.loss != one.loss


def test_what_cannot_be_fitted_is_refused():
    reader = small_reader(context=8)
    for examples, words in (
        ([], "no examples"),
        ([Preference("1", "a", "b"), Labelled("1", "a", 0)], "all demonstrations or all labels"),
        ([Preference("1", "a" * 9, "b")], "11 tokens"),
        ([Labelled("1", "a", 2)], "label 2 is none of the 2"),
    ):
        with pytest.raises(UserError, match=words):
            fit(reader, examples)
    with pytest.raises(UserError, match="all preferences"):
        fit(small_reader(2), [Preference("1", "a", "b")])
    with pytest.raises(UserError, match="held_out"):
        Fitting(held_out=1.0)
