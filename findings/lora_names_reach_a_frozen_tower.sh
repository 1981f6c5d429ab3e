#!/usr/bin/env bash
# PEFT 0.21.2 with transformers 5.23.0: target_modules=["q_proj", "v_proj"], the names of a language model's attention,
# are those of a CLIP tower's too. In a LLaVA half of the adapters land in the tower, which had been frozen, are
# trainable, and move what it sees; "all-linear" does the same, and puts them on the projector and the head besides.
# So a tower whose output is cached is no longer the one that is trained. Name the decoder in target_modules.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 peft==0.21.2 accelerate==1.15.0
"$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

shape = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
config = LlavaConfig(
    text_config=LlamaConfig(vocab_size=64, **shape),
    vision_config=CLIPVisionConfig(image_size=32, patch_size=8, projection_dim=32, **shape),
    image_token_index=63, vision_feature_layer=-1, image_seq_length=16,
)
found = {}
for names in (("q_proj", "v_proj"), "all-linear"):
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    for weight in model.model.vision_tower.parameters():
        weight.requires_grad_(False)
    kept = model.model.vision_tower(torch.ones(1, 3, 32, 32)).last_hidden_state
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=list(names) if names != "all-linear" else names))
    hit = [name for name, weight in tuned.named_parameters() if "lora_A" in name and weight.requires_grad]
    inside = [name for name in hit if "vision_tower" in name]
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
    now = tuned.base_model.model.model.vision_tower(torch.ones(1, 3, 32, 32)).last_hidden_state
    found[names] = (len(hit), len(inside), float((now - kept).detach().abs().max()))
    moved = found[names][2]
    print(f"{names}: {len(hit)} adapters, {len(inside)} of them in the frozen tower, whose output moves by {moved:.2f}")
assert found["q_proj", "v_proj"][:2] == (8, 4) and found["all-linear"][1] == 12, found
assert all(moved > 0.01 for *_, moved in found.values()), found
PYTHON
