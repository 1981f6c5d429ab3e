"""What translations between tags earn, and what is measured of them as a corpus and of the dictionary they asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from rlft.environments.lookup import Dictionary, answered, queries, words_of
from rlft.errors import UserError
from rlft.metrics import corpus_bleu, corpus_chrf, ids, mteval_13a
from rlft.rewards.sequence import bleu, chrf
from rlft.types import Message, Parts, Problem, Reward


def translation(*, bleu_share: float = 0.5) -> Reward:
    """share · BLEU + (1 - share) · chrF of what stands behind `<answer>`, each in [0, 1] and a part of its own.

    BLEU is sacrebleu's sentence score (13a, exponential smoothing, effective order), chrF its character F2. An output
    without an answer, or that a limit cut off, gets 0; the share of the others is watched as `valid`.
    """
    if not 0 <= bleu_share <= 1:
        raise UserError(f"bleu_share lies between 0 (chrF alone) and 1 (BLEU alone); got {bleu_share}")
    kinds = {"bleu": (bleu_share, bleu(tokenizer="13a")), "chrf": (1 - bleu_share, chrf())}

    def reward(problems: Sequence[Problem], outputs: Any) -> Parts:
        given = [answered(outputs[row]) for row in range(len(problems))]
        texts = [text or "" for text in given]
        parts = {name: share * kind(problems, texts) for name, (share, kind) in kinds.items() if share}
        return Parts(parts, {"valid": torch.tensor([float(text is not None) for text in given])})

    return reward


def corpus_scores(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Corpus `bleu` (13a) and `chrf`, each in [0, 1]; sacrebleu's over 100."""
    return {
        "bleu": float(corpus_bleu(**ids(texts, references, mteval_13a))),
        "chrf": float(corpus_chrf(texts, references)),
    }


def translation_measures(
    known: Collection[str], dictionary: Dictionary
) -> Callable[[Sequence[Problem], Sequence[Any]], dict[str, float]]:
    """A measure of translations in tags, of a policy that may have consulted the dictionary.

    known  the words of the training text's source side; the others are new

    bleu, chrf  of the corpus; a row without an answer counts as an empty one
    letters     of the translations over those of the references: far from 1 is a trick with recall or precision
    valid       share of rows with an answer in its tags that no limit cut off
    queries     words asked for in a row
    found       share of the queries that the dictionary has an entry for
    new         share of the queries that ask for a new word of the sentence
    new_asked   share of the sentences' new words with an entry that were asked for
    chrf/new    chrf of the sentences that have such a word
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Any]) -> dict[str, float]:
        texts, answers = [answered(output) or "" for output in outputs], [str(problem.answer) for problem in problems]
        asked = [_asked(output) for output in outputs]
        new = [{word for word in words_of(problem.input) if word not in known} for problem in problems]
        helped = [{word for word in words if dictionary.find(word)} for words in new]
        count = max(sum(map(len, asked)), 1)
        hard = [row for row, words in enumerate(helped) if words]
        numbers = {
            **corpus_scores(texts, answers),
            "letters": sum(map(len, texts)) / max(sum(map(len, answers)), 1),
            "valid": sum(answered(output) is not None for output in outputs) / len(outputs),
            "queries": sum(map(len, asked)) / len(outputs),
            "found": sum(bool(dictionary.find(word)) for words in asked for word in words) / count,
            "new": sum(word in new[row] for row, words in enumerate(asked) for word in words) / count,
        }
        if hard:
            met = sum(len(helped[row] & set(asked[row])) for row in hard)
            numbers["new_asked"] = met / sum(len(helped[row]) for row in hard)
            numbers["chrf/new"] = float(corpus_chrf([texts[row] for row in hard], [answers[row] for row in hard]))
        return numbers

    return measure


def _asked(output: Any) -> list[str]:
    """The words that a row asked for, as the dictionary reads them."""
    messages: Sequence[Message] = getattr(output, "messages", ())
    words = [word for message in messages if message.own for word in queries(message.content) or ()]
    return [found[0] for word in words if (found := words_of(word))]


def word_for_word(source: str, dictionary: Dictionary) -> str:
    """The source with each word replaced by its first translation, where there is one."""
    found = ((word, dictionary.find(word, 1)) for word in source.split())
    return " ".join(entries[0][1] if entries else word for word, entries in found)


def baselines(problems: Sequence[Problem], dictionary: Dictionary) -> dict[str, float]:
    """What no model is needed for: the source as it is (`copy/…`), and word for word (`words/…`)."""
    sources, answers = [problem.input.strip() for problem in problems], [str(problem.answer) for problem in problems]
    ways = {"copy": sources, "words": [word_for_word(source, dictionary) for source in sources]}
    return {f"{way}/{name}": v for way, texts in ways.items() for name, v in corpus_scores(texts, answers).items()}
