"""Translations: a corpus as sacrebleu scores it, queries by hand, baselines without a model, and the reward."""

import pytest
import sacrebleu
import torch

from rlft.environments.lookup import Dictionary
from rlft.errors import UserError
from rlft.metrics import corpus_chrf
from rlft.training.score import score
from rlft.types import Message, Problem, Text, Transcript
from rlft.worlds.translated import baselines, corpus_scores, translation, translation_measures, word_for_word

TEXTS = ["the cat sat on the mat today", "wasita rikuni, ari.", "", "one two"]
ANSWERS = ["the cat sat on a mat today", "wasitam rikuni, ari.", "nothing here", "three four five"]


def test_a_corpus_is_scored_as_sacrebleu_scores_it():
    scores = corpus_scores(TEXTS, ANSWERS)
    assert scores["bleu"] * 100 == pytest.approx(sacrebleu.corpus_bleu(TEXTS, [ANSWERS]).score, abs=1e-6)
    assert scores["chrf"] * 100 == pytest.approx(sacrebleu.corpus_chrf(TEXTS, [ANSWERS]).score, abs=1e-6)
    assert 0 < scores["bleu"] < scores["chrf"] < 1
    plus = corpus_chrf(TEXTS, ANSWERS, word_order=2, max_n=4, beta=3.0)
    there = sacrebleu.corpus_chrf(TEXTS, [ANSWERS], word_order=2, char_order=4, beta=3).score
    assert float(plus) * 100 == pytest.approx(there, abs=1e-6)


def test_queries_are_counted_by_what_the_training_text_lacks():
    dictionary = Dictionary([("perro", "allqu"), ("gato", "misi"), ("casa", "wasi")])
    problems = [Problem(0, " el perro y el gato\n", "allqu misi"), Problem(1, " la casa azul\n", "wasi anqas")]
    rows = [
        Transcript("<answer> allqu misi", messages=[
            Message("assistant", "<query> perro el vaca"),
            Message("tool", "perro: allqu"),
            Message("assistant", "<answer> allqu misi"),
        ]),
        Transcript("<answer> wa", truncated=True, messages=[
            Message("assistant", "<query> Azul"),
            Message("tool", "-", failed=True),
            Message("assistant", "<answer> wa"),
        ]),
    ]  # fmt: skip
    found = translation_measures({"el", "y", "la", "casa"}, dictionary)(problems, rows)
    assert found["valid"] == 0.5
    assert found["queries"] == 2.0  # 3 and 1
    assert found["letters"] == 10 / 20  # the second row was cut off and counts as empty
    assert found["found"] == 0.25  # perro
    assert found["new"] == 0.5  # perro and azul; vaca is not in the sentence
    assert found["new_asked"] == 0.5  # perro of perro and gato; azul has no entry
    assert found["chrf/new"] == 1.0  # the first sentence alone
    assert found["chrf"] < 1.0


def test_without_new_words_there_is_no_share_of_them():
    dictionary = Dictionary([("perro", "allqu")])
    found = translation_measures({"perro"}, dictionary)([Problem(0, " perro\n", "allqu")], [Text("<answer> allqu")])
    assert "new_asked" not in found and "chrf/new" not in found
    assert (found["valid"], found["queries"], found["new"], found["bleu"]) == (1.0, 0.0, 0.0, 0.0)
    assert found["chrf"] == 1.0


def test_baselines_need_no_model():
    dictionary = Dictionary([("perro", "allqu"), ("perro", "alqo")])
    assert word_for_word("un perro!", dictionary) == "un allqu"
    found = baselines([Problem(0, " un perro\n", "un allqu")], dictionary)
    assert found["words/chrf"] == 1.0
    assert 0 < found["copy/chrf"] < 1


def test_shares_of_sentence_bleu_and_chrf_of_what_stands_in_the_tags():
    answer, said = "the cat sat on the mat", "the cat sat on a mat"
    problems = [Problem(i, "x", answer) for i in range(4)]
    texts = [f"<answer> {said}</answer> more", said, f"<answer>{said}", f"<answer> {answer}"]
    outputs = [Text(text, truncated=i == 2) for i, text in enumerate(texts)]
    parts = translation(bleu_share=0.3)(problems, outputs)
    bleu = sacrebleu.sentence_bleu(said, [answer]).score / 100
    chrf = sacrebleu.sentence_chrf(said, [answer]).score / 100
    assert parts["bleu"].tolist() == pytest.approx([0.3 * bleu, 0, 0, 0.3], abs=1e-6)
    assert parts["chrf"].tolist() == pytest.approx([0.7 * chrf, 0, 0, 0.7], abs=1e-6)
    assert parts.watch["valid"].tolist() == [1, 0, 0, 1]
    assert 0 < bleu < chrf < 1
    total = score(translation(bleu_share=0.3), problems, outputs, 1).total
    assert torch.allclose(total, parts["bleu"] + parts["chrf"])


def test_one_of_the_two_alone():
    problems, outputs = [Problem(0, "x", "uno dos tres cuatro")], [Text("<answer> uno dos tres")]
    assert set(translation(bleu_share=1.0)(problems, outputs)) == {"bleu"}
    assert set(translation(bleu_share=0.0)(problems, outputs)) == {"chrf"}
    with pytest.raises(UserError, match="bleu_share"):
        translation(bleu_share=1.1)
