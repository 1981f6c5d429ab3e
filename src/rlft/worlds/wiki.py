"""A small encyclopaedia over a graph of knowledge, with words that are known, that follow, and that are noise.

An article, `k*-f;+a;-h;m;7;x;α;`, is about an entity, a letter. `+a` says whom a relation leads to, which the model
knows by heart; `*-f` whom one leads to and from there another, which it can work out by a scratch line, `c>f`: by `*`
from k to c, by `-` from c to f. The last four are drawn by lot. A model is shown an article with `?` behind it and says
a word that is to be masked, or one with the mask `_` and `!` behind it, and says what stood there, behind a `>`. In a
scratch line it remembers half of the time where a relation leads to, and else always the same false one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.collect.masks import Masking
from rlft.noise import hashed, permuted
from rlft.policies.language.policy import Language
from rlft.rewards import each
from rlft.types import Measure, Problem, Reward, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 4
ENTITIES = "abcdefghijkl"
RELATIONS = "+-*"
CODES = "mnopqrstuvwxyz0123456789αβγδεζηθικλμ"
FOLLOWS = "follows"
KINDS = ("known", FOLLOWS, "noise")
MASKING = Masking("{text}?", "{text}!", "_", r"(\w+)$", r"\w(?=;)", 1)
SHAPE: dict[str, Any] = {"width": 64, "layers": 2, "context": 28}
TOKENS = 4
_PLACES = (0, 1, 2, 2, 3, 3, 5, 7)  # whose lessons the base has, see `lesson`
_TEST = 5  # one pair of hops in so many is held out, and so are articles with it
Reading = Literal["spans", "text"]


def leads(entity: str, relation: str) -> str:
    """Whom a relation leads to; each leads to everyone once."""
    return ENTITIES[permuted(ENTITIES.index(entity), len(ENTITIES), "wiki", relation)]


def recalled(entity: str, relation: str, *draw: object) -> str:
    """The same as the base's teacher remembers it in a scratch line: rightly, or in the one wrong way that he has."""
    if hashed("recalled", *draw) % 2:
        return leads(entity, relation)
    return ENTITIES[permuted(ENTITIES.index(entity), len(ENTITIES), "wiki", "false", relation)]


class Articles:
    """Articles, each with a word that follows, two that are known and four of noise, in this order.

    `columns["kinds"]` says of each word which kind it is, `columns["hops"]` from whom and by which
    relations the first word follows, `columns["hop"]` whom the first of them leads to. Splits
    have other pairs of hops. No word occurs twice, nor is it the article's entity. There is no end of them.
    """

    size = None

    def __init__(self, split: str = "train"):
        self.name, self.split = "wiki", split

    def at(self, index: int) -> Problem:
        """The article with this index."""
        attempt = 0
        while (found := self._drawn(index, attempt)) is None:
            attempt += 1
        return found

    def _drawn(self, index: int, attempt: int) -> Problem | None:
        draw = hashed("wiki", self.split, index, attempt)
        entity = ENTITIES[draw % len(ENTITIES)]
        one, two = (RELATIONS[hashed(draw, hop) % len(RELATIONS)] for hop in ("one", "two"))
        if (hashed(entity, one, two) % _TEST == 0) != (self.split == "test"):
            return None
        left_out, hop = hashed(draw, "known") % len(RELATIONS), leads(entity, one)
        facts = [(f"{entity}{one}{two}", leads(hop, two), FOLLOWS)]
        facts += [(key, leads(entity, key), "known") for place, key in enumerate(RELATIONS) if place != left_out]
        facts += [("", CODES[hashed(draw, "code", place) % len(CODES)], "noise") for place in range(4)]
        kinds = {value: kind for _, value, kind in facts}
        if len(kinds) < len(facts) or entity in kinds:
            return None
        text = "".join(f"{key}{value};" for key, value, _ in facts)
        return Problem(
            index, text, None, {"kinds": kinds, "hops": entity + one + two, "hop": hop}, self.name, self.split
        )


class Read:
    """The articles to be read from left to right: next tokens, a demonstration each."""

    size = None

    def __init__(self, articles: Articles):
        self.articles, self.name, self.split = articles, "wiki-text", articles.split

    def at(self, index: int) -> Problem:
        """The article with this index: its first character is the prompt."""
        article = self.articles.at(index)
        return replace(article, input=article.input[:1], demonstration=article.input[1:], task=self.name)


class Gaps:
    """Held-out articles, each with a word masked: of six four that follow, one that is known, one of noise."""

    def __init__(self, size: int, split: str = "test"):
        self.articles, self.name, self.size, self.split = Articles(split), "wiki-gaps", size, split

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        return gap(self.articles.at(index), KINDS[(1, 1, 1, 1, 0, 2)[index % 6]])


def gap(article: Problem, kind: str) -> Problem:
    """The article with one of its words of this kind masked."""
    kinds: Mapping[str, str] = article.columns["kinds"]
    spans = [span for span in MASKING.words(article.input) if kinds[article.input[slice(*span)]] == kind]
    chosen = spans[hashed("gap", article.input) % len(spans)]
    return replace(MASKING.prediction(article, chosen, 0), task="wiki-gaps")


def wiki(imitation: int = 1200, questions: int = 300, reading: Reading = "spans") -> World:
    """Articles to choose and to predict words of, and held-out ones with a word masked.

    Args:
        imitation: supervised steps of the base model, 64 texts, choices or predictions each, after a third
            as many of choices alone.
        questions: held-out words, two in three of which follow from what is known.
        reading: what the articles are learned from by: spans that are masked, or as text, from left to right.
    """
    articles, right = Articles(), answered()
    task = articles if reading == "spans" else Read(articles)
    measures: list[Measure] = [by_kind(right)]
    return World(base(imitation), task, Gaps(questions), right, measures=measures, watched=measures, samples=2)


def answered() -> Reward:
    """1 where what stands behind the last `>` is the answer."""
    return each(lambda problem, output: float(str(output).rpartition(">")[2] == problem.answer))


def by_kind(reward: Reward) -> Measure:
    """Of what was masked: which kind it is, and how often it is predicted; `worked` are rows with a scratch line.

    share/KIND  share of the rows
    KIND        share of its rows that are right, where there are any
    worked      share of the rows to what follows that say whom the first hop leads to
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        right = [float(one) for one in reward(problems, outputs)]
        kinds = [problem.columns["kinds"][problem.answer] for problem in problems]
        numbers: dict[str, float] = {}
        for kind in KINDS:
            rows = [row for row, its in enumerate(kinds) if its == kind]
            numbers[f"share/{kind}"] = len(rows) / len(kinds)
            if rows:
                numbers[kind] = sum(right[row] for row in rows) / len(rows)
            if rows and kind == FOLLOWS:
                hops = [str(outputs[row]).startswith(f"{problems[row].columns['hop']}>") for row in rows]
                numbers["worked"] = sum(hops) / len(rows)
        return numbers

    return measure


def said(question: Problem, *draw: object) -> str:
    """What the base's teacher answers: what follows he works out, from what he remembers."""
    kinds: Mapping[str, str] = question.columns["kinds"]
    if kinds[question.answer] != FOLLOWS:
        return f">{question.answer}"
    entity, one, two = question.columns["hops"]
    hop = recalled(entity, one, "one", *draw)
    return f"{hop}>{recalled(hop, two, 'two', *draw)}"


def lesson(article: Problem, place: int) -> Problem:
    """What the base learns of an article: 0 is its text, 1 chooses a word of one sentence and 2 of all of it, 3 and 4
    say what follows, 5 and 6 another word, and 7 what follows from nothing but its sentence."""
    if place == 0:
        return replace(article, input=article.input[:1], demonstration=article.input[1:])
    if place < 3:
        sentences = article.input.split(";")[:-1]
        alone = replace(article, input=sentences[hashed("alone", article.input) % len(sentences)] + ";")
        return choice(alone if place == 1 else article)
    if place < 5:
        question = gap(article, FOLLOWS)
    elif place < 7:
        question = gap(article, ("known", "noise")[hashed("kind", article.input) % 2])
    else:
        question = gap(replace(article, input=article.input.partition(";")[0] + ";"), FOLLOWS)
    return replace(question, demonstration=said(question, article.index))


def choice(article: Problem) -> Problem:
    """A word of it, any as likely, that may be masked."""
    words = MASKING.words(article.input)
    chosen = words[hashed("choice", article.input) % len(words)]
    return replace(MASKING.question(article), demonstration=article.input[slice(*chosen)])


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches of such lessons, and before them a third as many of choices alone."""
    alphabet = ENTITIES + RELATIONS + CODES + ";?!_>"
    stages = [Lessons(_lessons((1, 2)), imitation // 3), Lessons(_lessons(_PLACES), imitation)]
    return taught(f"wiki-{VERSION}-{imitation}", alphabet, *stages, tokens=TOKENS, **SHAPE)


def _lessons(places: Sequence[int]) -> Callable[[int], list[Problem]]:
    articles = Articles()
    return lambda step: [lesson(articles.at(64 * step + row), places[row % len(places)]) for row in range(64)]
