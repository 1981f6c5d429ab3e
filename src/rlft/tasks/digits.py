"""Handwritten digits, 8x8 (scikit-learn's copy of the UCI set): name a class, be given an image. Not a denoiser.

1797 images, a fifth of them for `test`; which ones, a hash decides. Pixels run from -1 (paper) to 1 (ink).
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.noise import hashed
from rlft.types import Problem, UserError

CLASSES = 10


@cache
def _all() -> tuple[Tensor, Tensor, Tensor]:
    """Images [1797, 8, 8], labels, and which rows are for testing."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UserError("the digits need scikit-learn: pip install 'rlft[digits]'") from error
    pixels, digits = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).float().view(-1, 8, 8) / 8 - 1
    order = sorted(range(len(images)), key=lambda row: hashed("digits split", row))
    test = torch.zeros(len(images), dtype=torch.bool)
    test[order[: len(images) // 5]] = True
    return images, torch.from_numpy(digits).long(), test


class Digits:
    """Problems whose input is a class 0..9 and whose answer is a real image of it, [8, 8] in [-1, 1].

    Without end: index i asks for a class and an image of this split, both hashed from i. `images` and `labels` are
    the whole split, for training base models and judges and for measuring distances.
    """

    name = "digits"
    size = None

    def __init__(self, split: str = "train"):
        if split not in ("train", "test"):
            raise UserError(f"digits have the splits 'train' and 'test', not {split!r}")
        images, labels, test = _all()
        mine = test if split == "test" else ~test
        self.split = split
        self.images: Float[Tensor, "M 8 8"] = images[mine]
        self.labels: Int[Tensor, "M"] = labels[mine]
        self._rows = [(self.labels == digit).nonzero()[:, 0].tolist() for digit in range(CLASSES)]

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        digit = hashed("digits class", self.split, index) % CLASSES
        rows = self._rows[digit]
        image = self.images[rows[hashed("digits image", self.split, index) % len(rows)]]
        return Problem(index=index, input=digit, answer=image, task=self.name, split=self.split)


def mislabelled(labels: Int[Tensor, "M"], share: float, seed: int = 0) -> Int[Tensor, "M"]:
    """The labels with this share of them, chosen by hash, replaced by another class: a base trained on them draws
    the wrong digit about that often."""
    wrong = labels.clone()
    for row in sorted(range(len(labels)), key=lambda row: hashed("mislabelled", seed, row))[
        : round(share * len(labels))
    ]:
        wrong[row] = (int(labels[row]) + 1 + hashed("mislabelled as", seed, row) % (CLASSES - 1)) % CLASSES
    return wrong
