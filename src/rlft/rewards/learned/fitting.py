"""A scorer or a classifier fitted to data by maximum likelihood, and calibrated. Reads no file, writes none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rlft.errors import UserError
from rlft.losses.preference import focal_ranking
from rlft.metrics.calibration import expected_calibration_error, temperature
from rlft.models.sequence import Reader
from rlft.noise import hashed
from rlft.types import Message

Said = str | Sequence[Message]
"""A completion, or all messages behind a prompt where it is a conversation."""


@dataclass(frozen=True)
class Preference:
    """Of two completions of a prompt the one that is preferred, and the other."""

    prompt: Any
    chosen: Said
    rejected: Said


@dataclass(frozen=True)
class Demonstrated:
    """A completion that was demonstrated, and others that a policy wrote for the same prompt."""

    prompt: Any
    completion: Said
    drawn: tuple[Said, ...]


@dataclass(frozen=True)
class Labelled:
    """A completion and the number of its label."""

    prompt: Any
    completion: Said
    label: int


@dataclass(frozen=True)
class Fitting:
    """How a reward model is fitted.

    Args:
        epochs: passes over the examples.
        lr: learning rate, which falls to 0 along a line; 1e-5 for a pre-trained model, more for tiny ones.
        batch: examples in an update.
        held_out: share of the prompts that is kept back, half to calibrate on and half to measure on.
        seed: of the order of the examples.
        focal: of preferences, the exponent by which pairs that are in order already weigh less; 0 is Bradley and
            Terry's, InternLM2's is 2.
    """

    epochs: int = 1
    lr: float = 1e-5
    batch: int = 16
    held_out: float = 0.2
    seed: int = 0
    focal: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not self.lr > 0 or not 0 <= self.held_out < 1:
            raise UserError(f"epochs and batch are at least 1, lr more than 0, held_out from 0 to below 1; got {self}")
        if not 0 <= self.focal < math.inf:
            raise UserError(f"focal is not negative; got {self.focal}")


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    examples      it was fitted to, `calibrated` those its temperature was found on, and `measured` those that the
                  numbers are of
    held_out      whether it was neither fitted nor calibrated on these; else they are those it was fitted to
    loss          -log p of the label in nats, or of the preference, or of the demonstration among what was drawn
    accuracy      share of the examples whose label, or preference, or demonstration is the likeliest one
    temperature   by which its numbers were divided
    ece_before    expected calibration error without that, and `ece` with it
    """

    examples: int
    calibrated: int
    measured: int
    held_out: bool
    loss: float
    accuracy: float
    temperature: float
    ece_before: float
    ece: float

    @staticmethod
    def of(
        examples: int,
        calibrated: int,
        held_out: bool,
        logits: Float[Tensor, "M L"],
        labels: Int[Tensor, "M"],
        scale: float,
    ) -> Fitted:
        """From the logits of what is measured, before they are divided by the temperature."""
        after = logits / scale
        return Fitted(
            examples=examples,
            calibrated=calibrated,
            measured=len(labels),
            held_out=held_out,
            loss=float(cross_entropy(after.double(), labels)),
            accuracy=float((after.argmax(-1) == labels).double().mean()),
            temperature=scale,
            ece_before=expected_calibration_error(logits, labels),
            ece=expected_calibration_error(after, labels),
        )


Example = Preference | Labelled | Demonstrated


def fit(reader: Reader, examples: Sequence[Example], told: Fitting = Fitting()) -> Fitted:
    """Fit all weights of a reader by maximum likelihood, and calibrate its head by a temperature.

    Preferences: a reader of one label, -log sigmoid(s(chosen) - s(rejected)) (`losses.preference.bradley_terry`),
    or by `told.focal` its focal form.
    Demonstrations: -log softmax(s(demonstration), s(drawn) …)[0], maximum likelihood inverse reinforcement learning
    (`losses.preference.maximum_likelihood_irl`) with the demonstration among the rows and s = r / beta; as many rows
    with each. With one it is a preference.
    Labels: -log softmax(logits)[label], or of a reader of one label -log sigmoid of it for 1 and of its negative for 0.
    Examples of one prompt are fitted, calibrated on, or measured together. Without anything held out the temperature is
    1 and the numbers are of the examples that it was fitted to. `UserError` where a text is longer than it reads.
    """
    if not examples:
        raise UserError("there are no examples to fit a reward model to")
    kinds = {type(example) for example in examples}
    if len(kinds) > 1 or (kinds <= {Preference, Demonstrated} and reader.labels != 1):
        raise UserError("a scorer has one label, and examples are all preferences, all demonstrations or all labels")
    if len(counts := {len(example.drawn) for example in examples if isinstance(example, Demonstrated)}) > 1:
        raise UserError(f"as many rows are drawn for each demonstration; got {', '.join(map(str, sorted(counts)))}")
    rows = [_read(reader, example) for example in examples]
    parts = parts_of([str(example.prompt) for example in examples], told.held_out)
    learned, calibrated, measured = ([rows[i] for i, part in enumerate(parts) if part == which] for which in range(3))
    if not learned:
        raise UserError(f"held_out={told.held_out} leaves none of {len(rows)} examples to learn from")
    _learn(reader, learned, told)
    scale = temperature(*_of(reader, calibrated, told.batch)) if calibrated else 1.0
    logits, labels = _of(reader, measured or learned, told.batch)
    reader.divide(scale)
    return Fitted.of(len(learned), len(calibrated), bool(measured), logits, labels, scale)


Row = tuple[list[list[int]], int]
"""The texts of an example as tokens, the chosen or demonstrated one first, and its label."""


def _read(reader: Reader, example: Example) -> Row:
    if isinstance(example, Preference):
        texts, label = [example.chosen, example.rejected], 0
    elif isinstance(example, Demonstrated):
        texts, label = [example.completion, *example.drawn], 0
    else:
        texts, label = [example.completion], example.label
        if not 0 <= label < max(reader.labels, 2):
            raise UserError(f"label {label} is none of the {max(reader.labels, 2)} that the classifier has")
    rows = [reader.shown(example.prompt, text) for text in texts]
    if not all(map(reader.fits, rows)):
        raise UserError(f"an example has {max(map(len, rows))} tokens and the model reads 1 to {reader.longest}")
    return rows, label


def logits_of(reader: Reader, rows: Sequence[Row], read: Callable[[list[list[int]]], Tensor]) -> Float[Tensor, "M L"]:
    """Two numbers or more of each example, whose softmax is the model's probability of its labels.

    Of a preference the two scores, of a demonstration its own and those of what was drawn, of a single label 0 and
    what it says, for 0 and 1.
    """
    flat = read([tokens for texts, _ in rows for tokens in texts])
    if (several := len(rows[0][0])) > 1:
        return flat[:, 0].reshape(-1, several)
    return flat if reader.labels > 1 else torch.cat([torch.zeros_like(flat), flat], 1)


def _learn(reader: Reader, rows: Sequence[Row], told: Fitting) -> None:
    steps = told.epochs * math.ceil(len(rows) / told.batch)
    losses = (loss_of(logits_of(reader, batch, reader.logits), batch, told.focal) for batch in _batches(rows, told))
    descend(reader.model, losses, steps, told.lr)


def descend(model: nn.Module, losses: Iterable[Tensor], steps: int, lr: float) -> None:
    """AdamW without decay over the losses, `steps` of them, at a rate that falls to 0 along a line; each is computed
    when its turn has come."""
    parameters = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0)
    for done, loss in enumerate(losses):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 - done / steps)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def loss_of(logits: Float[Tensor, "M L"], rows: Sequence[Row], focal: float = 0.0) -> Float[Tensor, ""]:
    """The mean of -log likelihood of examples, of preferences in its `losses.preference.focal_ranking` form."""
    if len(rows[0][0]) == 2:
        return focal_ranking(logits[:, 0], logits[:, 1], focal).mean()
    return cross_entropy(logits, torch.tensor([label for _, label in rows], device=logits.device))


def _batches(rows: Sequence[Row], told: Fitting) -> Iterator[list[Row]]:
    for epoch in range(told.epochs):
        order = sorted(range(len(rows)), key=lambda row: hashed("fitting", told.seed, epoch, row))
        for start in range(0, len(order), told.batch):
            yield [rows[row] for row in order[start : start + told.batch]]


def _of(reader: Reader, rows: Sequence[Row], batch: int) -> tuple[Tensor, Tensor]:
    """Logits and labels of examples, without gradient."""
    logits = logits_of(reader, rows, lambda texts: reader.read(texts, batch))
    return logits, torch.tensor([label for _, label in rows])


def parts_of(keys: Sequence[str | int], held_out: float) -> list[int]:
    """0 to fit, 1 to calibrate, 2 to measure: by a hash of what examples share that belong together."""
    places = [hashed("held out", key) % 10_000 / 10_000 for key in keys]
    return [0 if place >= held_out else 1 + (place >= held_out / 2) for place in places]
