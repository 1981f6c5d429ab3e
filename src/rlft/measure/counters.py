"""Sentence BLEU beside those who count it too: NLTK, sacrebleu and the published TensorBLEU. Agreement, time, memory.

A batch is one of token ids, Zipf's; a reference is its candidate with some of the tokens replaced; lengths are uniform
in [L/2, L]. Who takes lists or strings is charged for making them of tensors, as a training loop is.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rlft.errors import UserError
from rlft.metrics import sentence_bleu

# Of a batch's references, how much is not their candidate's.
KINDS = {"edited": 0.3, "copied": 0.0, "unrelated": 1.0, "uniform": 1.0}
VOCABULARY = 32_000
OURS = "rlft"
Batch = Mapping[str, Any]  # of tensors, as `sentence_bleu` names them
Counter = Callable[[Batch], list[float]]
Smoothing = Literal["none", "floor", "exp"]
Preset = Literal["nltk", "sacrebleu"]
# The names that the others have for it: an NLTK method, sacrebleu's `smooth_method`, TensorBLEU's `smoothing_method`.
_NLTK = {"none": "method0", "floor": "method1", "exp": "method3"}


def batch(rows: int, length: int, kind: str = "edited") -> dict[str, Any]:
    """Candidates (rows, length) and references (rows, 1, length) with padding 0, and their masks.

    `kind` is one of `KINDS`. The same numbers give the same batch.
    """
    rng = np.random.default_rng(rows * length)
    names = np.arange(1, VOCABULARY)
    chance = 1 / names / (1 / names).sum() if kind != "uniform" else None
    ours = rng.choice(names, (rows, length), p=chance)
    other = rng.choice(names, (rows, length), p=chance)
    theirs = np.where(rng.random((rows, length)) < KINDS[kind], other, ours)
    masks = [np.arange(length) < rng.integers(length // 2, length + 1, rows)[:, None] for _ in range(2)]
    tokens = [torch.tensor(values * mask) for values, mask in zip((ours, theirs), masks, strict=True)]
    return {
        "candidates": tokens[0],
        "references": tokens[1][:, None],
        "candidate_mask": torch.tensor(masks[0]),
        "reference_mask": torch.tensor(masks[1])[:, None],
    }


def lists(given: Batch) -> list[tuple[list[int], list[int]]]:
    """Pairs of token lists, as NLTK takes them."""
    lengths = zip(given["candidate_mask"].sum(1).tolist(), given["reference_mask"].sum(2)[:, 0].tolist(), strict=True)
    rows = zip(given["candidates"].tolist(), given["references"][:, 0].tolist(), lengths, strict=True)
    return [(a[:n], b[:m]) for a, b, (n, m) in rows]


def texts(given: Batch) -> list[tuple[str, str]]:
    """Pairs of strings, a word a token."""
    return [(" ".join(map(str, a)), " ".join(map(str, b))) for a, b in lists(given)]


def ours(smoothing: Smoothing = "floor", preset: Preset = "nltk") -> Counter:
    """This library's, as either of them counts, on the back end that it takes by itself."""
    return lambda given: sentence_bleu(**given, preset=preset, smoothing=smoothing).tolist()


def nltk(smoothing: Smoothing = "floor") -> Counter:
    """A loop of calls of NLTK's `sentence_bleu`."""
    needed("nltk")
    from nltk.translate.bleu_score import SmoothingFunction
    from nltk.translate.bleu_score import sentence_bleu as one

    method: Any = getattr(SmoothingFunction(), _NLTK[smoothing])

    def count(given: Batch) -> list[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of every sentence without a match of some order
            scores: Any = [one([b], a, smoothing_function=method) for a, b in lists(given)]
        return [float(score) for score in scores]  # 0 comes as an integer

    return count


def sacrebleu(smoothing: Smoothing = "floor") -> Counter:
    """A loop of calls of sacrebleu's `sentence_score`."""
    needed("sacrebleu")
    from sacrebleu.metrics.bleu import BLEU

    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    scorer = BLEU(smooth_method=smoothing, tokenize="none", effective_order=True)
    return lambda given: [scorer.sentence_score(a, [b]).score / 100 for a, b in texts(given)]


def published(folder: str | Path, smoothing: Smoothing = "floor") -> Counter:
    """TensorBLEU as it was published, from the folder that `pip install --no-deps --target FOLDER rxlm` makes."""
    if not (Path(folder) / "rxlm").is_dir():
        raise UserError(f"{folder} holds no rxlm: pip install --no-deps --target {folder} rxlm")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    from rxlm.metrics.tensorbleu import tensor_sentence_bleu

    def count(given: Batch) -> list[float]:
        told = {"smoothing_method": smoothing}
        return tensor_sentence_bleu(given["candidates"], given["references"], **told).tolist()

    return count


def needed(package: str) -> None:
    """Raises where it is not installed.

    Raises:
        UserError: what to install.
    """
    if importlib.util.find_spec(package) is None:
        raise UserError(f"this counts with {package}: pip install {package}")


def apart(of: Counter, exact: Counter, batches: Sequence[Batch]) -> float:
    """The largest difference of two counters' scores over all sentences of the batches."""
    pairs = ((of(given), exact(given)) for given in batches)
    return max(abs(a - b) for scores, right in pairs for a, b in zip(scores, right, strict=True))


def times(of: Counter, ours: Counter, given: Batch, pairs: int = 5) -> list[tuple[float, float]]:
    """Processor seconds of both on one batch, after one call of each; in turns, so that a ratio is of neighbours."""
    of(given), ours(given)
    return [(seconds(of, given), seconds(ours, given)) for _ in range(pairs)]


def ratio(taken: Sequence[tuple[float, float]]) -> float:
    """The median of the ratios of neighbours."""
    return statistics.median(a / b for a, b in taken)


def seconds(of: Counter, given: Batch) -> float:
    """Processor seconds of a call, of all threads."""
    start = time.process_time()
    of(given)
    return time.process_time() - start


def peak(of: Counter, given: Batch) -> float:
    """MiB that a call needs above what was held before, by the kernel's high-water mark.

    A call that was larger before leaves memory that is taken again unseen: measure the smaller one first.

    Raises:
        UserError: there is no such mark: not Linux.
    """
    marks = Path("/proc/self/clear_refs")
    if not marks.exists():
        raise UserError("the peak of memory is read off Linux's /proc, which is not here")
    marks.write_text("5")
    before = _marked()
    of(given)
    return (_marked() - before) / 1024


def _marked() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
