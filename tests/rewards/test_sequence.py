"""Rewards made of metrics: the numbers are the metrics', rows without references are NaN, ids are never decoded."""

from __future__ import annotations

import pytest
import torch

from rlft.metrics import ids, mteval_13a, sentence_bleu, wer, whitespace
from rlft.options.reward import load_reward
from rlft.rewards import bleu, chrf, gleu, repetition, rouge, self_bleu
from rlft.rewards.sequence import bleu_per_token, for_trl, for_verl
from rlft.training.score import score
from rlft.types import Problem, Text, UserError

PROBLEMS = [
    Problem(0, "?", "the cat sat on the mat"),
    Problem(1, "?", ["a dog ran home", "the dog ran"]),
    Problem(2, "?", None),
]
OUTPUTS = [Text("the cat sat on a mat"), Text("the dog ran home"), Text("whatever")]


def test_rewards_are_the_metrics():
    found = bleu(tokenizer="whitespace")(PROBLEMS, OUTPUTS)
    given = ids(OUTPUTS[:2], [["the cat sat on the mat"], ["a dog ran home", "the dog ran"]], whitespace)
    assert found[:2].tolist() == sentence_bleu(**given).float().tolist()
    assert 0.4 < found[0] < found[1] < 1
    assert found[2].isnan()
    assert gleu(tokenizer="whitespace", max_n=1)(PROBLEMS, OUTPUTS)[0] == pytest.approx(5 / 6)
    assert rouge(kind=1, tokenizer="whitespace")(PROBLEMS, OUTPUTS)[1] == pytest.approx(6 / 7)
    assert rouge(kind="L", tokenizer="whitespace")(PROBLEMS, OUTPUTS)[0] == pytest.approx(5 / 6)
    assert 0.5 < chrf()(PROBLEMS, OUTPUTS)[0] < 1 and chrf()(PROBLEMS, OUTPUTS)[2].isnan()
    assert repetition(n=1, tokenizer="whitespace")(PROBLEMS[:1], [Text("a b a b")]).tolist() == [-0.5]
    same = self_bleu(group_size=2, tokenizer="char")(PROBLEMS[:1] * 4, ["abcd", "abcd", "abcd", "efgh"])
    assert same.tolist() == [-1, -1, 0, 0]


@pytest.mark.parametrize("answer", [None, [], [None]])
def test_rows_without_answers_are_not_scored(answer):
    problems, outputs = [Problem(0, "x", answer=answer)] * 2, [Text("a b", (1,)), Text("", ())]
    for reward in (
        bleu(tokenizer="13a"),
        gleu(tokenizer="char"),
        rouge(kind=2, tokenizer="13a"),
        rouge(kind="L", tokenizer="13a"),
        rouge(kind="Lsum", tokenizer="13a"),
        chrf(word_order=2),
    ):
        assert reward(problems, outputs).isnan().all()
    # one of two references is missing: the other counts
    assert bleu(tokenizer="13a")([Problem(0, "x", answer=[None, "a b"])], ["a b"]).tolist() == [1]


def test_case_can_be_ignored():
    problems, outputs = [Problem(0, "x", answer=["The CAT\nsat", "x"])], ["the cat\nSAT"]
    for reward in (
        lambda **k: bleu(tokenizer="13a", **k),
        lambda **k: gleu(tokenizer="13a", **k),
        lambda **k: rouge(kind=1, tokenizer="13a", **k),
        lambda **k: rouge(kind="L", tokenizer="13a", **k),
        lambda **k: rouge(kind="Lsum", tokenizer="13a", **k),
        lambda **k: chrf(**k),
    ):
        assert reward(case=False)(problems, outputs).tolist() == [1]
        assert reward()(problems, outputs) < 0.5
    assert load_reward("rouge(kind='Lsum', tokenizer='whitespace', case=False)")(problems, outputs).tolist() == [1]


def test_rewards_by_name():
    named = load_reward("bleu(tokenizer='whitespace', preset='nltk', smoothing='floor')")
    assert (
        named(PROBLEMS, OUTPUTS)[1]
        == bleu(tokenizer=whitespace, preset="nltk", smoothing="floor")(PROBLEMS, OUTPUTS)[1]
    )
    with pytest.raises(UserError, match="unknown tokenizer 'words'"):
        load_reward("bleu(tokenizer='words')")
    with pytest.raises(UserError, match="rouge needs kind"):
        rouge(kind=0, tokenizer="char")


def encode(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def spoken(text: str) -> Text:
    return Text(text, [*encode(text), 2])


def test_tokens_earn_what_they_add():
    reward = bleu_per_token(encode=encode, ignore=[2])
    problems = [Problem(0, "?", "abcde"), Problem(1, "?", ["xy", "abxy"]), Problem(2, "?", None)]
    outputs = [spoken("abcxe"), spoken("ab"), spoken("abc")]
    rows = reward(problems, outputs)
    assert [len(row) for row in rows] == [6, 3, 4]
    whole = bleu(tokenizer="char")(problems, outputs)
    assert [row.sum().item() for row in rows[:2]] == pytest.approx(whole[:2].tolist())
    assert rows[0][5] == 0 and rows[0][3] < rows[0][2] and rows[2].isnan().all()
    scored = score(reward, problems, outputs, decisions=8)
    assert scored.at is not None and scored.at.shape == (3, 8)
    assert scored.total[:2].tolist() == pytest.approx(whole[:2].tolist())


def test_for_trl_and_verl():
    calls: list[str] = []

    def once(text: str) -> list[int]:
        calls.append(text)
        return encode(text)

    reward = for_trl(sentence_bleu, encode=once, column="reference", ignore=[2])
    own = [[*encode("abcde"), 2], [*encode("abxde"), 2, 2], encode("zz")]
    columns = {"prompts": ["?"] * 3, "completions": ["…"] * 3, "trainer_state": None}
    found = reward(**columns, completion_ids=own, reference=["abcde", "abcde", None])
    assert found[0] == 1.0 and 0.3 < found[1] < 0.8 and found[2] is None
    again = reward(**columns, completions_ids=own, reference=[encode("abcde"), ["abcde", "q"], []])
    assert again[:2] == found[:2]
    assert calls == ["abcde", "q"]
    with pytest.raises(UserError, match="needs completion_ids"):
        reward(completions=["a"], reference=["b"])

    compute_score = for_verl(sentence_bleu, tokenizer="13a")
    text, truth = "A cat, sat on the mat.", "The cat sat, on the mat."
    alone = compute_score("data", text, truth, None)
    assert alone == pytest.approx(float(sentence_bleu(**ids([text], [truth], mteval_13a))))
    many = compute_score(data_sources=["d"] * 2, solution_strs=[text, truth], ground_truths=[truth, [truth, "x"]])
    assert many == pytest.approx([alone, 1.0])
    assert torch.tensor(many).std() > 0.1


def test_verl_without_a_truth_scores_as_among_others():
    """The metric's own score of an absent reference, alone as in a batch."""
    for metric, expected in ((sentence_bleu, 0.0), (wer, 2.0)):
        compute_score = for_verl(metric, tokenizer="whitespace")
        for truth in (None, [], [None]):
            assert compute_score("d", "two words", truth) == expected
            many = compute_score(data_sources=["d"] * 2, solution_strs=["two words", None], ground_truths=[truth, "a"])
            assert many == [expected, float(metric is wer)]
        assert compute_score(data_sources=[], solution_strs=[], ground_truths=[]) == []
    assert for_verl(sentence_bleu, tokenizer="char")("d", "7", 7) == 1
