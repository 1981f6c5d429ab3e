"""Models that embed texts: encoders of `transformers`, and sentence models that are made of them. Trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from rlft.errors import UserError
from rlft.models.texts import in_batches, longest, placed


@final
class Sentences:
    """A frozen encoder and its tokenizer: the mean of its last states over a text's tokens, of length 1.

    longest  tokens that it can read; of a longer text it reads the first

    So do most sentence models; a layer that one has behind the mean is not read, nor one that takes a single token.
    """

    def __init__(self, model: Any, tokenizer: Any, batch: int = 64):
        self.model, self.tokenizer, self.batch = model.eval().requires_grad_(False), tokenizer, batch
        self.longest = longest(model)

    @staticmethod
    def load(source: str | Path, dtype: str = "float32", device: str | None = None) -> Sentences:
        """That of a folder or a hub id; `UserError` for what is none. Weights that are pickled are not read."""
        import transformers

        kind, place = placed(dtype, device)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source)
            model = transformers.AutoModel.from_pretrained(source, dtype=kind, use_safetensors=True)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{source} is no model that embeds texts: {reason:.300}") from error
        return Sentences(model.to(place), tokenizer)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "M H"]:
        """An embedding of each text, on the CPU; 0 of one without a token."""
        rows = [list(self.tokenizer(text)["input_ids"])[: self.longest] for text in texts]
        return in_batches(rows, self.batch, self._embedded, torch.zeros(len(rows), self.model.config.hidden_size))

    def _embedded(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "N H"]:
        width = max(1, *map(len, rows))
        device = next(self.model.parameters()).device
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        # A text without a token attends to nothing, and what comes out may be anything.
        total = torch.where(mask[..., None] > 0, states, 0).sum(1)
        return normalize(total / mask.sum(1, keepdim=True).clamp(min=1), dim=1)
