"""A small classifier of 8x8 digits: the judge behind rewards and measures. Never trained by RL.

Train a second one on other images (another seed is not enough) where a measure must not share the reward's mistakes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.cache import cached

# Raised whenever a change below would build other weights from the same arguments.
VERSION = 1


class Judge(nn.Module):
    """An MLP of 64 - 256 - 64 - 10 units on flattened images in [-1, 1]; calling it gives the logits of ten classes."""

    def __init__(self, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.SiLU(), nn.Linear(256, 64), nn.SiLU())
            self.head = nn.Linear(64, 10)

    def features(self, images: Float[Tensor, "N *S"]) -> Float[Tensor, "N 64"]:
        """The last hidden layer, in which Fréchet distances and diversity are measured."""
        return self.body(images.to(self.head.weight))

    def forward(self, images: Float[Tensor, "N *S"]) -> Float[Tensor, "N 10"]:
        return self.head(self.features(images))


def digits_judge(images: Float[Tensor, "M *S"], labels: Int[Tensor, "M"], seed: int = 0) -> Judge:
    """A judge for these images, without gradient; trained once (seconds), then read from the cache.

    Gaussian noise on the training images keeps it from being sure of what it has never seen.
    """
    from safetensors.torch import load_file, save_file

    judge = Judge(seed)

    def build() -> Judge:
        _train(judge, images, labels, seed)
        return judge

    def save(model: Judge, path: Path) -> None:
        save_file(model.state_dict(), path)

    def load(path: Path) -> Judge:
        judge.load_state_dict(load_file(path))
        return judge.requires_grad_(False)

    content = b"".join(t.contiguous().cpu().numpy().tobytes() for t in (images, labels))
    digest = hashlib.blake2b(repr((VERSION, seed)).encode() + content, digest_size=8).hexdigest()
    return cached(f"digits-judge-{digest}.safetensors", build, save, load)


def _train(judge: Judge, images: Tensor, labels: Tensor, seed: int, iterations: int = 1500, batch: int = 128) -> None:
    draws = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=1e-3, weight_decay=0.05)
    for _ in range(iterations):
        rows = torch.randint(len(images), (batch,), generator=draws)
        noisy = images[rows] + 0.2 * torch.randn(images[rows].shape, generator=draws, dtype=images.dtype)
        loss = nn.functional.cross_entropy(judge(noisy), labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
