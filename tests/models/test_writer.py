"""Replies of a causal model: drawn as its own probabilities say, whatever stands beside them."""

from collections import Counter

import pytest
import torch

from rlft.errors import UserError
from rlft.models.small_language import EOS, small_llama, word_tokenizer
from rlft.models.writer import Writer

WORDS = ["a", "b", "c", "?"]


def writer(limit=4, temperature=1.0, context=16):
    tokenizer = word_tokenizer(WORDS)
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=context, seed=3)
    with torch.no_grad():
        model.lm_head.weight.mul_(12)  # so that no two tokens are alike
    return Writer(model.eval(), tokenizer, limit, temperature)


def test_at_temperature_0_it_is_the_likeliest_by_whole_passes():
    made = writer(6, 0.0)
    for text, (reply,) in zip(("a?", "abc?", "cab"), made.replies(["a?", "abc?", "cab"], 1, batch=3), strict=True):
        row, drawn = made.shown(text), []
        while len(drawn) < 6 and EOS not in drawn:
            with torch.no_grad():
                drawn.append(int(made.model(input_ids=torch.tensor([row + drawn])).logits[0, -1].argmax()))
        expected = made.tokenizer.decode(drawn, skip_special_tokens=True) if EOS in drawn else None
        assert reply == expected


def test_replies_do_not_depend_on_what_stands_beside():
    made, texts = writer(5), ["a?", "abcabc?", "b", "cabc"]
    alone = [made.replies([text], 3)[0] for text in texts]
    for batch in (1, 2, 4):
        assert made.replies(texts, 3, batch) == alone
    assert made.replies(["b", "b"], 3) == [alone[2], alone[2]]
    assert made.replies(["b"], 2)[0] == alone[2][:2]


def test_first_tokens_are_as_likely_as_the_model_says():
    """Of 600 replies of one token that end or not: the share of each that ends is that of the end token, within 4
    deviations."""
    made = writer(1)
    with torch.no_grad():
        ends = made.model(input_ids=torch.tensor([made.shown("ab?")])).logits[0, -1].double().softmax(-1)[EOS]
    found = Counter(made.replies(["ab?"], 600)[0])
    assert found[""] / 600 == pytest.approx(float(ends), abs=4 * (float(ends * (1 - ends)) / 600) ** 0.5)
    assert found[""] + found[None] == 600 and found[""] > 0


def test_too_long_and_cut_off():
    made = writer(4, context=8)
    assert made.replies(["abcabc?", "a"], 2)[0] is None and made.replies(["a"], 2)[0] is not None
    with pytest.raises(UserError, match="max_tokens=0"):
        writer(0)
    with pytest.raises(UserError, match="temperature=-1"):
        writer(1, -1.0)


def test_a_chat_template_makes_it_a_message():
    made = writer()
    made.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}?"
    assert made.shown("ab") == made.tokenizer("ab?", add_special_tokens=False)["input_ids"]
