"""The smallest models of each family that sees or hears, with random weights so large that a mistake shows."""

import numpy as np
import torch
import transformers as T
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from rlft.policies.perception.apart import Apart
from rlft.types import Problem

CHAT = (
    "{% for m in messages %}[{{ m.role }}]{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type != 'text' %}MARK{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
)


def tokenizer(specials=(), mark="", **named):
    """Bytes, and special tokens; `named` become attributes."""
    vocab = {byte: i for i, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    told = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    fast = T.PreTrainedTokenizerFast(
        tokenizer_object=made, **told, **({"extra_special_tokens": named} if named else {})
    )
    if specials:
        fast.add_special_tokens({"additional_special_tokens": list(specials)})
    fast.chat_template = CHAT.replace("MARK", mark)
    return fast


def text_of(words, **more):
    ids = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    return {"vocab_size": len(words), **sizes, "num_key_value_heads": 2, "max_position_embeddings": 512, **ids, **more}


def drawn(kind, config, seed=0):
    """Weights of deviation 0.15, and biases that are not 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config).eval()
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.15)
            elif "norm" not in name:
                torch.nn.init.normal_(weight, std=0.05)
    return model


def qwen_vl(version):
    names = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    words = tokenizer(names, "<|vision_start|><|image_pad|><|vision_end|>")
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}
    sight = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "patch_size": 8}
    sight |= {"spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 32}
    if version == "2.5":
        sight |= {"window_size": 32, "fullatt_block_indexes": [1]}
        text, kinds = text_of(words, rope_parameters=rope), (T.Qwen2_5_VLConfig, T.Qwen2_5_VLForConditionalGeneration)
    else:
        sight |= {"depth": 3, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
        rope |= {"mrope_section": [2, 1, 1], "mrope_interleaved": True}
        text = text_of(words, rope_parameters=rope, head_dim=8)
        kinds = T.Qwen3VLConfig, T.Qwen3VLForConditionalGeneration
    known = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    ids = {name: words.convert_tokens_to_ids(word) for name, word in known.items()}
    config = kinds[0](text_config=text, vision_config=sight, **ids)
    sizes = {"shortest_edge": 16**2, "longest_edge": 64**2}
    pictures = T.Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, temporal_patch_size=2, size=sizes)
    return drawn(kinds[1], config), Apart(pictures, words, {})


def pixels(width, height, seed):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def samples(count, seed):
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def asked(index, *parts):
    """A user's message: texts, and things of the kind that their shape says."""
    made = [_part(part) for part in parts]
    return Problem(index, [{"role": "user", "content": made}])


def _part(part):
    if isinstance(part, str):
        return {"type": "text", "text": part}
    kind = "image" if part.ndim == 3 else "audio"
    return {"type": kind, kind: part}


PICTURES = [
    asked(0, pixels(16, 16, 0), "hi", pixels(40, 24, 1)),
    asked(1, pixels(33, 50, 2), "what is this?"),
    asked(2, "nothing to see"),
    asked(3, pixels(33, 50, 3), "what is this?"),  # the tokens of another
]
SOUNDS = [
    asked(0, samples(4000, 0), "hi", samples(9000, 1)),
    asked(1, samples(12345, 2), "what?"),
    asked(2, "nothing to hear"),
    asked(3, samples(12345, 3), "what?"),
]
FAMILIES = {
    "qwen2.5-vl": (lambda: qwen_vl("2.5"), PICTURES),
    "qwen3-vl": (lambda: qwen_vl("3"), PICTURES),
}
