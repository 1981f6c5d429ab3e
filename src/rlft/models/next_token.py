"""How likely a causal language model of `transformers` finds one of a few words to come next. It draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.errors import UserError
from rlft.models.texts import asked, in_batches, language_model, longest


@final
class NextWord:
    """A model and its tokenizer, asked for words that are one token each in some spelling.

    model   called with `input_ids` and `attention_mask`; it may be the model of a policy that is being trained
    words   each a list of tokens: `Yes`, ` yes`, `YES` … are one word
    """

    def __init__(self, model: Any, tokenizer: Any, words: Sequence[str]):
        self.model, self.tokenizer = model, tokenizer
        self.words = [_spellings(tokenizer, word) for word in words]
        self.longest = longest(model)

    @staticmethod
    def load(source: str, words: Sequence[str], dtype: str = "float32", device: str | None = None) -> NextWord:
        """The model of a folder or a hub id, without gradient; `UserError` for what is none."""
        model, tokenizer = language_model(source, dtype, device)
        return NextWord(model, tokenizer, words)

    def shown(self, text: str) -> list[int]:
        """The tokens of a text: with a chat template a user's message that waits for an answer."""
        return asked(self.tokenizer, text, "verifier")

    @torch.no_grad()
    def likely(self, rows: Sequence[Sequence[int]], batch: int = 16) -> Float[Tensor, "N W"]:
        """The probability of each word behind each row of tokens, its spellings together; on the CPU.

        `batch` rows go through the model at once, those of like length together, which changes no number by more than
        rounding.
        """
        out = torch.empty(len(rows), len(self.words), dtype=torch.float64)
        return in_batches(rows, batch, self._pass, out).float()

    def _pass(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "M W"]:
        device, width = next(self.model.parameters()).device, max(map(len, rows))
        # Padding stands behind, where no token of a causal model looks: what it is does not matter.
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        mask = (torch.arange(width, device=device) < lengths[:, None]).long()
        logits = self.model(input_ids=ids, attention_mask=mask).logits
        last = logits[torch.arange(len(rows), device=device), lengths - 1].double().softmax(-1)
        return torch.stack([last[:, tokens].sum(-1) for tokens in self.words], 1)


def _spellings(tokenizer: Any, word: str) -> list[int]:
    """The tokens that are this word, with or without a space before it, in any of the usual cases."""
    forms = {
        f"{space}{cased}" for cased in (word, word.lower(), word.capitalize(), word.upper()) for space in ("", " ")
    }
    found: set[int] = set()
    for form in forms:
        try:
            tokens = tokenizer(form, add_special_tokens=False)["input_ids"]
        except Exception:  # a tokenizer that does not know a letter
            continue
        if len(tokens) == 1 and tokens[0] != tokenizer.unk_token_id:
            found.add(int(tokens[0]))
    if not found:
        raise UserError(f"{word!r} is not one token of the verifier's; choose another word")
    return sorted(found)
