"""Small language models built on the spot: a character tokenizer and a Llama with random weights. Nothing is trained.

They are ordinary `transformers` objects: what `save_pretrained` writes, `from_pretrained` and `AutoTokenizer` read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

PAD, BOS, EOS = 0, 1, 2
_SPECIAL = ("<pad>", "<bos>", "<eos>")


def character_tokenizer(characters: Iterable[str]) -> Any:
    """A `PreTrainedTokenizerFast` with one token for each character, after <pad> 0, <bos> 1 and <eos> 2.

    A text gets <bos> before it. There is no unknown token: a character that is not listed raises, and does not vanish.
    """
    from tokenizers import Regex

    return _listed(dict.fromkeys("".join(characters)), Regex(r"[\s\S]"))


def word_tokenizer(words: Iterable[str]) -> Any:
    """The same with one token for each of these words, marks or phrases, spaces included; of several that fit, the
    longest."""
    from tokenizers import Regex

    listed = dict.fromkeys(words)
    return _listed(listed, Regex("|".join(re.escape(word) for word in sorted(listed, key=len, reverse=True))))


def _listed(tokens: Iterable[str], pattern: Any) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary = {word: i for i, word in enumerate((*_SPECIAL, *tokens))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    return _fast(tokenizer)


def subword_tokenizer(texts: Iterable[str], size: int, words: Iterable[str] = ()) -> Any:
    """A `PreTrainedTokenizerFast` of byte pairs that were learned from the texts, `size` tokens in all.

    The tokens are <pad> 0, <bos> 1, <eos> 2, the 256 bytes, what was learned, and each of `words`, which is one token
    wherever it stands. So it knows every text. A text gets <bos> before it.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    whole = list(words)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(whole),
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in whole])
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    return _fast(tokenizer)


def small_llama(
    vocab: int,
    width: int = 128,
    layers: int = 4,
    heads: int = 4,
    context: int = 256,
    seed: int = 0,
    tied: bool = False,
) -> nn.Module:
    """A `LlamaForCausalLM` with random weights of its own seed; the global generator is left as it was.

    About layers · 12 · width² parameters and two matrices of vocab · width, or one if they are `tied`. Its special
    tokens are those of `character_tokenizer`.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = decoder_shape(vocab, width, layers, heads, context)
    return drawn(LlamaForCausalLM, LlamaConfig(tie_word_embeddings=tied, **shape), seed)


def small_classifier(
    vocab: int, labels: int, width: int = 32, layers: int = 1, heads: int = 4, context: int = 256, seed: int = 0
) -> nn.Module:
    """A `LlamaForSequenceClassification` of so many labels, its weights drawn as `small_llama`'s are."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    shape = {"num_labels": labels, **decoder_shape(vocab, width, layers, heads, context)}
    return drawn(LlamaForSequenceClassification, LlamaConfig(**shape), seed)


def decoder_shape(vocab: int, width: int, layers: int, heads: int, context: int) -> dict[str, Any]:
    """What a configuration says of a decoder whose special tokens are those of the tokenizers here."""
    return {
        "vocab_size": vocab,
        "hidden_size": width,
        "intermediate_size": -(-width * 8 // 3 // 8) * 8,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": context,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }


def drawn(kind: Any, config: Any, seed: int) -> nn.Module:
    """A model of this class with random weights of its own seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config).eval()


def _fast(tokenizer: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    pad, bos, eos = _SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=pad, bos_token=bos, eos_token=eos, clean_up_tokenization_spaces=False
    )
