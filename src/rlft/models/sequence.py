"""Models that read a text and give numbers, one for each label: reward models and classifiers of `transformers`.

What a reader is asked never depends on what stands beside it in a batch. It trains nothing, see `rewards.learned`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.errors import UserError
from rlft.models.texts import in_batches, longest, placed, templated
from rlft.types import Message


@final
class Reader:
    """A model with a head of `labels` numbers, and its tokenizer.

    longest   tokens that it can read
    """

    def __init__(self, model: Any, tokenizer: Any):
        self.model, self.tokenizer = model, tokenizer
        self.labels = int(model.config.num_labels)
        self.longest = longest(model)

    @staticmethod
    def load(
        source: str | Path, labels: int | None = None, dtype: str = "float32", device: str | None = None
    ) -> Reader:
        """The model of a folder or a hub id, without dropout.

        With `labels` it gets so many, and a new head of a fixed seed where it has another. `UserError` for what is no
        such model; weights that are pickled are not read.
        """
        import transformers

        kind, place = placed(dtype, device)
        more = {} if labels is None else {"num_labels": labels, "ignore_mismatched_sizes": True}
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source)
            config = transformers.AutoConfig.from_pretrained(source)
            headed = any("SequenceClassification" in name for name in config.architectures or ())
            if labels is None and not headed:
                raise ValueError(f"it is {', '.join(config.architectures or ['nothing'])}, without a head of labels")
            with torch.random.fork_rng(devices=[]), _quiet():
                torch.manual_seed(0)
                model = transformers.AutoModelForSequenceClassification.from_pretrained(
                    source, dtype=kind, use_safetensors=True, **more
                )
            return Reader(model.to(place).eval(), tokenizer)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{source} is no model that scores texts: {reason:.300}") from error

    def shown(self, prompt: Any, completion: str | Sequence[Message]) -> list[int]:
        """The tokens of a prompt, text or messages, and its completion, or all that was said behind it.

        By the tokenizer's chat template as a user's and an assistant's message; without one, and of a text alone, as
        one text, in which what is said stands line by line.
        """
        said = [Message("assistant", completion)] if isinstance(completion, str) else completion
        if not getattr(self.tokenizer, "chat_template", None):
            if not isinstance(prompt, str):
                prompt = "".join(f"{one['role']}: {one['content']}\n" for one in prompt)
            return list(self.tokenizer(prompt + "\n".join(one.content for one in said))["input_ids"])
        asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        messages = [*asked, *({"role": one.role, "content": one.content} for one in said)]
        return templated(self.tokenizer, messages, "the reward model's chat template does not take the conversation")

    def fits(self, row: Sequence[int]) -> bool:
        """Whether it can read these tokens."""
        return 0 < len(row) <= self.longest

    def logits(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "N L"]:
        """Its numbers of rows of tokens, differentiable, all in one pass."""
        device = next(self.model.parameters()).device
        width, pad = max(map(len, rows)), _unused(rows)
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
        with _padded_by(self.model.config, pad):
            return self.model(input_ids=ids, attention_mask=mask).logits.float()

    @torch.no_grad()
    def read(self, rows: Sequence[Sequence[int]], batch: int = 16) -> Float[Tensor, "N L"]:
        """The same without gradient, `batch` at a time, those of like length together; on the CPU."""
        return in_batches(rows, batch, self.logits, torch.full((len(rows), self.labels), torch.nan))

    def named(self, label: str) -> int:
        """The number of a label, by its name or as a number."""
        names: Mapping[int, str] = self.model.config.id2label
        for number, name in names.items():
            if label in (name, str(number)):
                return int(number)
        raise UserError(f"the classifier has no label {label!r}; it has {', '.join(map(str, names.values()))}")

    @torch.no_grad()
    def divide(self, temperature: float) -> None:
        """Divide what it says by a number, in the weights of its head, so that any reader of the folder sees it."""
        heads = [m for m in self.model.modules() if isinstance(m, nn.Linear) and m.out_features == self.labels]
        if not heads:
            raise UserError(f"{type(self.model).__name__} has no linear head of {self.labels} labels")
        for weight in heads[-1].parameters():
            weight /= temperature

    def save(self, folder: Path) -> None:
        """An ordinary folder of `transformers`."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def _unused(rows: Sequence[Sequence[int]]) -> int:
    """A token that none of the rows has.

    Models with a head on the last token look for it as the last that is no padding; a text that ends with the padding
    token, as those whose padding is the end do, would be read one token too early.
    """
    there = {token for row in rows for token in row}
    return next(token for token in range(len(there) + 1) if token not in there)


@contextmanager
def _quiet() -> Iterator[None]:
    """A new head is what was asked for, and no news."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def _padded_by(config: Any, token: int) -> Iterator[None]:
    text = config.get_text_config()
    before = getattr(text, "pad_token_id", None)
    text.pad_token_id = token
    try:
        yield
    finally:
        text.pad_token_id = before
