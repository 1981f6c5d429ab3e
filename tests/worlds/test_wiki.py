"""Articles: what they say, what may be masked of them; chance, the oracle, splits; what the teacher says, by hand."""

import re

import pytest

from rlft.collect.masks import text_of
from rlft.types import Text
from rlft.worlds.wiki import (
    CODES,
    ENTITIES,
    FOLLOWS,
    KINDS,
    MASKING,
    RELATIONS,
    Articles,
    Gaps,
    Read,
    answered,
    by_kind,
    gap,
    leads,
    lesson,
    recalled,
    said,
)

REWARD = answered()


def sentences(article):
    """Entity, two hops and what follows; pairs of a relation and a word; two codes."""
    first, one, two, *codes, rest = article.input.split(";")
    assert rest == "" and len(first) == 4 and len(codes) == 4
    return first[0], first[1:3], first[3], [one, two], codes


def test_each_relation_leads_to_everyone_once():
    for relation in RELATIONS:
        assert sorted(leads(entity, relation) for entity in ENTITIES) == list(ENTITIES)


def test_what_articles_say():
    for index in range(200):
        article = Articles().at(index)
        entity, hops, follows, known, codes = sentences(article)
        words = {follows: FOLLOWS, **{word[1]: "known" for word in known}, **dict.fromkeys(codes, "noise")}
        assert article.columns["kinds"] == words and len(words) == 7 and entity not in words
        hop = leads(entity, hops[0])
        assert article.columns["hop"] == hop and follows == leads(hop, hops[1])
        assert all(word == leads(entity, relation) for relation, word in known)
        assert all(code in CODES for code in codes) and not {*CODES} & {*ENTITIES}
        assert [article.input[slice(*word)] for word in MASKING.words(article.input)] == list(words)
        assert article == Articles().at(index)


def test_splits_have_other_pairs_of_hops():
    found = {}
    for split in ("train", "test"):
        articles = [sentences(Articles(split).at(index)) for index in range(400)]
        found[split] = {(entity, hops) for entity, hops, *_ in articles}
    assert not found["train"] & found["test"] and len(found["test"]) > 10
    assert not {Articles().at(i).input for i in range(400)} & {Articles("test").at(i).input for i in range(400)}


def test_nothing_leaks_and_the_oracle_is_right():
    """And who guesses is right one time in twelve, or in 36."""
    gaps = [Gaps(300).at(index) for index in range(300)]
    kinds = [one.columns["kinds"][one.answer] for one in gaps]
    assert [kinds.count(kind) for kind in KINDS] == [50, 200, 50]
    for one in gaps:
        assert one.answer not in text_of(one) and text_of(one).count("_") == 1 and text_of(one).endswith("!")
    oracle = [Text(f"{one.columns['hop']}>{one.answer}") for one in gaps]
    assert REWARD(gaps, oracle).mean() == 1
    numbers = by_kind(REWARD)(gaps, oracle)
    assert numbers == {
        "share/known": pytest.approx(1 / 6),
        "share/follows": pytest.approx(2 / 3),
        "share/noise": pytest.approx(1 / 6),
        "known": 1,
        "follows": 1,
        "noise": 1,
        "worked": 1,
    }
    follows = [one for one in gaps if one.columns["kinds"][one.answer] == FOLLOWS]
    guesses = [[Text(f">{letter}") for _ in follows] for letter in ENTITIES]
    assert sum(float(REWARD(follows, guess).mean()) for guess in guesses) == pytest.approx(1)  # 1/12 each on average
    noise = [one for one in gaps if one.columns["kinds"][one.answer] == "noise"]
    assert sum(float(REWARD(noise, [Text(f">{code}")] * len(noise)).mean()) for code in CODES) == pytest.approx(1)


def test_what_is_measured():
    one, two = (gap(Articles().at(index), FOLLOWS) for index in (0, 1))
    known = gap(Articles().at(2), "known")
    outputs = [Text(f"{one.columns['hop']}>{one.answer}"), Text(f">{two.answer}x"), Text(known.answer)]
    numbers = by_kind(REWARD)([one, two, known], outputs)
    assert numbers["follows"] == 0.5 and numbers["worked"] == 0.5 and numbers["known"] == 1 and "noise" not in numbers
    assert numbers["share/follows"] == pytest.approx(2 / 3) and numbers["share/noise"] == 0


def test_the_teacher():
    """Remembers half of the time where a relation leads to, else one false one, and goes on from it."""
    articles, right, first = Articles(), 0, 0
    for index in range(600):
        question = gap(articles.at(index), FOLLOWS)
        entity, one, two = question.columns["hops"]
        hop, end = said(question, index).split(">")
        assert hop in {recalled(entity, one, draw) for draw in range(20)}
        assert end in {recalled(hop, two, draw) for draw in range(20)}
        first += hop == leads(entity, one) == question.columns["hop"]
        right += float(REWARD([question], [Text(f"{hop}>{end}")])[0])
        other = gap(articles.at(index), "noise")
        assert said(other, index) == f">{other.answer}"
    assert abs(first / 600 - 1 / 2) < 0.1 and abs(right / 600 - 1 / 4) < 0.12
    ways = {
        (entity, relation): {recalled(entity, relation, d) for d in range(20)} for entity in "abc" for relation in "+-"
    }
    assert all(len(found) <= 2 and leads(*fact) in found for fact, found in ways.items())


def test_lessons():
    article = Articles().at(7)
    text, alone, chosen, asked, _, other, _, short = (lesson(article, place) for place in range(8))
    assert text.input + text.demonstration == article.input == Read(Articles()).at(7).input + text.demonstration
    assert MASKING.read(article.input, chosen.demonstration) is not None and chosen.input == f"{article.input}?"
    assert alone.input[:-1] in article.input and alone.input.endswith(f"{alone.demonstration};?")
    assert asked.demonstration == said(asked, 7) and asked.input.count("_") == 1
    assert other.demonstration == f">{other.answer}" and other.columns["kinds"][other.answer] != FOLLOWS
    assert re.fullmatch(r"[a-l][-+*]{2}_;!", short.input) and short.demonstration == asked.demonstration
