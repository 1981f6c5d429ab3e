"""Three formats of one answer by hand, what the corpus holds, and what is asked of harder questions."""

import re
from collections import Counter

import pytest

from rlft.types import Problem, Text
from rlft.worlds import mixed as world
from rlft.worlds.mixed import (
    EASY,
    FORMATS,
    HARD,
    KNOWN,
    SHARES,
    TOKENS,
    Chains,
    answer,
    corpus,
    drawn_format,
    misread,
    mixed,
    results,
    right,
    written,
)

CHAIN = "7a+2b-3c#1"  # 9, 6, 5


def test_by_hand():
    assert results(CHAIN) == "965" and results("1a-3b+2") == "80"
    assert [written(CHAIN, name) for name in FORMATS] == ["p7a2+b3-c1#", "<9><6><5>", "a=9b=6c=5"]
    assert answer("p7a2+b3-c1-") == answer("<9><6><5>") == answer("a=9b=6c=5") == "965"
    assert answer("p7a2+b3-c1#") is None  # no program has the sign: who would run it does not know it
    assert [answer(text) for text in ("", "p", "p7", "p7a2", "<9><6", "<9>a=6", "a9", "965")] == [None] * 8


def test_only_whole_answers_are_right():
    problem = Problem(0, "7a+2b-3......=", "96")
    texts = ["p7a2+b3-", "<9><6>", "a=9b=6", "a=9", "<9><5>", "p7b3-a2+", "a=9b=6c=5"]
    assert [right(problem, text) for text in texts] == [1, 1, 1, 0, 0, 0, 0]
    assert right(problem, Text("a=9b=6", range(6), truncated=True)) == 0


def test_which_format_it_is_the_first_character_shows():
    for name in FORMATS:
        assert KNOWN.of(written(CHAIN, name)) == name == KNOWN.of(written(CHAIN, name)[:1])
    assert KNOWN.names == FORMATS and KNOWN.of("") == "text"


def test_questions():
    easy, test, hard = Chains(EASY, foreign=False), Chains(EASY, 96, "test"), Chains(HARD, 48, "test")
    asked = [test.at(index).input for index in range(96)]
    assert not set(asked) & {easy.at(index).input for index in range(2000)}
    assert {len(question) for question in asked} == {14} and not any("#" in easy.at(i).input for i in range(200))
    for task, size in ((test, 96), (hard, 48)):
        foreign = ["#" in task.at(index).input for index in range(size)]
        assert foreign == [index % 6 == 5 for index in range(size)]
    for index in range(48):
        problem = hard.at(index)
        assert len(problem.answer) == 4 and hard.reward([problem], [Text(problem.demonstration)])[0] == 1
    assert TOKENS > max(len(written(hard.at(0).input.rstrip(".="), name)) for name in FORMATS)


def test_the_corpus():
    """Formats as often as their shares, wrong as often as they are, and a foreign sign always taken for `+`."""
    task, count, good, plain = Chains((*EASY, *HARD)), Counter(), Counter(), Counter()
    for index in range(6000):
        problem = task.at(index)
        told = corpus(problem).demonstration
        name = KNOWN.of(told)
        count[name] += 1
        if "#" in problem.input:
            assert right(problem, told) == 0 and "#" not in told
        else:
            plain[name] += 1
            good[name] += right(problem, told)
    for name, share in SHARES.items():
        assert count[name] / 6000 == pytest.approx(share / 100, abs=0.02)
        assert good[name] / plain[name] == pytest.approx(1 - world._WRONG[name] / 100, abs=0.03)
    assert Counter(drawn_format(draw) for draw in range(100)) == SHARES


def test_one_digit_is_misread():
    seen = set()
    for draw in range(200):
        other = misread("7a+2b-3", draw)
        (place,) = (i for i, (a, b) in enumerate(zip("7a+2b-3", other, strict=True)) if a != b)
        assert re.fullmatch(r"\da\+[123]b-[123]", other) and results(other) != results("7a+2b-3")
        seen.add((place, other[place]))
    assert seen == {(0, d) for d in "012345689"} | {(3, d) for d in "13"} | {(6, d) for d in "12"}


def test_harder_questions_are_asked_besides():
    made = mixed("small", imitation=2, asked=4, draws=2)
    (probe,) = made.probes
    assert probe.task.size == 2 and set(probe(made.policy)) == {"hard", "hard/pass@2", "hard/majority"}
    assert made.test.size == 4 and made.samples == 2
