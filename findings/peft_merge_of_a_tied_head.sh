#!/usr/bin/env bash
# PEFT 0.21.2: LoRA on the output head of a model whose head and embeddings are one tensor (tie_word_embeddings=True).
# While it trains, the adapter changes the head alone; merge_and_unload adds it to the shared tensor, and so to the
# embeddings too. The merged model is another one than the one that was trained, by nats a token, and nothing fails.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 accelerate==1.15.0
"$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

found = {}
for tied in (True, False):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        tie_word_embeddings=tied,
    )
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    model = get_peft_model(LlamaForCausalLM(config), lora).eval()
    tokens = torch.arange(16)[None]
    with torch.no_grad():
        trained = model(input_ids=tokens).logits.log_softmax(-1)
        merged = model.merge_and_unload()(input_ids=tokens).logits.log_softmax(-1)
    found[tied] = float((trained - merged).abs().max())
    print(f"tied: {tied}, largest difference of log-probabilities after merging: {found[tied]:.2e} nats")
assert found[True] > 0.1 and found[False] < 1e-3, found
PYTHON
