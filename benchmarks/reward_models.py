# ruff: noqa: E402
"""What rewards that are models cost of a GRPO step: a scorer and a verifier of the policy's size, and a served judge.

    python benchmarks/reward_models.py
    python benchmarks/reward_models.py --width 576 --layers 30 --vocabulary 40000 --prompts 1      about as SmolLM2

One thread, random weights, G = 8, one update a step. The judge is a server on loopback that answers every request
after 50 ms, so what is measured of it is waiting, sixteen requests at a time; `again` is the same rows once more, which
its cache has. Columns: seconds of a step, and the reward's, medians; their share is the reward's of the whole step.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

for name, value in {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}.items():
    os.environ.setdefault(name, value)

import torch
import transformers as T

from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer
from rlft.policies.language.policy import Language
from rlft.rewards import judge, scorer, verifier
from rlft.tasks.files import Files
from rlft.training.trainer import Trainer

LETTERS = "abcdefghijklmnopqrstuvwxyz ?"
ASKED = "{prompt}\n{completion}\nis it good?"


class Handler(BaseHTTPRequestHandler):
    """Answers every request after a while with a score."""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.05)
        choice = {"index": 0, "message": {"role": "assistant", "content": "Score: 0.5"}, "finish_reason": "stop"}
        data = json.dumps({"model": "judge", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def saved(args: argparse.Namespace, folder: Path) -> None:
    """A policy and a scorer of this shape."""
    signs = "".join(map(chr, range(0x4E00, 0x4E00 + max(args.vocabulary - 40, 0))))  # so that no two rows are one text
    words = character_tokenizer(LETTERS + "\n" + signs)
    shape = {"hidden_size": args.width, "intermediate_size": 3 * args.width, "num_hidden_layers": args.layers}
    shape |= {"num_attention_heads": args.width // 64, "num_key_value_heads": max(args.width // 192, 1)}
    shape |= {"vocab_size": len(words), "max_position_embeddings": 512, "pad_token_id": 0}
    torch.manual_seed(0)
    for name, kind, more in (
        ("policy", T.LlamaForCausalLM, {"tie_word_embeddings": True}),
        ("scorer", T.LlamaForSequenceClassification, {"num_labels": 1}),
    ):
        kind(T.LlamaConfig(**shape, **more)).save_pretrained(folder / name)
        words.save_pretrained(folder / name)


def measured(args: argparse.Namespace, folder: Path, reward: object) -> tuple[float, float]:
    """Seconds of a step and of its reward, medians."""
    policy = Language.load(str(folder / "policy")).with_sampling(max_new_tokens=args.tokens)
    rows = [{"prompt": (LETTERS * 3)[n : n + 48], "answer": ""} for n in range(16)]
    told = {"prompts": args.prompts, "group": 8, "lr": 1e-6, "seed": 0}
    trainer = Trainer(policy, grpo(beta=0.0), Files(rows, name="letters"), reward, **told)
    lines = [trainer.step() for _ in range(args.steps + 1)][1:]
    return tuple(statistics.median(line[f"seconds/{name}"] for line in lines) for name in ("step", "reward"))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"width": 256, "layers": 8, "vocabulary": 4096, "prompts": 4, "tokens": 48, "steps": 5}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        saved(args, folder)
        served = judge(url=url, model="judge", prompt=ASKED)
        rewards = {
            "a function": lambda problems, outputs: [float(len(set(str(one)))) for one in outputs],
            "scorer": scorer(str(folder / "scorer")),
            "verifier": verifier(str(folder / "policy"), prompt=ASKED, yes="y", no="n", mass=0.0),
            "judge": served,
            "judge, again": served,
        }
        for name, reward in rewards.items():
            step, own = measured(args, folder, reward)
            print(f"{name:<14}{step:7.2f} s a step, {own:6.3f} s of it the reward, {own / step:6.1%}", flush=True)


if __name__ == "__main__":
    main()
