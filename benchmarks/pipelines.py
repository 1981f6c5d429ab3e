"""A GRPO step on a small Stable Diffusion 3 against the loop that one writes by hand: CPU seconds, one thread.

    python benchmarks/pipelines.py              # the plain loop, rlft, rlft with a window of two steps; the ratios
    python benchmarks/pipelines.py --only rlft --rounds 1

The pipeline has random weights and is built here (84 000 of them in its network). Both sides draw 4 prompts × 8 rows in
10 steps with guidance 4.5 at 32 × 32, score the nine noisy steps again, and update once. They draw from noise of their
own, so rewards differ; both first ratios are 1. The plain loop draws with log-probabilities, then for every step and
micro-batch of 8 rows: forward, ratio, clipped loss, backward; one optimiser step.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from typing import Any

import torch
from torch import Tensor

STEPS, PROMPTS, ROWS, MICRO, GUIDANCE, LEVEL, CLIP = 10, 4, 8, 8, 4.5, 0.7, 1e-3
ASKED = ["a red cat", "the blue house", "a green dog", "the small red dog"]


def tokenizer(begin: bool = True) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[pad]", "[unk]", "[bos]", "[eos]", "a", "the", "small", "red", "green", "blue", "cat", "dog", "house"]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[unk]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    single = "[bos] $A [eos]" if begin else "$A [eos]"
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("[bos]", 2), ("[eos]", 3)])
    told = {"pad_token": "[pad]", "unk_token": "[unk]", "bos_token": "[bos]", "eos_token": "[eos]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=16, **told)


def pipeline() -> Any:
    """Latents of 16 × 32 × 32, so 256 tokens of picture, and 32 of text."""
    import diffusers as d
    import transformers as t

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4}
    told = {"vocab_size": 16, "max_position_embeddings": 16, "projection_dim": 32, "pad_token_id": 0}
    reads = t.CLIPTextConfig(bos_token_id=2, eos_token_id=3, **sizes, **told)
    clips = [t.CLIPTextModelWithProjection(reads).eval() for _ in range(2)]
    t5 = t.T5EncoderModel(t.T5Config(vocab_size=16, d_model=96, d_kv=8, d_ff=37, num_layers=2, num_heads=4)).eval()
    network = d.SD3Transformer2DModel(
        sample_size=32,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=96,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        pos_embed_max_size=96,
    )
    vae = d.AutoencoderKL(
        block_out_channels=(8,),
        latent_channels=16,
        norm_num_groups=4,
        scaling_factor=1.5,
        shift_factor=0.06,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    encoders = {"text_encoder": clips[0], "text_encoder_2": clips[1], "text_encoder_3": t5}
    readers = {"tokenizer": tokenizer(), "tokenizer_2": tokenizer(), "tokenizer_3": tokenizer(begin=False)}
    flow = d.FlowMatchEulerDiscreteScheduler(shift=3.0)
    return d.StableDiffusion3Pipeline(transformer=network, vae=vae.eval(), scheduler=flow, **encoders, **readers)


class Plain:
    """The loop by hand. `round` is one GRPO step; its reward is the mean of the latents' first channel."""

    def __init__(self) -> None:
        self.pipe = pipeline()
        self.core = self.pipe.transformer.eval()
        self.optimiser = torch.optim.AdamW(self.core.parameters(), lr=3e-4, weight_decay=0)
        self.pipe.scheduler.set_timesteps(STEPS)
        self.times, self.sigmas = self.pipe.scheduler.timesteps, self.pipe.scheduler.sigmas
        with torch.no_grad():
            told = {"do_classifier_free_guidance": True, "max_sequence_length": 16}
            text, none, pooled, no_pooled = self.pipe.encode_prompt(ASKED[:PROMPTS], None, None, **told)
        self.told = [torch.stack([a, b]).repeat_interleave(ROWS, 1) for a, b in ((none, text), (no_pooled, pooled))]

    def normal(self, x: Tensor, k: int, rows: slice) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the state after step k."""
        text, pooled = (one[:, rows].flatten(0, 1) for one in self.told)
        said = self.core(
            hidden_states=torch.cat([x, x]),
            timestep=self.times[k].expand(2 * len(x)),
            encoder_hidden_states=text,
            pooled_projections=pooled,
            return_dict=False,
        )[0]
        without, given = said.chunk(2)
        velocity = without + GUIDANCE * (given - without)
        sigma, after = self.sigmas[k], self.sigmas[k + 1]
        level = LEVEL * torch.sqrt(sigma / (1 - (sigma if sigma < 1 else after)))
        drift = 1 + level**2 / (2 * sigma) * (after - sigma)
        mean = x * drift + velocity * (1 + level**2 * (1 - sigma) / (2 * sigma)) * (after - sigma)
        return mean, level * torch.sqrt(sigma - after)

    def density(self, y: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        each = -((y - mean) ** 2) / (2 * std**2) - torch.log(std) - math.log(2 * math.pi) / 2
        return each.mean(dim=(1, 2, 3))

    def round(self) -> float:
        """The largest distance of a first ratio from 1."""
        everyone, path, old = slice(0, PROMPTS * ROWS), [torch.randn(PROMPTS * ROWS, 16, 32, 32)], []
        with torch.no_grad():
            for k in range(STEPS - 1):
                mean, std = self.normal(path[-1], k, everyone)
                path.append(mean + std * torch.randn_like(mean))
                old.append(self.density(path[-1], mean, std))
            last = path[-1] + self.sigmas[-2] * -self._velocity(path[-1], everyone)
            reward = last[:, 0].mean(dim=(1, 2)).view(PROMPTS, ROWS)
            advantage = ((reward - reward.mean(1, keepdim=True)) / (reward.std(1, keepdim=True) + 1e-4)).flatten()
        off = 0.0
        for start in range(0, PROMPTS * ROWS, MICRO):
            rows = slice(start, start + MICRO)
            for k in range(STEPS - 1):
                mean, std = self.normal(path[k][rows], k, rows)
                ratio = torch.exp(self.density(path[k + 1][rows], mean, std) - old[k][rows])
                off = max(off, float((ratio.detach() - 1).abs().max()))
                clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
                loss = torch.maximum(-advantage[rows] * ratio, -advantage[rows] * clipped).sum()
                (loss / (PROMPTS * ROWS * (STEPS - 1))).backward()
        torch.nn.utils.clip_grad_norm_(self.core.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return off

    def _velocity(self, x: Tensor, rows: slice) -> Tensor:
        text, pooled = (one[:, rows].flatten(0, 1) for one in self.told)
        told = {"encoder_hidden_states": text, "pooled_projections": pooled, "return_dict": False}
        said = self.core(hidden_states=torch.cat([x, x]), timestep=self.times[-1].expand(2 * len(x)), **told)[0]
        without, given = said.chunk(2)
        return without + GUIDANCE * (given - without)


class Prompts:
    """The same four."""

    name, split, size = "asked", "train", PROMPTS

    def at(self, index: int) -> Any:
        from rlft.types import Problem

        return Problem(index, ASKED[index])


class Ours:
    """The same by rlft: a Trainer, GRPO, and the policy that `rlft train` makes of such a pipeline."""

    def __init__(self, block: int, window: Any = None) -> None:
        from rlft.methods.grpo import grpo
        from rlft.policies.pipelines.drawing import Drawing, Window
        from rlft.policies.pipelines.load import family_of
        from rlft.policies.pipelines.pipeline import Pipeline
        from rlft.training.trainer import Trainer

        drawing = Drawing(STEPS, GUIDANCE, height=32, width=32, text_tokens=16, block=block)
        pipe = pipeline()
        for part in (pipe.text_encoder, pipe.text_encoder_2, pipe.text_encoder_3, pipe.vae):
            part.requires_grad_(False)
        policy = Pipeline(family_of(pipe, drawing), drawing, window or Window())
        # the plain loop rewards latents and decodes nothing; neither do we
        policy.decode = lambda x: x  # type: ignore[method-assign]
        method, sizes = grpo(clip=CLIP, beta=0.0), {"prompts": PROMPTS, "group": ROWS, "lr": 3e-4}
        self.trainer = Trainer(policy, method, Prompts(), lambda problems, x: x[:, 0].mean((1, 2)), rows=8, **sizes)

    def round(self) -> float:
        """The largest distance of a first ratio from 1."""
        return float(self.trainer.step()["ratio/first"])


def sides(block: int) -> dict[str, Any]:
    from rlft.policies.pipelines.drawing import Window

    return {
        "plain": Plain,
        "rlft": lambda: Ours(block),
        "window": lambda: Ours(block, Window(window=2, window_first=3, same_start=True)),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--block", type=int, default=8)
    options.add_argument("--only", choices=["plain", "rlft", "window"])
    told = options.parse_args()
    torch.set_num_threads(1)
    made = {name: make() for name, make in sides(told.block).items() if told.only in (None, name)}
    spent: dict[str, list[float]] = {name: [] for name in made}
    for number in range(told.rounds + 1):
        for name, side in made.items():  # by turns, so that a busy machine is busy for all of them
            start = time.process_time()
            off = side.round()
            assert off == 0, f"{name}: a first ratio is off by {off}"
            if number:  # the first compiles kernels and reads prompts
                spent[name].append(time.process_time() - start)
    found = {name: round(statistics.median(seconds), 3) for name, seconds in spent.items()}
    ratios = {f"{name}/plain": round(found[name] / found["plain"], 3) for name in found if "plain" in found}
    print(json.dumps({"cpu_seconds_a_step": found, **ratios}))


if __name__ == "__main__":
    main()
