"""Small models that are shown pictures or sounds, built on the spot with random weights. Nothing is trained.

They are ordinary `transformers` objects, a LLaVA and a Qwen2-Audio: what `save_pretrained` of model and processor
write, `AutoProcessor` and the auto classes read. Their tokenizer has one token for
each word that is given, or for each character of a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from rlft.models.small_language import decoder_shape, drawn, word_tokenizer

_PICTURES = ("CLIPImageProcessorPil", "CLIPImageProcessor")
# The parts of all messages, one behind the other: who says what is said by the words, if it is to be said.
CHAT = (
    "<bos>{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>{% elif part.type == 'audio' %}<sound>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
)


def seeing(
    words: Iterable[str],
    image_size: int = 32,
    patch: int = 8,
    width: int = 96,
    layers: int = 3,
    heads: int = 4,
    context: int = 256,
    tower_width: int = 64,
    tower_layers: int = 2,
    seed: int = 0,
) -> tuple[nn.Module, Any]:
    """A `LlavaForConditionalGeneration` with random weights, and its processor.

    A picture is resized to a square of `image_size` and is (image_size / patch)² tokens. The vision tower is CLIP's,
    `tower_layers` layers of `tower_width`; the decoder is `small_llama`'s. Two calls give the same weights, and the
    global generator is left as it was.
    """
    import transformers

    tokenizer = _with_symbol(words, "<image>")
    vision = {
        "model_type": "clip_vision_model",
        "image_size": image_size,
        "patch_size": patch,
        "hidden_size": tower_width,
        "intermediate_size": 2 * tower_width,
        "num_hidden_layers": tower_layers,
        "num_attention_heads": 4,
        "projection_dim": tower_width,
    }
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", **decoder_shape(len(tokenizer), width, layers, heads, context)},
        vision_config=vision,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        image_seq_length=(image_size // patch) ** 2,
    )
    # By this name it needs no torchvision; where there is no such name the other does not either.
    found: Any = next(filter(None, (getattr(transformers, name, None) for name in _PICTURES)))
    square = {"height": image_size, "width": image_size}
    pictures = found(size=square, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    processor = transformers.LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )
    return drawn(transformers.LlavaForConditionalGeneration, config, seed), processor


def hearing(
    words: Iterable[str],
    seconds: int = 1,
    mels: int = 16,
    width: int = 96,
    layers: int = 3,
    heads: int = 4,
    context: int = 256,
    tower_width: int = 64,
    tower_layers: int = 2,
    seed: int = 0,
) -> tuple[nn.Module, Any]:
    """A `Qwen2AudioForConditionalGeneration` with random weights, and its processor.

    A sound of 16 kHz, cut off behind `seconds`, is 25 tokens a second. Else as `seeing`.
    """
    import transformers

    tokenizer = _with_symbol(words, "<sound>")
    audio = {
        "model_type": "qwen2_audio_encoder",
        "num_mel_bins": mels,
        "d_model": tower_width,
        "encoder_layers": tower_layers,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 2 * tower_width,
        "max_source_positions": 50 * seconds,
    }
    config = transformers.Qwen2AudioConfig(
        text_config={"model_type": "qwen2", **decoder_shape(len(tokenizer), width, layers, heads, context)},
        audio_config=audio,
        audio_token_index=tokenizer.convert_tokens_to_ids("<sound>"),
    )
    extractor = transformers.WhisperFeatureExtractor(feature_size=mels, chunk_length=seconds)
    processor = transformers.Qwen2AudioProcessor(extractor, tokenizer, chat_template=CHAT, audio_token="<sound>")
    return drawn(transformers.Qwen2AudioForConditionalGeneration, config, seed), processor


def _with_symbol(words: Iterable[str], symbol: str) -> Any:
    tokenizer = word_tokenizer(words)
    tokenizer.add_special_tokens({"additional_special_tokens": [symbol]})
    tokenizer.chat_template = CHAT
    return tokenizer
