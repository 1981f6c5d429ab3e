"""Translation of a made language, letters into capitals, by a small model that has imitated translations with slips.

The language is letters, a dictionary, and adjectives that follow their noun. The test split shares no beginning of a
sentence with the training split. The reward is BLEU, counted three ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.measure import counters
from rlft.measure.text import text_measures
from rlft.noise import hashed, permuted
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import each
from rlft.rewards.sequence import bleu, bleu_per_token
from rlft.training.stream import Stream
from rlft.types import Problem, Reward, UserError
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
ADJECTIVES, NOUNS = "abcde", "fghijklmnopqrst"
_WORDS = ADJECTIVES + NOUNS
_SPLITS = {"train": (0, 9), "test": (9, 10)}  # tenths of all beginnings
Credit = Literal["sentence", "prefix", "nltk"]


def capitals(
    credit: Credit,
    imitation: int,
    critic: bool = False,
    beside: tuple[int, int] | None = None,
    rxlm: str | None = None,
) -> World:
    """Translation with BLEU as the reward, of sentences, of each prefix or by a loop of NLTK calls.

    Args:
        credit: who counts, and what.
        imitation: supervised steps of the base model.
        critic: whether the model has one.
        beside: the metric itself is measured at evaluations: sentences and tokens of a batch.
        rxlm: folder of the published implementation, to be measured too.
    """
    policy, seen = base(imitation, critic), [text_measures]
    reward = {"sentence": sentence, "prefix": lambda: per_token(policy.tokenizer), "nltk": nltk_loop}[credit]()
    test = Translation(split="test", size=256)
    probes = [] if beside is None else [Beside(*beside, rxlm)]
    return World(policy, Translation(), test, reward, judged=sentence(), measures=seen, watched=seen, probes=probes)


class Beside:
    """The metric beside others that count it: on `sentences` of `tokens`, made anew and not of the policy.

    apart/NAME    largest difference from NLTK's and sacrebleu's scores, over sentences of all kinds and smoothings; of
                  the published implementation from NLTK's, where some order has no match
    speed/NAME    how many times our processor seconds it takes
    speed/memory  how many times our memory the published one takes, ours taken as 1 MiB at least
    """

    def __init__(self, sentences: int, tokens: int, rxlm: str | None = None):
        self.sentences, self.tokens, self.rxlm = sentences, tokens, rxlm

    def __call__(self, policy: Any) -> dict[str, float]:
        """The numbers; the policy has no part in them."""
        all_kinds = [counters.batch(self.sentences, size, kind) for size in (6, 40) for kind in counters.KINDS]
        told: tuple[counters.Smoothing, ...] = ("none", "floor", "exp")
        found: dict[str, float] = {}
        exactly: dict[counters.Preset, Any] = {"nltk": counters.nltk, "sacrebleu": counters.sacrebleu}
        for name, exact in exactly.items():
            both = [(counters.ours(smoothing, name), exact(smoothing)) for smoothing in told]
            found[f"apart/{name}"] = max(counters.apart(a, b, all_kinds) for a, b in both)
        given, ours = counters.batch(self.sentences, self.tokens), counters.ours()
        others = {"nltk": counters.nltk(), "sacrebleu": counters.sacrebleu()}
        if self.rxlm is not None:
            others["published"] = counters.published(self.rxlm)
            theirs = [(counters.published(self.rxlm, smoothing), counters.nltk(smoothing)) for smoothing in told]
            found["apart/published"] = max(counters.apart(a, b, all_kinds) for a, b in theirs)
            needs = max(counters.peak(ours, given), 1.0)
            found["speed/memory"] = counters.peak(others["published"], given) / needs
        taken = {name: counters.ratio(counters.times(f, ours, given)) for name, f in others.items()}
        return found | {f"speed/{name}": ratio for name, ratio in taken.items()}


def sentence() -> Reward:
    """BLEU of the letters as NLTK smooths it by method 3, the whole batch in one call."""
    return bleu(tokenizer="char", preset="nltk", smoothing="exp")


def per_token(tokenizer: Any) -> Reward:
    """What each token adds to it."""

    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    return bleu_per_token(encode=encode, ignore=tokenizer.all_special_ids, preset="nltk", smoothing="exp")


def nltk_loop() -> Reward:
    """The same numbers by one NLTK call for each completion."""
    try:
        from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    except ImportError:
        raise UserError("credit='nltk' needs nltk: pip install nltk") from None
    smoothing = SmoothingFunction().method3

    def one(problem: Problem, output: Any) -> float:
        score: Any = sentence_bleu([list(problem.answer)], list(output), smoothing_function=smoothing)
        return float(score)

    return each(one)


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 sentences with careless translations."""
    stream = Stream(Translation(), seed=0)
    lessons = Lessons(lambda step: [careless(problem) for problem in stream.take(64)], imitation)
    shape = {"width": 64, "layers": 3, "context": 48}
    name = f"tensorbleu-{VERSION}-{imitation}"
    return taught(name, _WORDS + _WORDS.upper() + "=", lessons, tokens=18, critic=critic, **shape)


class Translation:
    """Sentences of 8 to 15 letters, `fbgk…=`, and their translation into capitals as the answer.

    Every word has one translation; an adjective stands before its noun and is translated behind it. Splits are
    intervals of one permutation of all beginnings of four letters.
    """

    def __init__(self, split: str = "train", size: int | None = None):
        if split not in _SPLITS:
            raise UserError(f"this task has the splits {', '.join(_SPLITS)}; not {split!r}")
        self.name, self.split = "translation", split
        self._total = len(_WORDS) ** 4
        start, stop = (self._total * tenths // 10 for tenths in _SPLITS[split])
        self._start, self.size = start, min(stop - start, size or stop)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        number = permuted(self._start + index, self._total, self.name)
        first = [number // len(_WORDS) ** place % len(_WORDS) for place in range(4)]
        length = 8 + hashed(self.name, "length", number) % 8
        rest = [hashed(self.name, number, place) % len(_WORDS) for place in range(4, length)]
        source = "".join(_WORDS[word] for word in first + rest)
        return Problem(index, f"{source}=", translated(source), task=self.name, split=self.split)


def translated(source: str) -> str:
    """Word by word by the dictionary, each adjective behind the noun that follows it."""
    return "".join(_DICTIONARY[word] for word in _reordered(source))


def careless(problem: Problem) -> Problem:
    """The problem with slips in its answer: a word in eight is any other, half of the adjectives are not moved."""
    source, draw = problem.input[:-1], hashed("careless", problem.index, problem.visit)
    words = list(_reordered(source, kept=draw))
    for place in range(len(words)):
        slip = hashed("slip", draw, place)
        if slip % 8 == 0:
            words[place] = _WORDS[slip // 8 % len(_WORDS)]
    return replace(problem, answer="".join(_DICTIONARY[word] for word in words))


def _reordered(source: str, kept: int = 0) -> Sequence[str]:
    """`kept` has a bit for each place whose adjective stays before its noun."""
    words, place = list(source), 0
    while place < len(words) - 1:
        if words[place] in ADJECTIVES and words[place + 1] in NOUNS:
            if not kept >> place & 1:
                words[place], words[place + 1] = words[place + 1], words[place]
            place += 1
        place += 1
    return words


_DICTIONARY = {word: _WORDS[permuted(place, len(_WORDS), "dictionary")].upper() for place, word in enumerate(_WORDS)}
