#!/usr/bin/env bash
# diffusers 0.42.1: Kandinsky5T2IPipeline with num_images_per_prompt=2 repeats what the two encoders say in two orders:
# text rows are p0 p0 p1 p1, pooled rows p0 p1 p0 p1. So half of the pictures are drawn with the pooled vector of the
# other prompt, without a word. Encode each prompt once, and repeat both with repeat_interleave.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 diffusers==0.42.1 accelerate==1.15.0
cd "$place" && "$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
import transformers as t
from diffusers import FlowMatchEulerDiscreteScheduler, Kandinsky5T2IPipeline
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = ["[pad]", "[unk]", "red", "blue", "cat", "house"]


def tokenizer(length):
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[unk]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    told = dict(pad_token="[pad]", unk_token="[unk]", eos_token="[pad]")
    return t.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=length, **told)


torch.manual_seed(0)
rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e4}
text = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2)
sight = dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=2, out_hidden_size=32)
marks = dict(image_token_id=20, video_token_id=21, vision_start_token_id=22, vision_end_token_id=23)
config = t.Qwen2_5_VLConfig(text_config=dict(vocab_size=24, rope_parameters=rope, **text), vision_config=sight, **marks)
clip = t.CLIPTextConfig(vocab_size=24, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                        eos_token_id=0, pad_token_id=0, bos_token_id=1)
pipe = Kandinsky5T2IPipeline(
    transformer=None, vae=None, scheduler=FlowMatchEulerDiscreteScheduler(),
    text_encoder=t.Qwen2_5_VLForConditionalGeneration(config).eval(), tokenizer=tokenizer(1024),
    text_encoder_2=t.CLIPTextModel(clip).eval(), tokenizer_2=tokenizer(77),
)
told = {"device": torch.device("cpu"), "dtype": torch.float32}
with torch.no_grad():
    each = [pipe.encode_prompt([prompt], **told) for prompt in ("red cat", "blue house")]
    whole = pipe.encode_prompt(["red cat", "blue house"], num_images_per_prompt=2, **told)


def owners(rows, place):
    return [min((0, 1), key=lambda p: float((row - each[p][place][0]).abs().max())) for row in rows]


texts, pooled = owners(whole[0], 0), owners(whole[1], 1)
print(f"prompts of the text rows {texts}, of the pooled rows {pooled}")
assert texts == [0, 0, 1, 1] and pooled == [0, 1, 0, 1], (texts, pooled)
PYTHON
