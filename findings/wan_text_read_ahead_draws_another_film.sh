#!/usr/bin/env bash
# diffusers 0.42.1: WanPipeline reads 512 tokens of a prompt when it is called, and its encode_prompt 226 when that is
# asked by itself. Both pad with zeros, and the network masks no padding. So texts that were read ahead with
# encode_prompt(prompt) and handed in as prompt_embeds, which is how one saves the large encoder, draw another film than
# the same prompt as words. Say max_sequence_length=512 when reading ahead.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 diffusers==0.42.1 accelerate==1.15.0 ftfy==6.3.1
cd "$place" && "$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
import transformers as t
from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = ["[pad]", "[unk]", "red", "blue", "cat", "house"]
made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[unk]"))
made.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = t.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[pad]", unk_token="[unk]", eos_token="[pad]")
torch.manual_seed(0)
core = dict(num_attention_heads=2, attention_head_dim=16, in_channels=4, out_channels=4, num_layers=1)
vae = dict(base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4, latents_std=[1.0] * 4)
pipe = WanPipeline(
    tokenizer=tokenizer,
    text_encoder=t.UMT5EncoderModel(t.UMT5Config(vocab_size=8, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)).eval(),
    vae=AutoencoderKLWan(temperal_downsample=[False, True, True], **vae).eval(),
    scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    transformer=WanTransformer3DModel(text_dim=16, freq_dim=32, ffn_dim=32, rope_max_seq_len=32, **core).eval(),
)
for weight in pipe.transformer.parameters():
    torch.nn.init.normal_(weight, std=0.2)
pipe.set_progress_bar_config(disable=True)
latents = torch.randn(1, 4, 2, 4, 4)
told = dict(latents=latents, height=32, width=32, num_frames=5, num_inference_steps=4, guidance_scale=1.0, output_type="latent")
with torch.no_grad():
    words = pipe(prompt="red cat", **told).frames
    ahead = {n: pipe.encode_prompt("red cat", None, False, **more)[0]
             for n, more in (("as it is", {}), ("with 512", {"max_sequence_length": 512}))}
    films = {n: pipe(prompt_embeds=text, **told).frames for n, text in ahead.items()}
off = {n: float((film - words).abs().max() / words.std()) for n, film in films.items()}
print({n: text.shape[1] for n, text in ahead.items()}, "latents off by", {n: round(x, 4) for n, x in off.items()}, "deviations")
assert off["with 512"] == 0 and off["as it is"] > 0.005, off
PYTHON
