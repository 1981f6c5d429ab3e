#!/usr/bin/env bash
# transformers 5.23.0, Qwen2-Audio: generate(num_return_sequences=2) repeats recordings one by one along their first axis,
# and prompts by row. Where one prompt has two recordings and another one, sequences hear the recordings
# of others: their first logits are not those of num_return_sequences=1. Nothing fails or warns.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0
"$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

SOUND = 60
config = Qwen2AudioConfig(
    text_config=dict(model_type="qwen2", vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2),
    audio_config=dict(model_type="qwen2_audio_encoder", num_mel_bins=16, d_model=32, encoder_layers=2,
                      encoder_attention_heads=4, encoder_ffn_dim=64, max_source_positions=50),
    audio_token_index=SOUND,
)
torch.manual_seed(0)
model = Qwen2AudioForConditionalGeneration(config).eval()
for weight in model.parameters():
    if weight.dim() > 1:
        torch.nn.init.normal_(weight, std=0.15)


def tokens(frames):
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


frames = [28, 60, 92]  # of the two recordings of the first prompt, and of the second prompt's one
features = torch.zeros(3, 16, 100)
heard = torch.zeros(3, 100, dtype=torch.long)
for row, count in enumerate(frames):
    features[row, :, :count] = torch.randn(16, count)
    heard[row, :count] = 1
first = [2, *[SOUND] * tokens(28), 5, *[SOUND] * tokens(60), 6]
second = [2, *[SOUND] * tokens(92), 5]
width = max(len(first), len(second))
ids = torch.tensor([[0] * (width - len(row)) + row for row in (first, second)])
mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in (first, second)])
given = dict(input_ids=ids, attention_mask=mask, input_features=features, feature_attention_mask=heard)
told = dict(max_new_tokens=1, min_new_tokens=1, pad_token_id=0, output_logits=True, return_dict_in_generate=True)
with torch.no_grad():
    once = model.generate(**given, **told, do_sample=False).logits[0]
    twice = model.generate(**given, **told, do_sample=True, num_return_sequences=2).logits[0]
apart = [float((twice[row] - once[row // 2]).abs().max()) for row in range(4)]
print("first token's logits, each sequence beside its prompt's own:", [f"{one:.2g}" for one in apart])
assert max(apart[:2]) > 0.1 and max(apart[2:]) < 1e-4, apart
PYTHON
