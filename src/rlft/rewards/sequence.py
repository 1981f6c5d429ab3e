"""Rewards from sequence metrics (`rlft.metrics`): closeness to reference texts, and variety. Whole batches at a time.

References are a problem's answer: a text, or a list of texts. A row without one is not scored (NaN). The unit is always
said: `tokenizer` is 13a, char, whitespace, or a function from a text to its tokens. With `case=False` both are scored
in lower case.

`for_trl` and `for_verl` make functions for other trainers; those of TRL score token ids and decode nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft import metrics
from rlft.metrics.smoothing import Preset, ReferenceLength, Smoothing
from rlft.metrics.text import Ids, padded
from rlft.types import Problem, Reward, Text, UserError

Tokenizer = str | Callable[[str], Sequence[str]]
# Candidates, references and masks by name to a score for each row.
Metric = Callable[..., Tensor]

_TOKENIZERS = {"13a": metrics.mteval_13a, "char": metrics.characters, "whitespace": metrics.whitespace}


def bleu(
    *,
    tokenizer: Tokenizer,
    preset: Preset = "sacrebleu",
    smoothing: Smoothing | None = None,
    effective_order: bool | None = None,
    reference_length: ReferenceLength | None = None,
    max_n: int = 4,
    case: bool = True,
) -> Reward:
    """Sentence BLEU in [0, 1], see `rlft.metrics.bleu`; by default sacrebleu's `sentence_score` over 100."""
    metric = partial(
        metrics.sentence_bleu,
        preset=preset,
        smoothing=smoothing,
        effective_order=effective_order,
        reference_length=reference_length,
        max_n=max_n,
    )
    return _of_text(metric, tokenizer, case)


def gleu(*, tokenizer: Tokenizer, max_n: int = 4, case: bool = True) -> Reward:
    """GLEU in [0, 1], BLEU made for single sentences (arXiv:1609.08144); NLTK's."""
    return _of_text(partial(metrics.gleu, max_n=max_n), tokenizer, case)


def rouge(*, kind: int | Literal["L", "Lsum"], tokenizer: Tokenizer, case: bool = True) -> Reward:
    """The F of ROUGE-N (`kind=1`, 2 …), of ROUGE-L (`kind="L"`), or of ROUGE-L of summaries whose sentences are lines
    (`kind="Lsum"`), best reference. `rouge_score` scores lower case: `case=False`."""
    if kind == "Lsum":
        split = _tokenizer(tokenizer)
        return _of_strings(lambda texts, targets: metrics.rouge_lsum(texts, targets, split).f, case)
    if kind == "L":
        return _of_text(lambda **given: metrics.rouge_l(**given).f, tokenizer, case)
    if not isinstance(kind, int) or kind < 1:
        raise UserError(f"rouge needs kind=1, 2, …, kind='L' or kind='Lsum'; got {kind!r}")
    return _of_text(lambda **given: metrics.rouge_n(n=kind, **given).f, tokenizer, case)


def chrf(*, max_n: int = 6, word_order: int = 0, beta: float = 2.0, case: bool = True) -> Reward:
    """chrF of characters in [0, 1], sacrebleu's over 100; `word_order=2` is chrF++."""
    return _of_strings(partial(metrics.text_chrf, max_n=max_n, word_order=word_order, beta=beta), case)


def repetition(*, n: int, tokenizer: Tokenizer) -> Reward:
    """-(1 - distinct n-grams / n-grams), in [-1, 0]: a punishment (seq-rep-n, arXiv:1908.04319)."""

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        given = metrics.ids(_texts(outputs, problems), [[] for _ in problems], _tokenizer(tokenizer))
        return -metrics.repetition(given["candidates"], n=n, candidate_mask=given["candidate_mask"]).float()

    return reward


def self_bleu(*, group_size: int, tokenizer: Tokenizer, max_n: int = 4) -> Reward:
    """-BLEU against the other completions of the group, in [-1, 0]: a reward of variety (arXiv:1802.01886)."""

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        given = metrics.ids(_texts(outputs, problems), [[] for _ in problems], _tokenizer(tokenizer))
        tokens, mask = given["candidates"], given["candidate_mask"]
        return -metrics.self_bleu(tokens, group_size=group_size, candidate_mask=mask, max_n=max_n).float()

    return reward


def bleu_per_token(
    *,
    encode: Callable[[str], Sequence[int]],
    ignore: Collection[int],
    preset: Preset = "sacrebleu",
    smoothing: Smoothing | None = None,
    effective_order: bool | None = None,
    max_n: int = 4,
) -> Reward:
    """For each token what it adds to the BLEU of the completion so far; a row's sum is its sentence BLEU.

    `encode` makes the policy's token ids of a reference; `ignore` are ids that are no text (stop tokens, padding), and
    earn 0. This is potential-based shaping (Ng et al. 1999) of the sentence's reward without discount.
    """
    targets_of = _Encoded(encode)

    def reward(problems: Sequence[Problem], outputs: Any) -> list[Float[Tensor, "_"]]:
        own = [_own_tokens(outputs[row]) for row in range(len(problems))]
        given = _ids(own, [targets_of(_targets(problem)) for problem in problems], ignore)
        prefixes = metrics.prefix_bleu(
            **given, preset=preset, smoothing=smoothing, effective_order=effective_order, max_n=max_n
        )
        steps = prefixes.diff(dim=1, prepend=torch.zeros_like(prefixes[:, :1])).float()
        unscored = ~given["reference_mask"].any(-1).any(-1)
        steps[unscored] = torch.nan
        return [row[: len(tokens)] for row, tokens in zip(steps, own, strict=True)]

    return reward


def for_trl(
    metric: Metric, *, encode: Callable[[str], Sequence[int]], column: str, ignore: Collection[int] = ()
) -> Callable[..., list[float | None]]:
    """A reward function for TRL's trainers: `reward_funcs=[for_trl(sentence_bleu, encode=…, column="reference")]`.

    It scores the ids TRL passes, without decoding. `column` of the data has a text, a list of texts, or a list of ids;
    each text is encoded once. `ignore` are ids that are no text. None where there is no reference.
    """
    targets_of = _Encoded(encode)

    def reward(completions: Any = None, **columns: Any) -> list[float | None]:
        # Older documentation spells it in the plural.
        own = columns.get("completion_ids", columns.get("completions_ids"))
        if own is None or column not in columns:
            raise UserError(f"this reward needs completion_ids and the column {column!r}; got {', '.join(columns)}")
        given = _ids(own, [targets_of(value) for value in columns[column]], ignore)
        there = given["reference_mask"].any(-1).any(-1).tolist()
        return [score if ok else None for score, ok in zip(metric(**given).tolist(), there, strict=True)]

    reward.__name__ = getattr(metric, "__name__", "metric")
    return reward


def for_verl(metric: Metric, *, tokenizer: Tokenizer) -> Callable[..., Any]:
    """A `compute_score` for verl: of one completion, or of all with the arguments of its batch manager.

    Of one: `data_source, solution_str, ground_truth, extra_info` to a number; of a batch the same in the plural, to a
    list. The ground truth is a text or a list of texts; without one the score is the metric's own of an absent
    reference, 0 for all but `wer` and distances.
    """
    split = _tokenizer(tokenizer)

    def compute_score(
        data_source: Any = None,
        solution_str: str | None = None,
        ground_truth: Any = None,
        extra_info: Any = None,
        *,
        data_sources: Any = None,
        solution_strs: Sequence[str | None] | None = None,
        ground_truths: Sequence[Any] | None = None,
        extra_infos: Any = None,
    ) -> Any:
        if solution_strs is not None and ground_truths is not None:
            return scores(solution_strs, ground_truths).tolist()
        return float(scores([solution_str], [ground_truth]))

    def scores(texts: Sequence[str | None], truths: Sequence[Any]) -> Tensor:
        targets = [[str(one) for one in _listed(truth)] for truth in truths]
        return metric(**metrics.ids([text or "" for text in texts], targets, split))

    return compute_score


def _of_text(metric: Metric, tokenizer: Tokenizer, case: bool) -> Reward:
    split = _tokenizer(tokenizer)
    return _of_strings(lambda texts, targets: metric(**metrics.ids(texts, targets, split)), case)


def _of_strings(metric: Callable[[list[str], list[list[str]]], Tensor], case: bool) -> Reward:
    form = str if case else str.lower

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        targets = [[form(target) for target in _targets(problem)] for problem in problems]
        return _scored(metric([form(text) for text in _texts(outputs, problems)], targets), targets)

    return reward


def _tokenizer(tokenizer: Tokenizer) -> Callable[[str], Sequence[str]]:
    if not isinstance(tokenizer, str):
        return tokenizer
    if tokenizer not in _TOKENIZERS:
        raise UserError(f"unknown tokenizer {tokenizer!r}; there are {', '.join(_TOKENIZERS)}, or a function")
    return _TOKENIZERS[tokenizer]


def _texts(outputs: Any, problems: Sequence[Problem]) -> list[str]:
    return [str(outputs[row]) for row in range(len(problems))]


def _targets(problem: Problem) -> list[str]:
    return [str(target) for target in _listed(problem.answer)]


def _listed(answer: Any) -> list[Any]:
    several = answer if isinstance(answer, list | tuple) else [answer]
    return [one for one in several if one is not None]


def _scored(scores: Tensor, targets: Sequence[Sequence[str]]) -> Float[Tensor, "N"]:
    there = torch.tensor([bool(some) for some in targets])
    return torch.where(there, scores.float(), torch.nan)


def _own_tokens(output: Any) -> tuple[int, ...]:
    if not isinstance(output, Text):
        raise UserError(f"this reward scores the tokens of completions; got {type(output).__name__} without tokens")
    return output.tokens


class _Encoded:
    """References as ids, each text encoded once."""

    def __init__(self, encode: Callable[[str], Sequence[int]]):
        self.encode = encode
        self.known: dict[Hashable, list[int]] = {}

    def __call__(self, value: Any) -> list[list[int]]:
        some = _listed(value)
        if some and isinstance(some[0], int):
            return [some]
        return [self._ids(one) for one in some]

    def _ids(self, one: Any) -> list[int]:
        if not isinstance(one, str):
            return list(one)
        if one not in self.known:
            self.known[one] = list(self.encode(one))
        return self.known[one]


def _ids(own: Sequence[Sequence[int]], targets: Sequence[Sequence[Sequence[int]]], ignore: Collection[int]) -> Ids:
    """Both as tensors; ignored ids stand outside the masks."""
    most = max([1, *map(len, targets)])
    tokens, mask = padded(own)
    flat, flat_mask = padded([row for some in targets for row in [*some, *[()] * (most - len(some))]])
    leave = torch.tensor(sorted(ignore), dtype=torch.long)
    shape = (len(targets), most, flat.shape[-1])
    return Ids(
        candidates=tokens,
        references=flat.reshape(shape),
        candidate_mask=mask & ~torch.isin(tokens, leave),
        reference_mask=(flat_mask & ~torch.isin(flat, leave)).reshape(shape),
    )
