"""The grammar: what is plain, what stays, and splits that share nothing."""

import pytest

from rlft.errors import UserError
from rlft.metrics import grade, sari
from rlft.models.small_language import word_tokenizer
from rlft.tasks.medical import MARK, PLACES, Medical, hard_left, said, words, written


def test_a_sentence():
    problem = Medical().at(0)
    made, source = problem.columns["meaning"], problem.columns["source"]
    assert problem.input == source + MARK
    assert hard_left(made, written(made)) == 1 and hard_left(made, problem.answer) == 0
    assert 0 < hard_left(made, source) < 1
    assert said(made, problem.answer) == said(made, source) == 1
    assert all(f" {fact} " in text for fact in problem.columns["facts"] for text in (source, problem.answer))


def test_the_oracle_and_the_source():
    problems = [Medical("test").at(index) for index in range(50)]
    sources, answers = [p.columns["source"] for p in problems], [p.answer for p in problems]
    assert bool((sari(sources, answers, answers).mean() == 1).all())
    assert float(sari(sources, sources, answers).mean().mean()) < 0.6
    assert float((grade(sources) - grade(answers)).mean()) > 5


def test_splits_share_no_sentence():
    train = {Medical().at(index).input for index in range(500)}
    test = {Medical("test").at(index).input for index in range(500)}
    assert not train & test and len(train) == 500


def test_seven_places_in_ten_are_hard():
    problems = [Medical().at(index) for index in range(400)]
    share = sum(hard_left(p.columns["meaning"], p.columns["source"]) for p in problems) / 400
    assert share == pytest.approx(0.7, abs=0.03)


def test_every_sentence_has_tokens():
    tokenizer = word_tokenizer(words())
    for index in range(100):
        problem = Medical().at(index)
        assert tokenizer.decode(tokenizer(problem.input)["input_ids"][1:]) == problem.input
    assert len(PLACES) == 9


def test_what_is_refused():
    with pytest.raises(UserError, match="medical sentences have the splits"):
        Medical("dev")
    with pytest.raises(IndexError):
        Medical("test", 3).at(3)
