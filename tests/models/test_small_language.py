import pytest

from rlft.models.small_language import character_tokenizer, word_tokenizer


def test_the_longest_word_is_a_token():
    tokenizer = word_tokenizer(["1", "12", "12,", " disc", "]"])
    tokens = tokenizer("12,121] disc")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(tokens) == ["<bos>", "12,", "12", "1", "]", " disc"]
    assert tokenizer.decode(tokens, skip_special_tokens=True) == "12,121] disc"


@pytest.mark.parametrize("tokenizer", [word_tokenizer(["ab"]), character_tokenizer("ab")])
def test_what_is_not_listed_raises(tokenizer):
    with pytest.raises(Exception, match="UNK"):
        tokenizer("abc")
