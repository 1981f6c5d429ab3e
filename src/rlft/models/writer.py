"""A causal language model of `transformers` that answers texts, several times each, with noise of the text's own.

For models that are asked beside training, critics for instance. A policy draws its rows otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from rlft.errors import UserError
from rlft.models.texts import asked, language_model, longest
from rlft.noise import hashed, uniform


@final
class Writer:
    """A model and its tokenizer that write up to `limit` tokens at this temperature; at 0 always the likeliest."""

    def __init__(self, model: Any, tokenizer: Any, limit: int, temperature: float = 1.0):
        if limit < 1 or not temperature >= 0:
            raise UserError(f"max_tokens={limit} must be at least 1 and temperature={temperature} not negative")
        self.model, self.tokenizer, self.limit, self.temperature = model, tokenizer, limit, temperature
        self.longest = longest(model)

    @staticmethod
    def load(source: str, limit: int, temperature: float, dtype: str = "float32", device: str | None = None) -> Writer:
        """The model of a folder or a hub id, without gradient; `UserError` for what is none."""
        model, tokenizer = language_model(source, dtype, device)
        return Writer(model, tokenizer, limit, temperature)

    def shown(self, text: str) -> list[int]:
        """The tokens of a text: with a chat template a user's message that waits for an answer."""
        return asked(self.tokenizer, text, "critic")

    @torch.no_grad()
    def replies(self, texts: Sequence[str], votes: int = 1, batch: int = 16) -> list[list[str | None] | None]:
        """`votes` replies to each text, None for one that the limit ended; None instead for a text that is too long.

        A reply is drawn by inverse CDF with the noise of its text and its number, so it depends on nothing else but the
        rounding of sums, and equal texts have equal replies. `batch` texts are read at once.
        """
        rows = [self.shown(text) for text in texts]
        out: list[list[str | None] | None] = [None] * len(texts)
        fit = [row for row, tokens in enumerate(rows) if 0 < len(tokens) <= self.longest - self.limit]
        order = sorted(fit, key=lambda row: len(rows[row]))
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            keys = [hashed("reply", texts[row], vote) for row in some for vote in range(votes)]
            said = self._write([rows[row] for row in some], votes, torch.tensor(keys))
            for place, row in enumerate(some):
                out[row] = said[place * votes : (place + 1) * votes]
        return out

    def _write(self, rows: Sequence[Sequence[int]], votes: int, keys: Tensor) -> list[str | None]:
        """Replies to some texts, those of one text one after another."""
        device, width = next(self.model.parameters()).device, max(map(len, rows))
        ids = torch.tensor([[*[0] * (width - len(row)), *row] for row in rows], device=device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
        ends, noise = set(self._ends()), uniform(keys, self.limit)
        told = self.model(
            input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0), use_cache=True
        )
        cache, logits, mask = told.past_key_values, told.logits[:, -1], mask.repeat_interleave(votes, 0)
        cache.batch_repeat_interleave(votes)
        logits, drawn, over = logits.repeat_interleave(votes, 0), [list[int]() for _ in keys], [False] * len(keys)
        for place in range(self.limit):
            token = self._draw(logits, noise[:, place])
            for row, one in enumerate(token.tolist()):
                if not over[row]:
                    drawn[row].append(one)
                    over[row] = one in ends
            if all(over) or place == self.limit - 1:
                break
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            at = (mask.sum(1) - 1)[:, None]
            told = self.model(
                input_ids=token.to(device)[:, None], attention_mask=mask, position_ids=at, past_key_values=cache
            )
            cache, logits = told.past_key_values, told.logits[:, -1]
        return [self._text(row) if done else None for row, done in zip(drawn, over, strict=True)]

    def _draw(self, logits: Tensor, noise: Tensor) -> Tensor:
        logits = logits.double().cpu()
        if self.temperature == 0:
            return logits.argmax(-1)
        below = (logits / self.temperature).softmax(-1).cumsum(-1)
        return (below < noise[:, None] * below[:, -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)

    def _text(self, tokens: Sequence[int]) -> str:
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _ends(self) -> list[int]:
        told = [self.tokenizer.eos_token_id, getattr(self.model.generation_config, "eos_token_id", None)]
        return [one for ids in told if ids is not None for one in (ids if isinstance(ids, list) else [ids])]
