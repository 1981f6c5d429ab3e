#!/usr/bin/env bash
# diffusers 0.42.1 with peft 0.21.2: what a network's own `save_lora_adapter(folder)` writes, the pipeline's
# `load_lora_weights(folder)` reads without an error, and not one tensor of it: names lack the prefix "transformer.".
# `save_lora_weights` with the prefix loses alpha unless it is given the config as well: trained at alpha 8, it is loaded at
# alpha 4, and acts half as strongly. So count what was loaded, and hand in transformer_lora_adapter_metadata.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 peft==0.21.2 diffusers==0.42.1 accelerate==1.15.0
cd "$place" && "$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

sizes = dict(sample_size=8, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2)
parts = dict.fromkeys(("vae", *(f"{kind}{n}" for kind in ("text_encoder", "tokenizer") for n in ("", "_2", "_3"))))


def network():
    torch.manual_seed(0)
    return SD3Transformer2DModel(joint_attention_dim=16, caption_projection_dim=16, pooled_projection_dim=16, **sizes)


def pipeline():
    return StableDiffusion3Pipeline(transformer=network(), scheduler=FlowMatchEulerDiscreteScheduler(), **parts)


def read(folder):
    """How many tensors of an adapter the pipeline's network has after loading it, and its alpha."""
    pipe = pipeline()
    pipe.load_lora_weights(folder, weight_name="pytorch_lora_weights.safetensors")
    held = [name for name, _ in pipe.transformer.named_parameters() if "lora_" in name]
    alphas = [config.lora_alpha for config in getattr(pipe.transformer, "peft_config", {}).values()]
    return len(held), alphas


trained = network()
config = LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k"], init_lora_weights=False)
trained.add_adapter(config)
layers = get_peft_model_state_dict(trained)
trained.save_lora_adapter("own")
StableDiffusion3Pipeline.save_lora_weights("bare", transformer_lora_layers=layers)
told = {"transformer_lora_adapter_metadata": config.to_dict()}
StableDiffusion3Pipeline.save_lora_weights("whole", transformer_lora_layers=layers, **told)
found = {name: read(name) for name in ("own", "bare", "whole")}
print(f"{len(layers)} tensors, alpha 8 were saved")
for name, (count, alphas) in found.items():
    print(f"{name}: {count} loaded, alpha {alphas}")
assert found == {"own": (0, []), "bare": (len(layers), [4]), "whole": (len(layers), [8])}, found
PYTHON
