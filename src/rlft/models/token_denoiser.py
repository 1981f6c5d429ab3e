"""Small networks for strings with masked letters: denoiser and critic, and how a denoiser is trained before any RL.

Not a sampler: `policies.stepwise` turns a denoiser into a policy. There any module serves that maps tokens [N, L] (0 …
V - 1, and V for a mask) and class labels [N] (C means no class) to logits [N, L, V]; these take seconds on a CPU. None
is told the time: how many letters are masked says as much (Sahoo et al. 2024, arXiv:2406.07524, Sec. 3.5).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from rlft.cache import cached
from rlft.models.rates import rate_at

# Raised whenever a change below would build other weights from the same arguments.
VERSION = 1


class _Block(nn.Module):
    """Attention over all places, in both directions, and an MLP; both behind a norm."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm, self.mixed = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.net = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, h: Float[Tensor, "N L W"]) -> Float[Tensor, "N L W"]:
        rows, length, width = h.shape
        parts = self.mixed(self.norm(h)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        h = h + self.joined(seen.reshape(rows, length, width))
        return h + self.net(h)


class _Trunk(nn.Module):
    """Letters, places and the class as L vectors."""

    def __init__(self, length: int, letters: int, classes: int, width: int, layers: int, heads: int):
        super().__init__()
        self.token, self.label = nn.Embedding(letters + 1, width), nn.Embedding(classes + 1, width)
        self.place = nn.Parameter(torch.randn(length, width))
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Int[Tensor, "N L"], label: Int[Tensor, "N"]) -> Float[Tensor, "N L W"]:
        return self.norm(self.blocks(self.token(tokens) + self.place + self.label(label)[:, None]))


class TokenDenoiser(nn.Module):
    """A small transformer that guesses each letter from those that are not masked: 70 000 weights as it stands.

    `classes` may be 0 (unconditional). Weights come from `seed`, not from the global generator.
    """

    def __init__(
        self,
        length: int,
        letters: int,
        classes: int = 0,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        seed: int = 0,
    ):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.trunk = _Trunk(length, letters, classes, width, layers, heads)
            self.leave = nn.Linear(width, letters)

    def forward(self, tokens: Int[Tensor, "N L"], label: Int[Tensor, "N"]) -> Float[Tensor, "N L V"]:
        return self.leave(self.trunk(tokens, label))


class TokenCritic(nn.Module):
    """The value of a string with masks, for a class: one layer, the mean over places, a linear map that starts at 0.

    Takes a time as the critics of denoisers do, and does not look at it.
    """

    def __init__(self, length: int, letters: int, classes: int = 0, width: int = 32, heads: int = 4, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.trunk = _Trunk(length, letters, classes, width, 1, heads)
            self.leave = nn.Linear(width, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, tokens: Int[Tensor, "N L"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
        return self.leave(self.trunk(tokens, label).mean(dim=1))[:, 0]


def masked_loss(
    logits: Float[Tensor, "N L V"], tokens: Int[Tensor, "N L"], masked: Bool[Tensor, "N L"]
) -> Float[Tensor, "N"]:
    """-1/n Σ log p(letter | the others) over the n masked places of each row, n >= 1, in nats per letter.

    With n uniform on 1 … L and the places drawn evenly, L times its mean is the bound on -log p of absorbing diffusion
    (arXiv:2406.07524, Eq. 10), and exactly the mean over all orders of revealing one letter at a time.
    """
    each = functional.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    return torch.where(masked, each, 0).sum(dim=1) / masked.sum(dim=1)


def hidden(u: Float[Tensor, "N L1"]) -> Bool[Tensor, "N L"]:
    """Which places to mask, by L + 1 uniform numbers: their number is uniform on 1 … L, and all sets are alike."""
    length = u.shape[1] - 1
    count = (u[:, -1] * length).long().clamp(max=length - 1) + 1
    return u[:, :-1].argsort(dim=1).argsort(dim=1) < count[:, None]


def train_tokens(
    denoiser: nn.Module,
    data: Int[Tensor, "M L"],
    labels: Int[Tensor, "M"],
    *,
    mask: int,
    iterations: int,
    batch: int = 128,
    lr: float = 3e-3,
    seed: int = 0,
) -> None:
    """`masked_loss` in place, with `mask` (the number of letters) in the input where a letter is to be guessed.

    AdamW; the rate rises over 50 iterations and falls to 0 along a cosine.
    """
    draws = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(denoiser.parameters(), lr=lr, weight_decay=0.01)
    for i in range(iterations):
        rows = torch.randint(len(data), (batch,), generator=draws)
        tokens, masked = data[rows], hidden(torch.rand(batch, data.shape[1] + 1, generator=draws))
        logits = denoiser(tokens.masked_fill(masked, mask), labels[rows])
        loss = masked_loss(logits, tokens, masked).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.param_groups[0]["lr"] = rate_at(lr, i, iterations)
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimiser.step()


def strings_base(
    data: Int[Tensor, "M L"], letters: int, *, iterations: int = 1500, width: int = 64, layers: int = 2, seed: int = 0
) -> TokenDenoiser:
    """An unconditional denoiser of these strings, trained once and then read from the cache."""
    from safetensors.torch import load_file, save_file

    denoiser = TokenDenoiser(data.shape[1], letters, width=width, layers=layers, seed=seed)

    def build() -> TokenDenoiser:
        labels = torch.zeros(len(data), dtype=torch.long)
        train_tokens(denoiser, data, labels, mask=letters, iterations=iterations, seed=seed)
        return denoiser

    def save(model: TokenDenoiser, path: Path) -> None:
        save_file(model.state_dict(), path)

    def load(path: Path) -> TokenDenoiser:
        denoiser.load_state_dict(load_file(path))
        return denoiser

    content = repr((VERSION, letters, iterations, width, layers, seed)).encode() + data.numpy().tobytes()
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    return cached(f"strings-{digest}.safetensors", build, save, load)
