"""Articles: what they say, what may be masked of them; chance, the oracle, splits; what the teacher says, by hand."""

import re

import pytest

from rlft.collect.masks import text_of
from rlft.types import Text
from rlft.worlds.wiki import (
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
    said,
)

REWARD = answered()


def sentences(article):
    entity, _, rest = article.input.partition(":")
    return entity, [part.split("=") for part in rest.split(";")]


def test_each_relation_leads_to_everyone_once():
    for relation in RELATIONS:
        assert sorted(leads(entity, relation) for entity in ENTITIES) == list(ENTITIES)


def test_what_articles_say():
    places = set()
    for index in range(200):
        article = Articles().at(index)
        entity, said_of = sentences(article)
        kinds = article.columns["kinds"]
        assert [kinds[value] for _, value in said_of].count(FOLLOWS) == 1 and len(kinds) == 5 and entity not in kinds
        for place, (key, value) in enumerate(said_of):
            if kinds[value] == "known":
                assert value == leads(entity, key)
            elif kinds[value] == "noise":
                assert re.fullmatch(r"\d{3}", value) and key in "#$"
            else:
                assert article.columns["hop"] == leads(entity, key[0]) and value == leads(leads(entity, key[0]), key[1])
                places.add(place)
        assert [article.input[slice(*word)] for word in MASKING.words(article.input)] == [v for _, v in said_of]
        assert article == Articles().at(index)
    assert places == set(range(5))


def test_splits_have_other_pairs_of_hops():
    found = {}
    for split in ("train", "test"):
        articles = [sentences(Articles(split).at(index)) for index in range(400)]
        found[split] = {(entity, key) for entity, parts in articles for key, _ in parts if len(key) == 2}
    assert not found["train"] & found["test"] and len(found["test"]) > 20
    assert not {Articles().at(i).input for i in range(400)} & {Articles("test").at(i).input for i in range(400)}


def test_nothing_leaks_and_the_oracle_is_right():
    """And who guesses is right one time in twelve, or a thousand."""
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
    assert REWARD(noise, [Text(">500") for _ in noise]).mean() <= 0.05


def test_what_is_measured():
    one, two = (gap(Articles().at(index), FOLLOWS) for index in (0, 1))
    known = gap(Articles().at(2), "known")
    outputs = [Text(f"{one.columns['hop']}>{one.answer}"), Text(f">{two.answer}x"), Text(known.answer)]
    numbers = by_kind(REWARD)([one, two, known], outputs)
    assert numbers["follows"] == 0.5 and numbers["worked"] == 0.5 and numbers["known"] == 1 and "noise" not in numbers
    assert numbers["share/follows"] == pytest.approx(2 / 3) and numbers["share/noise"] == 0


def test_the_teacher():
    """Works out one in six, and guesses else; knows what is known, and by how noise came about."""
    articles, worked, right = Articles(), 0, 0
    for index in range(600):
        question = gap(articles.at(index), FOLLOWS)
        answer = said(question, 6, index)
        worked += answer == f"{question.columns['hop']}>{question.answer}"
        right += float(REWARD([question], [Text(answer)])[0])
        other = gap(articles.at(index), "noise")
        assert said(other, 6, index) == f">{other.answer}"
    assert abs(worked / 600 - 1 / 6) < 0.05 and abs(right / 600 - (1 / 6 + 5 / 6 / 12)) < 0.06
    read, chosen, asked = (lesson(articles.at(7), place, 1) for place in (0, 1, 2))
    assert read.input + read.demonstration == articles.at(7).input == Read(articles).at(7).input + read.demonstration
    assert MASKING.read(articles.at(7).input, chosen.demonstration) is not None and chosen.input.endswith("?")
    assert asked.demonstration == f"{asked.columns['hop']}>{asked.answer}" and asked.input.count("_") == 1
    short = lesson(articles.at(7), 2, 1, whole=False)
    assert re.fullmatch(r"[a-l]:[-+*]{2}=_!", short.input) and short.demonstration == asked.demonstration
