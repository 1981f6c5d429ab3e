"""Strings to token ids and masks, so that the metrics of this package score text as sacrebleu does.

A tokenizer is a function from a string to a list of tokens: `whitespace`, `characters`, `mteval_13a`, or any other.
Ids are numbered afresh in every call; they name equal tokens and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypedDict

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.metrics.batch import batch
from rlft.metrics.ngrams import Overlap, mean_f, overlap
from rlft.types import UserError

Tokenizer = Callable[[str], Sequence[str]]


class Ids(TypedDict):
    """The first arguments of every metric: `sentence_bleu(**ids(texts, references, mteval_13a))`."""

    candidates: Tensor
    references: Tensor
    candidate_mask: Tensor
    reference_mask: Tensor


def whitespace(text: str) -> list[str]:
    """Words between white space; sacrebleu's `none`."""
    return text.split()


def characters(text: str) -> list[str]:
    """Characters without white space; sacrebleu's `char`."""
    return list("".join(text.split()))


def mteval_13a(text: str) -> list[str]:
    """mteval-v13a, the tokenizer of WMT and sacrebleu's default: punctuation apart, but within numbers."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for escaped, plain in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(escaped, plain)
    text = f" {text} "
    for pattern, apart in _APART:
        text = pattern.sub(apart, text)
    return text.split()


_APART = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def chrf_words(text: str) -> list[str]:
    """The words of chrF++: a mark at the end of a word is a word, else one at its beginning."""
    words: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in _PUNCTUATION:
            words += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in _PUNCTUATION:
            words += [word[0], word[1:]]
        else:
            words.append(word)
    return words


def ids(
    candidates: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    tokenizer: Tokenizer,
    device: torch.device | str = "cpu",
) -> Ids:
    """Token ids [B L] and [B R L] with masks; one reference for each candidate, or a list of them."""
    if len(candidates) != len(references):
        raise UserError(f"{len(candidates)} candidates and {len(references)} references: give one, or a list, for each")
    several = [[one] if isinstance(one, str) else list(one) for one in references]
    names: dict[str, int] = {}

    def named(text: str) -> list[int]:
        return [names.setdefault(token, len(names)) for token in tokenizer(text)]

    ours = [named(text) for text in candidates]
    most = max((len(some) for some in several), default=0)
    theirs = [[named(text) for text in some] + [[]] * (most - len(some)) for some in several]
    tokens, mask = padded(ours)
    flat, flat_mask = padded([row for some in theirs for row in some])
    shape = (len(several), most, -1) if flat.numel() else (len(several), most, flat.shape[-1])
    return Ids(
        candidates=tokens.to(device),
        references=flat.reshape(shape).to(device),
        candidate_mask=mask.to(device),
        reference_mask=flat_mask.reshape(shape).to(device),
    )


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of ids as [B L] with zeros at the end, and the mask of what is a token."""
    length = max((len(row) for row in rows), default=0)
    tokens = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows], dtype=torch.long)
    sizes = torch.tensor([len(row) for row in rows], dtype=torch.long)
    return tokens.reshape(len(rows), length), torch.arange(length) < sizes[:, None]


def text_chrf(
    candidates: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    max_n: int = 6,
    word_order: int = 0,
    beta: float = 2.0,
) -> Float[Tensor, "B"]:
    """chrF of strings, with word_order=2 chrF++ (Popović 2017, W17-4770); sacrebleu's, on a scale to 1."""
    return mean_f(_chrf_overlap(candidates, references, max_n, word_order), beta).amax(1)


def corpus_chrf(
    candidates: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    *,
    max_n: int = 6,
    word_order: int = 0,
    beta: float = 2.0,
) -> Float[Tensor, ""]:
    """chrF of all rows together: n-grams are added before anything is divided; sacrebleu's.

    Of several references a row counts against the one with its own best chrF, the first of equals. A candidate's
    n-grams of an order that its reference is too short for do not count.
    """
    found = _chrf_overlap(candidates, references, max_n, word_order)
    found = found._replace(candidate=found.candidate * (found.reference > 0))
    chosen = mean_f(found, beta).argmax(1)
    rows = torch.arange(len(chosen), device=chosen.device)
    return mean_f(Overlap(*(counts[rows, chosen].sum(0)[None, None] for counts in found)), beta)[0, 0]


def _chrf_overlap(
    candidates: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]], max_n: int, word_order: int
) -> Overlap:
    found = _overlap(candidates, references, characters, max_n)
    if not word_order:
        return found
    words = _overlap(candidates, references, chrf_words, word_order)
    return Overlap(*(torch.cat(both, -1) for both in zip(found, words, strict=True)))


def _overlap(
    candidates: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]], tokenizer: Tokenizer, orders: int
) -> Overlap:
    given = ids(candidates, references, tokenizer)
    return overlap(
        batch(given["candidates"], given["references"], given["candidate_mask"], given["reference_mask"]), orders
    )
