"""The smallest pipelines of each family, with random weights so large that a mistake shows."""

import functools
import tempfile
from pathlib import Path

import torch

WORDS = ["a", "the", "big", "small", "red", "green", "cat", "dog", "house", "on", "of", "in"]
SIZE = {
    "StableDiffusion": 16,
    "StableDiffusion3": 16,
    "Flux": 16,
    "Kandinsky5": 32,
    "QwenImage": 16,
    "Wan": 32,
    "Kandinsky5Film": 32,
}
_TOKENS = 12


@functools.cache
def folder(name):
    """A folder with the pipeline of this family, saved once for a process."""
    place = tempfile.TemporaryDirectory(prefix="rlft-pipelines-")
    _HELD.append(place)
    built(name).save_pretrained(place.name)
    return Path(place.name)


_HELD = []


def built(name, **more):
    """The pipeline of this family; `more` for its builder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        makers = {
            "StableDiffusion": _sd,
            "StableDiffusion3": _sd3,
            "Flux": _flux,
            "Kandinsky5": _k5,
            "QwenImage": _qwen,
            "Wan": _wan,
            "Kandinsky5Film": _k5_film,
        }
        return makers[name](**more)


def redrawn(model, std=0.15):
    """Weights that are nowhere 0, so that text, time and gates all matter."""
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=std)
        elif "norm" not in name:
            torch.nn.init.normal_(weight, std=0.05)
    return model.eval()


def tokenizer(length=_TOKENS, begin=True):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = ["[pad]", "[unk]", "[bos]", "[eos]", *WORDS]
    made = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="[unk]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[bos]", 2), ("[eos]", 3)]
    made.post_processor = processors.TemplateProcessing(
        single="[bos] $A [eos]" if begin else "$A [eos]", special_tokens=ends
    )
    told = {"pad_token": "[pad]", "unk_token": "[unk]", "bos_token": "[bos]", "eos_token": "[eos]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=length, **told)


def _clip(kind="CLIPTextModelWithProjection", width=16, length=_TOKENS):
    import transformers as T

    told = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "num_attention_heads": 2, "num_hidden_layers": 1}
    sizes = {"hidden_size": width, "intermediate_size": 24, "projection_dim": width, "vocab_size": 16}
    return redrawn(getattr(T, kind)(T.CLIPTextConfig(max_position_embeddings=length, **told, **sizes)))


def _t5(width, kind="T5"):
    import transformers as T

    sizes = {"d_model": width, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2, "vocab_size": 16}
    return redrawn(getattr(T, f"{kind}EncoderModel")(getattr(T, f"{kind}Config")(**sizes)))


def _vae(channels, scaling, shift=None, levels=1):
    from diffusers import AutoencoderKL

    blocks = {"block_out_channels": (4,) * levels, "norm_num_groups": 2, "layers_per_block": 1}
    blocks |= {f"{way}_block_types": (f"{way.title()}{kind}Block2D",) * levels for way, kind in _WAYS}
    told = {"latent_channels": channels, "scaling_factor": scaling, "shift_factor": shift}
    plain = {"use_quant_conv": shift is None, "use_post_quant_conv": shift is None}
    return redrawn(AutoencoderKL(sample_size=16, **blocks, **told, **plain))


_WAYS = (("down", "Encoder"), ("up", "Decoder"))


def flow(**told):
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(**told)


def _sd(prediction="epsilon", **more):
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    levels = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 2}
    kinds = {"down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "sample_size": 16, "cross_attention_dim": 16}
    kinds["up_block_types"] = ("CrossAttnUpBlock2D", "UpBlock2D")
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "prediction_type": prediction}
    told = {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1, **more}
    return StableDiffusionPipeline(
        vae=_vae(4, 0.18),
        text_encoder=_clip("CLIPTextModel"),
        tokenizer=tokenizer(),
        unet=redrawn(UNet2DConditionModel(**levels, **kinds)),
        scheduler=DDIMScheduler(**noise, **told),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sd3(**more):
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    sizes = {"sample_size": 16, "in_channels": 4, "out_channels": 4, "num_layers": 2, "attention_head_dim": 8}
    sizes |= {
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "caption_projection_dim": 16,
        "pos_embed_max_size": 16,
    }
    network = redrawn(SD3Transformer2DModel(pooled_projection_dim=32, **sizes))
    encoders = {"text_encoder": _clip(), "text_encoder_2": _clip(), "text_encoder_3": _t5(32)}
    readers = {"tokenizer": tokenizer(), "tokenizer_2": tokenizer(), "tokenizer_3": tokenizer(begin=False)}
    parts = {"transformer": network, "vae": _vae(4, 1.5, 0.06), "scheduler": flow(shift=3.0, **more)}
    return StableDiffusion3Pipeline(**parts, **encoders, **readers)


def _flux(reads=True):
    from diffusers import FluxPipeline, FluxTransformer2DModel

    sizes = {"in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16}
    sizes |= {
        "num_attention_heads": 2,
        "joint_attention_dim": 16,
        "pooled_projection_dim": 16,
        "axes_dims_rope": (4, 4, 8),
    }
    return FluxPipeline(
        transformer=redrawn(FluxTransformer2DModel(guidance_embeds=reads, **sizes)),
        vae=_vae(4, 0.36, 0.1),
        scheduler=flow(shift=3.0, use_dynamic_shifting=True),
        text_encoder=_clip("CLIPTextModel"),
        tokenizer=tokenizer(),
        text_encoder_2=_t5(16),
        tokenizer_2=tokenizer(begin=False),
    )


def _qwen_vl():
    """Qwen2.5-VL, as an encoder of texts."""
    import transformers as T

    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e4}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 24}
    text = {"hidden_size": 32, "intermediate_size": 24, "rope_parameters": rope, "max_position_embeddings": 2048}
    sight = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}
    marks = {"image_token_id": 20, "video_token_id": 21, "vision_start_token_id": 22, "vision_end_token_id": 23}
    config = T.Qwen2_5_VLConfig(text_config={**layers, **text}, vision_config=sight, **marks)
    return redrawn(T.Qwen2_5_VLForConditionalGeneration(config))


def _k5():
    from diffusers import Kandinsky5T2IPipeline

    return Kandinsky5T2IPipeline(transformer=_k5_network(), vae=_vae(4, 0.48, levels=2), **_k5_texts())


def _k5_network(**more):
    from diffusers import Kandinsky5Transformer3DModel

    # a clock of 32 numbers, as real ones have a multiple of: fewer are rounded by their place in a block (AVX-512)
    sizes = {"in_visual_dim": 4, "out_visual_dim": 4, "in_text_dim": 32, "in_text_dim2": 16, "time_dim": 32}
    sizes |= {"model_dim": 16, "ff_dim": 24, "num_text_blocks": 1, "num_visual_blocks": 1, "axes_dims": (4, 6, 6)}
    return redrawn(Kandinsky5Transformer3DModel(**sizes, **more))


def _k5_texts():
    return {
        "text_encoder": _qwen_vl(),
        "tokenizer": tokenizer(1024),  # a bare tokenizer passes for the processor, which needs torchvision
        "text_encoder_2": _clip("CLIPTextModel", length=77),
        "tokenizer_2": tokenizer(77),
        "scheduler": flow(shift=3.0),
    }


def _k5_film(conditioned=False):
    from diffusers import AutoencoderKLHunyuanVideo, Kandinsky5T2VPipeline

    sizes = {"block_out_channels": (4,) * 4, "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": 4}
    vae = redrawn(AutoencoderKLHunyuanVideo(**sizes), std=0.2)
    return Kandinsky5T2VPipeline(transformer=_k5_network(visual_cond=conditioned), vae=vae, **_k5_texts())


def _qwen(reads=False):
    from diffusers import AutoencoderKLQwenImage, QwenImagePipeline, QwenImageTransformer2DModel

    sizes = {"in_channels": 16, "out_channels": 4, "num_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2}
    network = QwenImageTransformer2DModel(
        joint_attention_dim=32, axes_dims_rope=(8, 4, 4), guidance_embeds=reads, **sizes
    )
    blocks = {"base_dim": 8, "z_dim": 4, "dim_mult": [1, 2], "num_res_blocks": 1, "temperal_downsample": [False]}
    scales = {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.5, 0.5, 1.0, 2.0]}
    shift = {"base_shift": 0.5, "max_shift": 0.9, "max_image_seq_len": 8192, "shift_terminal": 0.02}
    return QwenImagePipeline(
        transformer=redrawn(network),
        vae=redrawn(AutoencoderKLQwenImage(**blocks, **scales), std=0.2),
        text_encoder=_qwen_vl(),
        tokenizer=tokenizer(1024, begin=False),
        scheduler=flow(shift=1.0, use_dynamic_shifting=True, **shift),
    )


def _wan(scheduler=None, **more):
    from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel

    sizes = {"in_channels": 4, "out_channels": 4, "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 1}
    network = WanTransformer3DModel(text_dim=16, freq_dim=32, ffn_dim=32, rope_max_seq_len=32, **sizes)
    blocks = {"base_dim": 4, "z_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
    scales = {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.5, 0.5, 1.0, 2.0]}
    vae = AutoencoderKLWan(temperal_downsample=[False, True, True], **blocks, **scales)
    return WanPipeline(
        tokenizer=tokenizer(begin=False),
        text_encoder=_t5(16, "UMT5"),
        vae=redrawn(vae, std=0.3),
        scheduler=flow(shift=3.0) if scheduler is None else scheduler,
        transformer=redrawn(network),
        **more,
    )
