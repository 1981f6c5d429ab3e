"""SARI by hand, in both versions, and what the two are known to say of one published example."""

import pytest

from rlft.errors import UserError
from rlft.metrics import corpus_sari, sari, whitespace

SOURCE = "About 95 species are currently accepted."
OUTPUT = "About 95 you now get in."
REFERENCES = [
    "About 95 species are currently known.",
    "About 95 species are now accepted.",
    "95 species are now accepted.",
]


def test_the_published_example():
    # documented with Hugging Face's metric; EASSE's of the same row
    assert float(sari([SOURCE], [OUTPUT], [REFERENCES]).mean()) == pytest.approx(0.269536, abs=1e-6)
    assert float(corpus_sari([SOURCE], [OUTPUT], [REFERENCES]).mean()) == pytest.approx(0.313502, abs=1e-6)


def test_by_hand():
    """Source `a b`, output `a c`, reference `a d`: of single words a is kept rightly, b deleted rightly, c added
    wrongly; of pairs `a b` is deleted rightly, `a c` added wrongly, and nothing is to be kept; longer ones: nothing."""
    found = sari(["a b"], ["a c"], ["a d"], tokenizer=whitespace)
    assert [float(part) for part in found] == pytest.approx([(0 + 0 + 1 + 1) / 4, 1.0, 1.0])
    found = corpus_sari(["a b"], ["a c"], ["a d"], tokenizer=whitespace)
    assert [float(part) for part in found] == pytest.approx([0.0, 1 / 4, 2 / 4])


def test_half_of_the_references_keep_a_word():
    """Source `a b`, output `a`, references `a` and `b`: single words a: kept, in one of two references, precision 1/2,
    recall 1/(1 + 1); b: deleted, one of two references has it, so 1/2 of it is right."""
    found = sari(["a b"], ["a"], [["a", "b"]], tokenizer=whitespace)
    assert float(found.keep) == pytest.approx((1 / 2 + 1 + 1 + 1) / 4)
    assert float(found.delete) == pytest.approx((1 / 2 + 1 + 1 + 1) / 4)


def test_the_reference_itself_and_the_source_again():
    assert float(sari(["a b c d e"], ["a b x d"], ["a b x d"]).mean()) == 1
    assert float(sari(["a"], ["a"], ["a"]).mean()) == 1
    again = sari(["a b c d e"], ["a b c d e"], ["a b x d"])
    assert float(again.add) == 0 and float(again.delete) == 1  # nothing is deleted, and 0/0 is 1
    assert float(corpus_sari(["a b c d e"], ["a b c d e"], ["a b x d"]).delete) == 0  # here it is 0


def test_rows_stand_alone_and_a_corpus_adds_up():
    sources, outputs, references = ["a b", "c d e"], ["a x", "c d"], ["a y", "c e"]
    each = sari(sources, outputs, references).mean()
    assert each.shape == (2,)
    assert float(each[1]) == float(sari(sources[1:], outputs[1:], references[1:]).mean())
    twice = corpus_sari(sources * 2, outputs * 2, references * 2).mean()
    assert float(twice) == pytest.approx(float(corpus_sari(sources, outputs, references).mean()))


def test_capitals_and_marks():
    assert float(sari(["The end."], ["the end ."], ["THE END."]).mean()) == 1
    assert float(sari(["The end."], ["the end ."], ["THE END."], lowercase=False).mean()) < 1


def test_what_is_refused():
    with pytest.raises(UserError, match="2 sources, 1 outputs"):
        sari(["a", "b"], ["a"], ["a", "b"])
    with pytest.raises(UserError, match="a row has none"):
        sari(["a"], ["a"], [[]])
