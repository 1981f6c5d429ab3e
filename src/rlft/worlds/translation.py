"""Translation into a language with little text, by a small decoder that may consult a dictionary.

With the tool the demonstrations ask for 0 to 4 random words of the sentence and read the first five matches before they
translate; as the decoder starts from nothing, it is first drilled to take words from one place to another, on words
without sense. A made-up pair needs no data; real ones are given by their paths.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rlft.cache import cached
from rlft.environments.dialogue import ANSWER
from rlft.environments.lookup import QUERY, TRANSLATION, Dictionary, Entry, Lookup, answering, asking, words_of
from rlft.models.small_language import small_llama, subword_tokenizer
from rlft.noise import hashed
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.training.stream import Stream
from rlft.types import Problem, UserError
from rlft.worlds import World
from rlft.worlds.made_language import made_entries, made_pairs
from rlft.worlds.parallel import Parallel, aligned, parted, tabbed
from rlft.worlds.translated import baselines, translation, translation_measures

# Raised when the base would come out otherwise.
VERSION = 1
_TOKENS, _CONTEXT, _ROWS = 40, 256, 16
_MADE = 1000  # sentences of the made-up pair
_EXPLAINED = 24  # letters of an entry's translation beyond which it explains rather than translates
_WORD = re.compile(r"[\w'’ꞌ]+")


def translated(
    queries: int = 4,
    matches: int = 5,
    bleu_share: float = 0.5,
    source: Path | None = None,
    target: Path | None = None,
    dictionary: Path | None = None,
    entry_words: int = 1,
    longest: int = 40,
    held_out: float = 0.15,
    vocabulary: int = 300,
    model: str | None = None,
    drills: int = 600,
    imitation: int = 700,
    critic: bool = False,
) -> World:
    """Translation with a dictionary.

    Args:
        queries: words that a row may ask the dictionary for; 0 translates without it.
        matches: entries that it shows in answer.
        bleu_share: of sentence BLEU in the reward; the rest is chrF.
        source: sentences, one a line; without files it is a made-up pair of languages.
        target: their translations, line by line.
        dictionary: a headword, a tab and its translation a line; by default the shortest pairs of the two files.
        entry_words: words of the source up to which a pair is an entry and not a sentence.
        longest: letters of a sentence, on either side; longer ones are left out.
        held_out: share of the sentences that are evaluated on.
        vocabulary: tokens of the small decoder: 256 bytes and tags, the rest are learned; fewer are easier to copy.
        model: a checkpoint to start from instead of a small decoder.
        drills: steps in which a model that will use the tool learns to, on words without sense, 16 rows each.
        imitation: supervised steps, 16 sentences each.
    """
    given = source is not None or target is not None
    text = read(source, target, dictionary, entry_words, longest, held_out) if given else made(held_out)
    start = partial(_loaded, model) if model else partial(_blank, text, vocabulary)
    tool = Lookup(text.dictionary, max(queries, 1), matches)
    turns = 2 if queries else 1
    policy = Conversation(base(text, queries, tool, (drills, imitation), start, critic), tool, turns)
    test = Parallel(text.pairs, "test", held_out, text.name)
    seen = [translation_measures({word for pair in text.train.pairs for word in words_of(pair[0])}, text.dictionary)]
    scale = baselines([test.at(index) for index in range(test.size)], text.dictionary)
    return World(
        policy,
        text.train,
        test,
        translation(bleu_share=bleu_share),
        judged=translation(),
        measures=seen,
        watched=seen,
        deploy=Conversation(policy.language.with_sampling(temperature=0.0), tool, turns),
        probes=[lambda policy: scale],
    )


@dataclass(frozen=True)
class Data:
    """Sentences of a pair of languages, those to learn from, and the entries of a dictionary."""

    name: str
    pairs: Sequence[Entry]
    train: Parallel
    entries: Sequence[Entry]
    dictionary: Dictionary


def made(held_out: float) -> Data:
    """The made-up pair."""
    return _data("made-up", made_pairs(_MADE), made_entries(), held_out)


def read(
    source: Path | None, target: Path | None, dictionary: Path | None, words: int, longest: int, held_out: float
) -> Data:
    """A pair of files: words in lower case."""
    if source is None or target is None:
        raise UserError("parallel text is two files, line by line: give both --source and --target")
    short, long = parted(_plain(aligned(source, target)), words)
    entries = short if dictionary is None else _plain(tabbed(dictionary))
    pairs = [pair for pair in long if max(map(len, pair)) <= longest]
    return _data(source.stem, pairs, [entry for entry in entries if len(entry[1]) <= _EXPLAINED], held_out)


def base(
    data: Data, queries: int, tool: Lookup, steps: tuple[int, int], start: partial[Language], critic: bool
) -> Language:
    """The supervised model of these sentences, entries and tool, after `steps` of drill and of imitation; cached."""
    drills, imitation = (steps[0] if queries else 0), steps[1]
    options = {"max_new_tokens": _TOKENS, "stop": TRANSLATION[1:]}

    def build() -> Language:
        blank = start(options)
        policy, stream = Conversation(blank, tool, 2 if queries else 1), Stream(data.train, seed=0)
        shown = partial(demonstrated, tool=tool, queries=queries)
        drilled = ([drill(data, _ROWS * step + row) for row in range(_ROWS)] for step in itertools.count())
        if drills:
            imitate(policy, lambda step: next(drilled), steps=drills)
        kept = _ROWS // 2 if drills else 0  # or what was drilled is forgotten
        imitate(policy, lambda step: [*map(shown, stream.take(_ROWS)), *next(drilled)[:kept]], steps=imitation)
        return blank

    sizes = (start.args[-1], queries, tool.matches, drills, imitation)
    told = hashed(*sizes, *data.train.pairs, "entries", *data.entries)
    name = f"dictionary_translation-{VERSION}-{told:x}"
    load = partial(Language.load, critic=critic, **options)
    return cached(name, build, lambda policy, path: policy.save(path), load)


def demonstrated(problem: Problem, tool: Lookup, queries: int) -> Problem:
    """The problem with its answer behind a look-up of 0 to `queries` random words of it, in their order."""
    words, key = list(dict.fromkeys(_WORD.findall(problem.input))), (problem.index, problem.visit)
    ranked = sorted(range(len(words)), key=lambda place: hashed("asked", *key, place))
    asked = [words[place] for place in sorted(ranked[: hashed("asked", *key) % (queries + 1)])]
    said = [("assistant", asking(asked)), ("tool", tool.answer(asked))] if asked else []
    said.append(("assistant", answering(str(problem.answer))))
    return replace(problem, answer=[{"role": role, "content": text} for role, text in said])


def drill(data: Data, number: int) -> Problem:
    """Words that mean nothing together, and a dictionary that says anything: only what was asked and read can help.

    It stands in for what a pre-trained model can do and a blank one cannot: take a word from one place to another.
    """

    def word(side: int, place: int) -> str:
        """A word of the training text."""
        draw = hashed("drill", number, side, place)
        words = data.train.pairs[draw % data.train.size][side].split()
        return words[draw // data.train.size % len(words)]

    pairs = [(word(0, place), word(1, place)) for place in range(3 + hashed("drill", number) % 3)]
    asked = [pair for place, pair in enumerate(pairs) if hashed("drill", number, "asked", place) % 2] or pairs[:1]
    shown = "; ".join(f"{source}: {target}" for source, target in asked)
    said = [asking(source for source, _ in asked), shown, answering(" ".join(target for _, target in asked))]
    messages = [{"role": r, "content": text} for r, text in zip(("assistant", "tool", "assistant"), said, strict=True)]
    return Problem(number, f" {' '.join(source for source, _ in pairs)}\n", messages)


def _data(name: str, pairs: Sequence[Entry], entries: Sequence[Entry], held_out: float) -> Data:
    return Data(name, pairs, Parallel(pairs, "train", held_out, name), entries, Dictionary(entries))


def _plain(pairs: Sequence[Entry]) -> list[Entry]:
    """Words in lower case: a small model has no text to waste on capitals, nor should a full stop earn it BLEU."""
    plain = ((" ".join(_WORD.findall(one.lower())), " ".join(_WORD.findall(other.lower()))) for one, other in pairs)
    return list(dict.fromkeys(pair for pair in plain if all(pair)))


def _loaded(model: str, options: dict[str, Any]) -> Language:
    return Language.load(model, **options)


def _blank(data: Data, vocabulary: int, options: dict[str, Any]) -> Language:
    """A small decoder that has seen nothing, and byte pairs of the training text and the dictionary."""
    texts = [f" {text}" for pair in (*data.train.pairs, *data.entries) for text in pair]
    tags = (*QUERY, *TRANSLATION, *(f"\n{tag}\n" for tag in ANSWER))
    tokenizer = subword_tokenizer(texts, vocabulary, tags)
    blank = small_llama(len(tokenizer), width=128, layers=2, heads=4, context=_CONTEXT, tied=True)
    turns_end = [tokenizer.convert_tokens_to_ids(tag) for tag in (QUERY[1], TRANSLATION[1])]
    policy = Language(blank, tokenizer, **options)
    policy.causal.generation_config.eos_token_id = [tokenizer.eos_token_id, *turns_end]
    return policy
