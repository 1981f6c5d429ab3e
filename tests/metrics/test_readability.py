"""What is counted, word for word, and the two formulas."""

import math

import pytest

from rlft.metrics import ease, grade
from rlft.metrics.readability import in_words, lengths, syllables


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("The cat sat.", (1, 3, 3)),
        ("He took 12.5 mg.", (1, 6, 6)),  # twelve point five
        ("It cost 1,250 in 1999!", (1, 14, 20)),
        ("Dr. Hall came. She left, e.g. at night.", (2, 8, 8)),
        ("Take:\n- one pill\n- two pills\n2. water", (4, 6, 7)),
        ("Is it? Yes... No!", (3, 4, 4)),
        ("the doctor's note . it ended", (2, 5, 7)),
        ("", (0, 0, 0)),
        ("?! ...", (0, 0, 0)),
    ],
)
def test_lengths(text, counted):
    assert lengths(text) == counted


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "cat make here fire the whole played loved raised times agreed"),
        (2, "table doctor people hundred boxes needed houses quiet being question swelling kidney"),
        (3, "physician medicine discomfort cardiac idea area radio opinion simplified"),
        (4, "medication abdominal ibuprofen pulmonary administered evaluate"),
        (5, "approximately alleviated"),
    ],
)
def test_syllables(count, words):
    for word in words.split():
        said = count if word != "agreed" else 2
        assert syllables(word) == said, word


def test_numbers_as_they_are_said():
    assert in_words("0") == "zero" and in_words("13") == "thirteen" and in_words("40") == "forty"
    assert in_words("12.05") == "twelve point zero five"
    assert in_words("1,250") == "one thousand two hundred fifty"
    assert in_words("2000001") == "two million one"
    assert in_words("1" * 16).split()[:2] == ["one", "one"]  # one digit after the other


def test_the_formulas():
    # one word of one syllable: 0.39 + 11.8 - 15.59 and 206.835 - 1.015 - 84.6
    assert float(grade(["cat"])[0]) == pytest.approx(-3.4)
    assert float(ease(["cat"])[0]) == pytest.approx(121.22)
    # two sentences, eight words, ten syllables
    assert float(grade(["The cat sat on mats. Doctor Hall left."])[0]) == pytest.approx(0.39 * 4 + 11.8 * 9 / 8 - 15.59)
    assert math.isnan(float(grade([""])[0]))


def test_longer_words_and_sentences_are_harder():
    hard = "The physician administered medication, which alleviated abdominal discomfort."
    plain = "The doctor gave a drug. It eased the belly pain."
    assert grade([hard])[0] > grade([plain])[0] + 5
    assert ease([hard])[0] < ease([plain])[0]
