"""Which spans of a text can be masked, how a reply chooses one, and that nothing of it is left, by hand."""

from dataclasses import replace

import pytest

from rlft.collect.masks import ASKED, CHOSEN, PREDICTED, Masking, Span, text_of
from rlft.noise import hashed
from rlft.types import Problem, UserError

TEXT = "The art of Paris: party in paris, art for the arty Parisian {text}."
MASKING = Masking(often=4)


def said(span):
    return None if span is None else TEXT[slice(*span)]


def test_its_words():
    """Each once, where it stands first. The mask's own word could not be hidden, nor what stands there too often."""
    found = [said(span) for span in MASKING.words(TEXT)]
    assert found == [
        "The",
        "of",
        "Paris",
        "party",
        "in",
        "for",
        "arty",
        "Parisian",
        "text",
    ]  # "art" is there four times
    assert "art" in [said(span) for span in Masking(often=5).words(TEXT)]
    assert [TEXT[slice(*one)] for one in Masking(mask="[text]").words(TEXT)].count("text") == 0
    assert Masking(word=r"\w").words("天天地") == [Span(0, 1), Span(2, 3)]
    assert Masking(word=r"\w*").words("..") == []


@pytest.mark.parametrize(
    ("reply", "span"),
    [
        ("<mask>Paris</mask>", "Paris"),
        ("I think <mask>of</mask>, or rather <mask>in paris</mask>.", "in paris"),  # the last is meant
        ("<mask>art of Paris: party in</mask>", "art of Paris: party in"),  # five words
        ("<mask>art of Paris: party in paris</mask>", None),  # six
        ("<mask>PARIS</mask>", None),  # does not stand there so
        ("<mask>Par</mask>", None),  # no whole word
        ("<mask>paris,</mask>", None),
        ("<mask> of</mask>", None),
        ("<mask>art</mask>", None),  # too often
        ("<mask></mask>", None),
        ("<mask>London</mask>", None),
        ("Paris", None),
        ("", None),
    ],
)
def test_how_a_reply_chooses(reply, span):
    found = MASKING.read(TEXT, reply)
    assert said(found) == span
    assert found is None or TEXT.index(span) == found.begin


def test_a_span_stands_where_it_is_whole():
    """`art` first stands inside a word, where it is none."""
    assert Masking().read("party of art", "<mask>art</mask>") == Span(9, 12)


def test_nothing_leaks():
    """Whatever span of texts by lot: what is shown does not have it, in capitals or not, inside a word or not."""
    letters, count = "aAbB .,", 0
    for number in range(300):
        text = "".join(letters[hashed("leak", number, place) % len(letters)] for place in range(24))
        for span in Masking(mask="[ab]").words(text):
            word = text[slice(*span)]
            shown = Masking(mask="[ab]").hidden(text, span)
            assert word.lower() not in shown.lower() and "[ab]" in shown
            count += 1
    assert count > 100
    span = MASKING.read(TEXT, "<mask>Paris</mask>")
    assert MASKING.hidden(TEXT, span) == "The art of [mask]: party in [mask], art for the arty [mask]ian {text}."


def test_what_is_asked():
    problem = Problem(3, TEXT, "answer", {"a": 1}, "books", "train", 2, "shown")
    asked = MASKING.question(problem)
    assert asked.input == ASKED.replace("{text}", TEXT) and asked.answer is None
    assert asked.key == ("books/mask", "train", 3, 2)
    told = MASKING.prediction(problem, Span(11, 16), 4)
    hidden = "The art of [mask]: party in [mask], art for the arty [mask]ian {text}."  # what is said is not read again
    assert told.input == PREDICTED.replace("{mask}", "[mask]").replace("{text}", hidden, 1)
    assert told.answer == "Paris" and told.demonstration is None and told.columns == {"a": 1}
    assert told.key == ("books/masked-4", "train", 3, 2)
    assert MASKING.whole(problem).input == PREDICTED.replace("{mask}", "[mask]").replace("{text}", TEXT, 1)
    chat = replace(problem, input=[{"role": "system", "content": "s"}, {"role": "user", "content": TEXT}])
    assert text_of(chat) == TEXT
    assert MASKING.question(chat).input == [chat.input[0], {"role": "user", "content": asked.input}]
    with pytest.raises(UserError, match="problem 3 of books is not a text"):
        text_of(replace(problem, input=[{"role": "user", "content": [{"type": "image"}]}]))


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"asked": "which word?"}, "asked shows the text"),
        ({"predicted": "{mask}?"}, "predicted shows the text"),
        ({"chosen": r"\w+"}, "chosen needs one group"),
        ({"chosen": r"(\w+"}, "chosen is no regular expression"),
        ({"word": "["}, "word is no regular expression"),
        ({"mask": ""}, "mask is what stands"),
        ({"longest": 0}, "longest is at least 1"),
        ({"often": 1}, "often at least 2"),
    ],
)
def test_what_cannot_be(told, fault):
    with pytest.raises(UserError, match=fault):
        Masking(**told)
    assert Masking().chosen == CHOSEN
