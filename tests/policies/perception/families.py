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


def clip(**more):
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {**sizes, "image_size": 32, "patch_size": 8, **more}


def llava():
    words = tokenizer(["<image>"], "<image>")
    config = T.LlavaConfig(
        text_config=text_of(words, model_type="llama"),
        vision_config=clip(model_type="clip_vision_model", projection_dim=32),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        image_seq_length=16,
    )
    pictures = T.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    told = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    made = T.LlavaProcessor(pictures, words, chat_template=words.chat_template, **told)
    return drawn(T.LlavaForConditionalGeneration, config), made


def tiles(kind):
    names = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"]
    names += [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    words = tokenizer(names, "<image>")
    sizes = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    told = {"text_config": text_of(words, model_type="llama"), "vision_config": clip(), "scale_factor": 2}
    told |= {"image_token_id": words.convert_tokens_to_ids("<image>"), "pad_token_id": words.pad_token_id}
    if kind == "smolvlm":
        made = Apart(T.SmolVLMImageProcessorPil(**sizes), words, {"image_seq_len": 4})
        return drawn(T.SmolVLMForConditionalGeneration, T.SmolVLMConfig(**told)), made
    pictures = T.Idefics3ImageProcessorPil(**sizes)
    made = T.Idefics3Processor(pictures, words, image_seq_len=4, chat_template=words.chat_template)
    return drawn(T.Idefics3ForConditionalGeneration, T.Idefics3Config(**told)), made


def gemma3():
    names = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    words = tokenizer((), "<start_of_image>", **names)
    text = text_of(words, head_dim=8, query_pre_attn_scalar=8, sliding_window=16, sliding_window_pattern=2)
    ids = {name.replace("token", "token_index"): words.convert_tokens_to_ids(word) for name, word in names.items()}
    sight = clip(model_type="siglip_vision_model", vision_use_head=False)
    config = T.Gemma3Config(text_config=text, vision_config=sight, mm_tokens_per_image=4, **ids)
    pictures = T.Gemma3ImageProcessorPil(size={"height": 32, "width": 32})
    made = T.Gemma3Processor(pictures, words, image_seq_length=4, chat_template=words.chat_template)
    return drawn(T.Gemma3ForConditionalGeneration, config), made


def internvl():
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    words = tokenizer((), "<IMG_CONTEXT>", **names, video_token="<video>")
    config = T.InternVLConfig(
        text_config=text_of(words, model_type="qwen2"),
        vision_config=clip(image_size=[32, 32], patch_size=[8, 8]),
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    pictures = T.GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, max_patches=4)
    return drawn(T.InternVLForConditionalGeneration, config), Apart(pictures, words, {"image_seq_length": 4})


def onevision():
    words, pins = tokenizer(["<image>", "<video>"], "<image>"), [[32, 32], [32, 64], [64, 32]]
    config = T.LlavaOnevisionConfig(
        text_config=text_of(words, model_type="llama"),
        vision_config=clip(model_type="siglip_vision_model", vision_use_head=False),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        video_token_id=words.convert_tokens_to_ids("<video>"),
        vision_feature_layer=-1,
        image_grid_pinpoints=pins,
    )
    pictures = T.LlavaOnevisionImageProcessorPil(size={"height": 32, "width": 32}, image_grid_pinpoints=pins)
    made = Apart(pictures, words, {"num_image_tokens": 16, "vision_aspect_ratio": "anyres_max_9"})
    return drawn(T.LlavaOnevisionForConditionalGeneration, config), made


def heard(**more):
    sizes = {"num_mel_bins": 16, "encoder_layers": 2, "encoder_attention_heads": 4, "max_source_positions": 50}
    return {**sizes, **more}


def qwen2_audio():
    names = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
    words = tokenizer(names, "<|audio_bos|><|AUDIO|><|audio_eos|>")
    config = T.Qwen2AudioConfig(
        text_config=text_of(words, model_type="qwen2"),
        audio_config=heard(model_type="qwen2_audio_encoder", d_model=32, encoder_ffn_dim=64),
        audio_token_index=words.convert_tokens_to_ids("<|AUDIO|>"),
    )
    extractor = T.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    made = T.Qwen2AudioProcessor(extractor, words, chat_template=words.chat_template)
    return drawn(T.Qwen2AudioForConditionalGeneration, config), made


def flamingo():
    words = tokenizer(["<sound>"], "<sound>")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = T.AudioFlamingo3Config(
        text_config=text_of(words, model_type="qwen2"),
        audio_config={**sizes, "num_mel_bins": 16, "max_source_positions": 50},
        audio_token_id=words.convert_tokens_to_ids("<sound>"),
    )
    extractor = T.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    made = T.AudioFlamingo3Processor(extractor, words, chat_template=words.chat_template)
    return drawn(T.AudioFlamingo3ForConditionalGeneration, config), made


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
    "llava": (llava, PICTURES),
    "idefics3": (lambda: tiles("idefics3"), PICTURES),
    "smolvlm": (lambda: tiles("smolvlm"), PICTURES),
    "gemma3": (gemma3, PICTURES),
    "internvl": (internvl, PICTURES),
    "onevision": (onevision, PICTURES),
    "qwen2-audio": (qwen2_audio, SOUNDS),
    "flamingo": (flamingo, SOUNDS),
    "qwen2.5-vl": (lambda: qwen_vl("2.5"), PICTURES),
    "qwen3-vl": (lambda: qwen_vl("3"), PICTURES),
}
