"""Parallel text from files, its splits, the made-up pair."""

import pytest

from rlft.environments.lookup import Dictionary, words_of
from rlft.errors import UserError
from rlft.worlds.made_language import made_entries, made_pairs
from rlft.worlds.parallel import Parallel, aligned, parted, tabbed


def test_lines_are_pairs_and_the_short_ones_entries(tmp_path):
    one, two = tmp_path / "a.es", tmp_path / "a.quy"
    one.write_text("\ufeffPerro.\n el perro  ladra \n\nel perro ladra\ncasa grande.\n", encoding="utf-8")
    two.write_text("allqu.\nallqu anyan\nx\nallqu anyan\nhatun wasi .\n")
    pairs = aligned(one, two)
    assert pairs == [("Perro.", "allqu."), ("el perro ladra", "allqu anyan"), ("casa grande.", "hatun wasi .")]
    assert parted(pairs, 1) == ([("Perro", "allqu")], pairs[1:])
    assert parted(pairs, 2) == ([("Perro", "allqu"), ("casa grande", "hatun wasi")], pairs[1:2])
    two.write_text("allqu.\n")
    with pytest.raises(UserError, match="5 lines and"):
        aligned(one, two)
    with pytest.raises(UserError, match="cannot read"):
        aligned(one, tmp_path / "none")


def test_a_dictionary_of_tabs(tmp_path):
    path = tmp_path / "d.tsv"
    path.write_text("perro\tallqu\tnoun\n\ncasa\twasi\n")
    assert tabbed(path) == [("perro", "allqu"), ("casa", "wasi")]
    path.write_text("perro allqu\n")
    with pytest.raises(UserError, match="entry 1 has no tab"):
        tabbed(path)


def test_splits_share_no_sentence_whatever_its_case_and_marks():
    pairs = [(f"Sentence number {i}!", str(i)) for i in range(200)] + [
        (f"sentence NUMBER {i}", "x") for i in range(200)
    ]
    train, test = (Parallel(pairs, split, 0.25) for split in ("train", "test"))
    assert train.size + test.size == 400 and 60 < test.size < 140
    sentences = [{tuple(words_of(split.at(i).input)) for i in range(split.size)} for split in (train, test)]
    assert not sentences[0] & sentences[1]
    first = test.at(0)
    assert (first.input, first.split, first.answer) == (f" {test.pairs[0][0]}\n", "test", test.pairs[0][1])
    for wrong in ({"split": "dev"}, {"held_out": 0.0}):
        with pytest.raises(UserError):
            Parallel(pairs, **wrong)


def test_the_made_up_pair_is_regular_and_its_dictionary_has_more_than_the_text():
    """Every target word is an entry's translation and suffixes; the verb is last; the object is marked."""
    pairs, entries = made_pairs(300), made_entries()
    stems = {target for _, target in entries}
    known = {word for source, _ in pairs for word in source.split()}
    assert len({source for source, _ in entries}) == len(stems) == len(entries) == 900
    assert 0.3 < sum(source in known for source, _ in entries) / 900 < 0.7
    for source, target in pairs:
        words = target.split()
        assert all(word[:4] in stems and word[4:] in ("", "bo", "ka", "hi", "ng", "bong") for word in words), target
        assert sum(word.endswith("ng") for word in words) == 1 and words[-1][4:] in ("", "ka", "hi")
        content = [word for word in source.split() if len(word) == 4]
        assert len(content) == len(words)
        translated = {Dictionary(entries).find(word, 1)[0][1] for word in content[:1]}
        assert translated <= {word[:4] for word in words}
