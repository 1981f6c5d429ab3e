"""Embeddings of a small encoder: the mean of its states by hand, alone and beside others, and what is no such model."""

import pytest
import torch
from torch.testing import assert_close

from rlft.errors import UserError
from rlft.models.sentences import Sentences
from rlft.models.small_language import character_tokenizer, drawn


@pytest.fixture(scope="module")
def sentences():
    from transformers import BertConfig, BertModel

    tokenizer = character_tokenizer("abcdefgh")
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=12, initializer_range=0.5, **shape)
    return Sentences(drawn(BertModel, config, 0), tokenizer, batch=2)


def test_the_mean_of_the_states(sentences):
    texts = ["abc", "hgfedcba", "", "a", "abcabcabcabcabc"]
    found = sentences(texts)
    for text, one in zip(texts, found, strict=True):
        ids = sentences.tokenizer(text)["input_ids"][:12]
        if not ids:
            assert not one.any()
            continue
        mean = sentences.model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
        assert_close(one, mean / mean.norm(), atol=1e-5, rtol=0)
    assert (found[0] - found[1]).norm() > 0.1
    assert found.shape == (5, 16) and not found.requires_grad


def test_from_a_folder(sentences, tmp_path):
    sentences.model.save_pretrained(tmp_path / "some")
    sentences.tokenizer.save_pretrained(tmp_path / "some")
    assert_close(Sentences.load(tmp_path / "some", device="cpu")(["abc"]), sentences(["abc"]))
    with pytest.raises(UserError, match="is no model that embeds texts"):
        Sentences.load(tmp_path / "none")
