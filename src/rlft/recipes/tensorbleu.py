"""BLEU as the reward of a small translation model, counted three ways. After TensorBLEU, arXiv:2510.05485.

The paper's case is that BLEU of token ids, a tensor operation, takes the reward out of the training step's time. The
arms: `sentence` counts a batch at a time; `nltk` is the loop of NLTK calls that it replaces, with the same numbers and
so the same training; `prefix` gives each token what it adds to the BLEU so far, which only a metric of all prefixes
makes affordable. What a step spends on the reward is `seconds/reward` of its metrics.

The language is made here: letters, a dictionary, and adjectives that follow their noun. The base has imitated
translations with slips. The test split shares no beginning of a sentence with the training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.gae import return_to_go
from rlft.advantages.group import CONSTANT, deviation
from rlft.advantages.shaping import rewards_of_decisions
from rlft.measure.text import text_measures
from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed, permuted
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import each
from rlft.rewards.sequence import bleu, bleu_per_token
from rlft.runs.drive import Run
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Reward, Rollouts, Runtime, UserError

# Raised when the base would come out otherwise.
VERSION = 1
ADJECTIVES, NOUNS = "abcde", "fghijklmnopqrst"
_WORDS = ADJECTIVES + NOUNS
_SPLITS = {"train": (0, 9), "test": (9, 10)}  # tenths of all beginnings
_TOKENS = 18


def tensorbleu(
    method: Method = grpo(beta=0.0),
    credit: Literal["sentence", "prefix", "nltk"] = "sentence",
    steps: int = 60,
    prompts: int = 16,
    group: int = 16,
    lr: float = 3e-4,
    rows: int | None = None,
    imitation: int = 600,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Translation with BLEU as the reward.

    Args:
        credit: sentence BLEU of a batch, what each token adds to it, or a loop of NLTK calls.
        steps: steps in all.
        prompts: sentences in a step.
        group: translations of each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base model, 64 sentences each: fewer leave it weaker.
        seed: of everything random but the base.
    """
    task = Translation()
    policy = base(imitation, critic=method.critic)
    reward = {"sentence": sentence, "prefix": lambda: per_token(policy.tokenizer), "nltk": nltk_loop}[credit]()
    trainer = Trainer(
        policy,
        replace(method, advantage=to_go) if credit == "prefix" else method,
        task,
        reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        watch_kl=True,
        measures=[text_measures],
        runtime=runtime,
    )
    held_out = Translation(split="test", size=256)
    return Run(trainer, steps, held_out, reward=sentence(), measures=[text_measures])


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


def to_go(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N D"]:
    """A_id = (G_id - mean of G_jd) / std R: rewards from decision d on, against the group's rows that reached d.

    With a single reward at the end, and rows of one length, it is GRPO's advantage in every decision.
    """
    future = return_to_go(rewards_of_decisions(rollouts), rollouts.mask)
    future = torch.where(rollouts.mask, future, torch.nan).unflatten(0, (-1, rollouts.group))
    std = deviation(rollouts.rewards.reshape(-1, rollouts.group), correction=1)[..., None]
    centred = future - future.nanmean(1, keepdim=True)
    advantage = torch.where(std > CONSTANT, centred / std.clamp(min=CONSTANT), 0 * centred).flatten(0, 1)
    return torch.where(rollouts.mask, advantage, 0)


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 sentences with careless translations."""

    def build() -> Language:
        tokenizer = character_tokenizer(_WORDS + _WORDS.upper() + "=")
        model = small_llama(len(tokenizer), width=64, layers=3, context=48)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        stream = Stream(Translation(), seed=0)
        imitate(policy, lambda step: [careless(problem) for problem in stream.take(64)], steps=imitation)
        return policy

    return cached_language(f"tensorbleu-{VERSION}-{imitation}", build, max_new_tokens=_TOKENS, critic=critic)


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
