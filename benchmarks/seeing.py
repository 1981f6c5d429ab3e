# ruff: noqa: E402
"""GRPO steps of a Qwen2.5-VL-shaped small model: what it saves to keep what the tower gave.

    python benchmarks/seeing.py                 the tower once a problem, in each pass, for each row: seconds and runs
    python benchmarks/seeing.py --engine plain  the same through the model's own code

One thread. Random weights, a frozen tower, G = 8, with the KL to the start. The weights after the steps must be the
same to 1e-5, however often the tower has run. In each pass: sampling, reference and every pass of the update; for each
row: also once for every row of a group, as a trainer does that hands pixels to the model.
"""

from __future__ import annotations

import argparse
import os
import time

for name, value in {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}.items():
    os.environ.setdefault(name, value)

import numpy as np
import torch

from rlft.methods.grpo import grpo
from rlft.policies.language.engines.choose import Lean, Plain
from rlft.policies.language.policy import Language
from rlft.policies.perception.apart import Apart
from rlft.training.trainer import Trainer
from rlft.types import Problem

MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
PATCH = 14


def built(width: int, layers: int, depth: int, side: int):
    """A Qwen2.5-VL of this shape with random weights, and what is needed of its processor."""
    import transformers as T

    from rlft.models.small_language import BOS, EOS, PAD, character_tokenizer

    words = character_tokenizer("abcdefghijklmnopqrstuvwxyz ?")
    words.add_special_tokens({"additional_special_tokens": list(MARKS)})
    start, end, image, film = words.convert_tokens_to_ids(list(MARKS))
    text = {"vocab_size": len(words), "hidden_size": width, "intermediate_size": 3 * width, "num_hidden_layers": layers}
    text |= {"num_attention_heads": width // 64, "num_key_value_heads": 2, "max_position_embeddings": 512}
    text |= {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [8, 12, 12], "rope_theta": 1e6}
    tower = {"depth": depth, "hidden_size": width, "intermediate_size": 3 * width, "num_heads": width // 64}
    tower |= {"patch_size": PATCH, "out_hidden_size": width, "window_size": 112, "fullatt_block_indexes": [depth - 1]}
    ids = {"image_token_id": image, "video_token_id": film, "vision_start_token_id": start, "vision_end_token_id": end}
    config = T.Qwen2_5_VLConfig(text_config=text, vision_config=tower, **ids)
    torch.manual_seed(0)
    model = T.Qwen2_5_VLForConditionalGeneration(config).eval()
    pictures = T.Qwen2VLImageProcessorPil(patch_size=PATCH, size={"shortest_edge": side**2, "longest_edge": side**2})
    return model, Apart(pictures, words, {})


class Pictures:
    """Pictures of noise, and a question."""

    name, split, size = "pictures", "train", 64

    def __init__(self, side: int):
        draws = np.random.default_rng(0)
        self.held = [draws.integers(0, 255, (side, side, 3), dtype=np.uint8) for _ in range(self.size)]

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        return Problem(index, "what is shown here?", columns={"image": self.held[index]}, task=self.name)


def ours(args: argparse.Namespace, mode: str) -> tuple[list[float], int, torch.Tensor]:
    """Seconds of each step, tower runs in all, and the weights after them."""
    model, processor = built(args.width, args.layers, args.depth, args.side)
    policy = Language(model, processor, max_new_tokens=args.tokens, engine={"lean": Lean, "plain": Plain}[args.engine])
    policy.front.hold(model, "frozen", False)
    tower = policy.front.tower
    if mode != "once a problem":
        tower.kept.put = lambda *_: None
    if mode == "for each row":
        once = tower.given
        tower.given = lambda *told: next(reversed([once(*told) for _ in range(8)]))
    method, reward = (
        grpo(beta=0.04, epochs=args.epochs),
        lambda problems, outputs: [float(len(set(o))) for o in outputs],
    )
    told = {"prompts": args.prompts, "group": 8, "lr": 1e-4, "rows": args.rows, "seed": 0}
    trainer, seconds = Trainer(policy, method, Pictures(args.side), reward, **told), []
    for _ in range(args.steps + 1):
        begun = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - begun)
    trained = [p.detach().flatten() for p in policy.parameters() if p.requires_grad]
    return seconds[1:], policy.front.tower.runs, torch.cat(trained)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"width": 256, "layers": 4, "depth": 4, "side": 336, "tokens": 24, "prompts": 4, "rows": 8, "epochs": 1}
    for name, value in {**defaults, "steps": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--engine", choices=["lean", "plain"], default="lean")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for mode in ("once a problem", "in each pass", "for each row"):
        seconds, runs, weights = ours(args, mode)
        found[mode] = float(np.median(seconds)), weights
        first = found["once a problem"]
        apart, more = float((weights - first[1]).abs().max()), found[mode][0] / first[0]
        times = f"{found[mode][0]:6.2f} s a step, {more:4.2f} times, tower runs {runs / (args.steps + 1):.0f} a step"
        print(f"{mode:<15}{times}, weights apart by {apart:.1e}", flush=True)


if __name__ == "__main__":
    main()
