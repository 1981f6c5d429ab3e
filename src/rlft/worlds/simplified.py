"""Medical sentences put plainly, by a model that had few examples, and a small classifier of plain against original.

The base first heard sentences said again, each place hard or plain by lot; then it was shown the few pairs there are.
Their annotators leave half of the hard places as they were. The classifier has read the two sides of the same pairs,
and no more; training is on sentences without any simplification. Held-out references are plain in every place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.cache import cached
from rlft.measure.text import text_measures
from rlft.metrics.readability import grade
from rlft.metrics.simplification import corpus_sari
from rlft.models.sequence import Reader
from rlft.models.small_language import small_classifier, small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.learned.fitting import Fitting, Labelled, fit
from rlft.rewards.learned.scored import Scored
from rlft.rewards.plain_language import mentions, readability, sari, similar
from rlft.tasks.medical import MARK, PLACES, Medical, hard_left, said, words, written
from rlft.types import Measure, Problem, Reward, Text
from rlft.worlds import World

# Raised when the base or the classifier would come out otherwise.
VERSION = 2
PAIRS = 200
_TOKENS = 44  # of an answer, with its end
_PLAIN = 5  # places in ten that an annotator puts plainly
Paid = Literal["formula", "probability", "odds", "sari"]


def simplified(
    paid: Paid = "odds",
    content: float = 0.0,
    shown: Literal["pairs", "text"] = "text",
    imitation: int = 400,
    tuning: int = 40,
    epochs: int = 12,
    held_out: int = 160,
    critic: bool = False,
) -> World:
    """Sentences to be put plainly.

    Args:
        paid: by the mean of readability and likeness to the source, by the classifier's probability of plain, by a
            quarter of its log-odds, or by SARI against the references, which nobody has.
        content: weight of the share of facts that are told, beside what is paid.
        shown: what there is to learn from: the pairs, to imitate, or sentences alone.
        imitation: supervised steps of the base, 64 sentences said again each.
        tuning: then so many on the pairs, 64 of them each.
        epochs: of the classifier over the pairs.
        held_out: held-out sentences.
    """
    judge = Scored(reading(epochs), lambda logits: logits[:, 0], "odds", batch=256, reads="completion")
    rewards: dict[str, Reward] = {
        "formula": formula(),
        "probability": by_odds(judge, torch.sigmoid),
        "odds": by_odds(judge, lambda odds: odds / 4),
        "sari": sari(column="source"),
    }
    told, recalled = rewards[paid], mentions()

    def reward(problems: Sequence[Problem], outputs: Any) -> dict[str, Tensor]:
        parts = {"paid": torch.as_tensor(told(problems, outputs))}
        return parts | ({"content": content * torch.as_tensor(recalled(problems, outputs))} if content else {})

    seen = plainness(by_odds(judge, torch.sigmoid))
    train = Pairs() if shown == "pairs" else Medical()
    test = Medical("test", held_out)
    return World(
        base(imitation, tuning, critic),
        train,
        test,
        reward,
        judged=rewards["sari"],
        measures=[seen, text_measures],
        watched=[seen],
        samples=2,
    )


def formula() -> Reward:
    """The mean of readability and of the likeness to the source, as rewards before had it."""
    easy, same = readability(easy=4.0, hard=14.0), similar(counts, "source")

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        return (torch.as_tensor(easy(problems, outputs)) + torch.as_tensor(same(problems, outputs))) / 2

    return reward


def counts(texts: Sequence[str]) -> Float[Tensor, "M H"]:
    """How often each word stands in a text."""
    names = _places()
    found = torch.zeros(len(texts), len(names))
    for row, text in enumerate(texts):
        for word in text.split():
            found[row, names[word]] += 1
    return found


@lru_cache(maxsize=1)
def _places() -> dict[str, int]:
    return {word.strip(): place for place, word in enumerate(words())}


def by_odds(judge: Scored, worth: Any) -> Reward:
    """What the classifier's log-odds of plain are worth."""

    def reward(problems: Sequence[Problem], outputs: Any) -> Tensor:
        return worth(dict(judge(problems, outputs))["odds"])

    return reward


def plainness(believed: Reward) -> Measure:
    """Means over answers.

    facts     share of a sentence's drug and numbers that are told
    told      share of its other places that are told, in hard words or plain
    hard      share of the places still in hard words
    grade     Flesch-Kincaid grade
    plain     the classifier's probability of plain
    corpus    SARI of all answers together
    """
    recalled = mentions()

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        made = [problem.columns["meaning"] for problem in problems]
        texts = [str(output) for output in outputs]
        sources = [problem.columns["source"] for problem in problems]
        references = [written(one, PLACES) for one in made]
        return {
            "facts": float(torch.as_tensor(recalled(problems, outputs)).mean()),
            "told": sum(map(said, made, texts)) / len(texts),
            "hard": sum(map(hard_left, made, texts)) / len(texts),
            "grade": float(grade(texts).nanmean()),
            "plain": float(torch.as_tensor(believed(problems, outputs)).mean()),
            "corpus": float(corpus_sari(sources, texts, references).mean()),
        }

    return measure


class Pairs:
    """The pairs there are, again and again; their simplifications are the annotators'."""

    name, split, size = "pairs", "train", PAIRS

    def at(self, index: int) -> Problem:
        """The pair with this index."""
        return annotated(Medical().at(index % PAIRS + 10**6))


def annotated(problem: Problem) -> Problem:
    """The problem with what an annotator wrote: what was plain, and half of the rest."""
    made, source = problem.columns["meaning"], problem.columns["source"]
    plain = frozenset(
        name
        for name, choices in PLACES.items()
        if choices[made[name]][0] not in source or hashed("annotated", name, *problem.key) % 10 < _PLAIN
    )
    return replace(problem, answer=written(made, plain))


def said_again(draw: int) -> Problem:
    """A sentence and the same again, each with every place hard or plain by lot."""
    problem = Medical().at(2 * 10**6 + draw)
    first, again = (
        frozenset(name for name in PLACES if hashed("said", side, name, draw) % 4 == 0) for side in range(2)
    )
    made = problem.columns["meaning"]
    return replace(problem, input=written(made, first) + MARK, answer=written(made, again))


def base(imitation: int, tuning: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of sentences said again and `tuning` of the pairs."""

    def heard(step: int) -> list[Problem]:
        return [said_again(64 * step + row) for row in range(64)]

    def shown(step: int) -> list[Problem]:
        return [Pairs().at(64 * step + row) for row in range(64)]

    def build() -> Language:
        tokenizer = word_tokenizer(words())
        model = small_llama(len(tokenizer), width=64, layers=2, context=96)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        imitate(policy, heard, steps=imitation, lr=3e-3)
        imitate(policy, shown, steps=tuning, lr=1e-3)
        return policy

    name = f"simplified-{VERSION}-{imitation}-{tuning}"
    return cached_language(name, build, max_new_tokens=_TOKENS, critic=critic)


def reading(epochs: int) -> Reader:
    """The cached classifier of one label, plain, fitted to both sides of the pairs."""

    def build() -> Reader:
        tokenizer = word_tokenizer(words())
        reader = Reader(small_classifier(len(tokenizer), 1, context=96), tokenizer)
        sides = [
            Labelled("", side, label)
            for problem in map(Pairs().at, range(PAIRS))
            for label, side in enumerate((problem.columns["source"], problem.answer))
        ]
        fit(reader, sides, Fitting(epochs=epochs, lr=3e-3, batch=32, held_out=0.0))
        return reader

    return cached(f"simplified-classifier-{VERSION}-{epochs}", build, lambda made, path: made.save(path), Reader.load)
