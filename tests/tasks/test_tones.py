"""Questions about sounds: one right option, nothing to be guessed, splits that share no sound."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rlft.errors import UserError
from rlft.models.small_language import word_tokenizer
from rlft.rewards import label
from rlft.tasks.sounds import Event
from rlft.tasks.tones import TYPES, WORDS, Tones, fitting, listening, notes


@pytest.fixture(scope="module")
def asked():
    """Sounds and questions of each kind; no sound is made."""
    draws = {kind: random.Random(kind) for kind in TYPES}
    return {kind: [listening([kind])(draw) for _ in range(200)] for kind, draw in draws.items()}


@pytest.mark.parametrize("kind", TYPES)
def test_who_hears_all_knows_the_one_right_option(asked, kind):
    for sound, question in asked[kind]:
        options, named = question.columns["options"], question.columns["anchor"]
        assert len(set(options)) == 4 and question.columns["kind"] == kind and 2 <= len(sound.events) <= 4
        assert fitting(kind, options, sound.events, named) == [question.answer] and named not in options


@pytest.mark.parametrize("kind", TYPES)
def test_who_hears_nothing_guesses(asked, kind):
    """The best that a question alone can say, by the place or the text of an option: a quarter, up to chance."""
    questions = [question for _, question in asked[kind]]
    places = Counter(one.columns["options"].index(one.answer) for one in questions)
    assert sum(places.values()) == 200 and max(places.values()) < 75 and min(places.values()) > 25  # 4 deviations
    offered = Counter(option for one in questions for option in one.columns["options"])
    for option, count in Counter(one.answer for one in questions).items():
        assert abs(count / offered[option] - 0.25) < 4 * (0.25 * 0.75 / offered[option]) ** 0.5


def test_a_quarter_is_earned_by_any_fixed_choice():
    problems = [Tones("chance", listening()).at(index) for index in range(100)]
    problems = [replace(problem, answer=f"<answer>{problem.answer}</answer>") for problem in problems]
    firsts = [f"<answer>{problem.columns['options'][0]}</answer>" for problem in problems]
    assert abs(float(label()(problems, firsts).mean()) - 0.25) < 4 * 0.0433
    assert (label()(problems, [problem.answer for problem in problems]) == 1).all()


def test_options_are_right_by_hand():
    heard = [
        Event("noise", "", "soft", "long"),
        Event("rise", "low", "loud", "short"),
        Event("clicks", "", "soft", "", 4),
        Event("fall", "high", "soft", "short"),
    ]
    kinds = ["noise", "rise", "clicks", "fall", "tone", "tremolo"]
    expected = {
        "heard": kinds[:4], "missing": kinds[4:], "first": ["noise"], "last": ["fall"], "loudest": ["rise"],
        "longest": ["noise"], "highest": ["fall"],
    }  # fmt: skip
    for kind, right in expected.items():
        assert fitting(kind, kinds, heard) == right
    assert fitting("after", kinds, heard, "rise") == ["clicks"] and fitting("before", kinds, heard, "rise") == ["noise"]
    assert fitting("after", kinds, heard, "fall") == []
    assert fitting("clicks", ["2", "3", "4", "5"], heard) == ["4"]
    assert fitting("chirps", ["up-up", "up-down", "down-up"], heard) == ["up-down"]
    assert notes("loudest", heard) == "soft noise, loud rise, soft clicks, soft fall"
    assert notes("highest", heard) == "noise, low rise, clicks, high fall"
    assert notes("clicks", heard) == "noise, rise, 4 clicks, fall" and notes("first", heard[:2]) == "noise, rise"


def test_what_is_asked_is_in_words_and_shows_a_sound():
    tokenizer, task = word_tokenizer(WORDS), Tones("said", listening(prompts=("think", "answer")))
    ends = set()
    for index in range(30):
        problem = task.at(index)
        audio, text = (part[part["type"]] for part in problem.input[0]["content"])
        assert audio["sampling_rate"] == 16000 and audio["array"].shape == (16000,)
        told = problem.columns
        ends.add(text.split()[-1])
        noted = notes(told["kind"], [Event(**one) for one in told["events"]])
        said = f"<think>{noted}</think><answer>{problem.answer}</answer>"
        for words in (text, said):
            tokens = tokenizer(words)["input_ids"]
            assert tokenizer.decode(tokens, skip_special_tokens=True) == words and len(tokens) < 20
    assert ends == {"think", "answer"}


def test_timbres_and_kinds_are_those_that_were_asked_for():
    draw, family = random.Random(0), listening(["first", "last"], ["square"])
    drawn = [family(draw) for _ in range(20)]
    assert {sound.timbre for sound, _ in drawn} == {"square"}
    assert {question.columns["kind"] for _, question in drawn} == {"first", "last"}
    for wrong in ({"kinds": ["second"]}, {"timbres": ["horn"]}, {"prompts": ["sing"]}):
        with pytest.raises(UserError, match=f"not '{next(iter(wrong.values()))[0]}'"):
            listening(**wrong)


def test_a_problem_is_drawn_again_as_it_was():
    one, two = (Tones("again", listening()).at(3) for _ in range(2))
    assert one.columns == two.columns and one.answer == two.answer
    arrays = [problem.input[0]["content"][0]["audio"]["array"] for problem in (one, two)]
    assert np.array_equal(*arrays)
    assert Tones("again", listening()).at(4).columns != one.columns
