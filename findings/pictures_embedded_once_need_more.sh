#!/usr/bin/env bash
# transformers 5.23.0: to run a tower once and then pass inputs_embeds, which hold exactly what pixels would have put
# there, is not enough. Gemma 3 then masks as if there were no picture (its token_type_ids say where one is), and
# Qwen2.5-VL places all tokens in one row (its three rows of position_ids come from the ids). Nothing fails or warns in
# eval mode; logits are off by more than most learning does.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0
"$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
from transformers import (
    Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig,
    Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration,
)

shape = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
PICTURE, TEXT = 60, 50


def drawn(model):
    torch.manual_seed(0)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)
    return model.eval()


def difference(model, ids, pixels, whole, once):
    """The largest difference of logits: the model's own forward on pixels, and on embeddings that hold the same."""
    with torch.no_grad():
        features = model.get_image_features(**pixels).pooler_output
        flat = torch.cat([part.reshape(-1, part.shape[-1]) for part in features])
        embeds = model.get_input_embeddings()(ids).clone()
        embeds[ids == PICTURE] = flat.to(embeds.dtype)
        right = model(input_ids=ids, **pixels, **whole).logits
        return float((right - model(inputs_embeds=embeds, **once).logits).abs().max())


found = {}
text = dict(vocab_size=64, num_key_value_heads=2, **shape)
tower = SiglipVisionConfig(image_size=32, patch_size=8, vision_use_head=False, **shape)
gemma = drawn(Gemma3ForConditionalGeneration(Gemma3Config(
    text_config=Gemma3TextConfig(head_dim=8, query_pre_attn_scalar=8, sliding_window=16, **text), vision_config=tower,
    mm_tokens_per_image=4, boi_token_index=61, eoi_token_index=62, image_token_index=PICTURE,
)))
ids = torch.tensor([[2, 61, *[PICTURE] * 4, 62, 5, 6, 7]])
types = {"token_type_ids": (ids == PICTURE).long()}
pixels = {"pixel_values": torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))}
for name, more in (("embeddings alone", {}), ("with token types", types)):
    found["Gemma 3", name] = difference(gemma, ids, pixels, types, more)

qwen = drawn(Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(
    text_config=dict(rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}, **text),
    vision_config=dict(depth=2, hidden_size=32, intermediate_size=64, num_heads=4, patch_size=8, window_size=32,
                       out_hidden_size=32, fullatt_block_indexes=[1]),
    image_token_id=PICTURE, video_token_id=59, vision_start_token_id=61, vision_end_token_id=62,
)))
grid = torch.tensor([[1, 4, 6]])
ids = torch.tensor([[2, 61, *[PICTURE] * 6, 62, 5, 6, 7]])
types = (ids == PICTURE).int()
patches = torch.randn(24, 3 * 2 * 8 * 8, generator=torch.Generator().manual_seed(1))
pixels = {"pixel_values": patches, "image_grid_thw": grid}
places, _ = qwen.model.get_rope_index(ids, mm_token_type_ids=types, image_grid_thw=grid)
for name, more in (("embeddings alone", {}), ("with three rows of positions", {"position_ids": places})):
    qwen.model.rope_deltas = None
    found["Qwen2.5-VL", name] = difference(qwen, ids, pixels, {"mm_token_type_ids": types}, more)
for (family, name), apart in found.items():
    print(f"{family}, {name}: logits {apart:.1e} from those of the pixels")
for (_, name), apart in found.items():
    assert (apart > 0.1) if name == "embeddings alone" else (apart < 1e-4), found
PYTHON
