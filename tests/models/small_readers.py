"""Readers of random weights: a decoder with a head, and an encoder."""

import torch

from rlft.models.sequence import Reader
from rlft.models.small_language import character_tokenizer, decoder_shape, drawn

TEMPLATE = "{% for m in messages %}<{{ m['role'][0] }}>{{ m['content'] }}{% endfor %}"


def small_reader(labels=1, chat=False, context=64, seed=0):
    """Its head is drawn wide, so that texts differ in more than rounding."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz 0123456789?<>+=")
    if chat:
        tokenizer.chat_template = TEMPLATE
    shape = decoder_shape(len(tokenizer), 16, 1, 2, context)
    model = drawn(LlamaForSequenceClassification, LlamaConfig(num_labels=labels, **shape), seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.score.weight.data.normal_()
    return Reader(model, tokenizer)


def small_encoder(alphabet="abcdefgh"):
    """A BERT, which reads both ways."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = character_tokenizer(alphabet)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(
        vocab_size=len(tokenizer), num_labels=3, max_position_embeddings=32, initializer_range=0.5, **shape
    )
    return Reader(drawn(BertForSequenceClassification, config, 0), tokenizer)
