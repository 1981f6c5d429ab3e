"""Probabilities of words that may come next."""

import pytest
import torch

from rlft.errors import UserError
from rlft.models.next_token import NextWord
from rlft.models.small_language import small_llama, word_tokenizer

WORDS = ["yes", " yes", "Yes", "no", "a", "b", "c", "?", " "]


def speaker(chat=False):
    tokenizer = word_tokenizer(WORDS)
    if chat:
        tokenizer.chat_template = (
            "{% for m in messages %}{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}?{% endif %}"
        )
    return NextWord(
        small_llama(len(tokenizer), width=16, layers=1, heads=2, context=16, seed=1), tokenizer, ("yes", "no")
    )


def test_spellings_of_a_word_are_one():
    """yes, " yes" and Yes are tokens 3, 4 and 5, after three special ones; no is 6."""
    assert speaker().words == [[3, 4, 5], [6]]
    with pytest.raises(UserError, match="'abc' is not one token"):
        NextWord(speaker().model, speaker().tokenizer, ("abc",))


def test_probabilities_are_the_models_own_in_any_batch():
    asked = speaker()
    rows = [asked.shown(text) for text in ("a?", "abcabc?", "b", "cabcab")]
    with torch.no_grad():
        last = [asked.model(input_ids=torch.tensor([row])).logits[0, -1].softmax(-1) for row in rows]
    expected = torch.stack([torch.stack([p[3] + p[4] + p[5], p[6]]) for p in last])
    assert (expected[0] - expected[1]).abs().max() > 1e-4
    for batch in (1, 2, 4):
        torch.testing.assert_close(asked.likely(rows, batch), expected, atol=1e-6, rtol=1e-5)


def test_a_chat_template_waits_for_the_answer():
    assert speaker().shown("ab") == [1, 7, 8]
    assert speaker(chat=True).shown("ab") == [7, 8, 10]


def test_folders(tmp_path):
    asked = speaker()
    asked.model.save_pretrained(tmp_path)
    asked.tokenizer.save_pretrained(tmp_path)
    loaded = NextWord.load(str(tmp_path), ("yes", "no"), device="cpu")
    rows = [asked.shown("abc?")]
    torch.testing.assert_close(loaded.likely(rows), asked.likely(rows))
    assert not any(weight.requires_grad for weight in loaded.model.parameters())
    with pytest.raises(UserError, match="no language model"):
        NextWord.load(str(tmp_path / "other"), ("yes", "no"))
