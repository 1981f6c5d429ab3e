import json
from collections import Counter

import numpy as np
import pytest

from rlft.metrics.boxes import detections, first_box
from rlft.models.small_language import word_tokenizer
from rlft.rewards import box_ap, box_iou, od_length
from rlft.tasks.scenes import Thing
from rlft.tasks.shapes import (
    CLASS_WORDS,
    DETECTION_WORDS,
    GROUNDING_WORDS,
    Shapes,
    beside,
    classes,
    detection,
    grounding,
)
from rlft.types import UserError

KINDS = ("name", "colour", "extreme", "relation", "chain")


@pytest.mark.parametrize(
    ("family", "words"),
    [(detection(), DETECTION_WORDS), (grounding(KINDS), GROUNDING_WORDS), (classes(), CLASS_WORDS)],
)
def test_what_is_asked_is_there_and_in_words(family, words):
    tokenizer, task = word_tokenizer(words), Shapes("asked", family)
    for index in range(40):
        problem = task.at(index)
        picture, text = (part[part["type"]] for part in problem.input[0]["content"])
        assert np.asarray(picture).shape == (32, 32, 3) and text == problem.columns["question"]
        for said in (text, problem.answer):
            assert tokenizer.decode(tokenizer(said)["input_ids"], skip_special_tokens=True) == said
        again = task.at(index)
        assert again.answer == problem.answer
        assert (np.asarray(again.input[0]["content"][0]["image"]) == np.asarray(picture)).all()


def test_detection_asks_for_what_is_there_and_what_is_not():
    problems = [Shapes("found", detection(), split="test").at(index) for index in range(200)]
    rewards = [reward(problems, [problem.answer for problem in problems]) for reward in (box_ap(), od_length())]
    assert all((values == 1).all() for values in rewards)
    sizes = Counter(len(detections(problem.answer)) for problem in problems)
    assert min(sizes[count] for count in range(4)) >= 5
    for problem in problems:
        labels, things = problem.columns["labels"], problem.columns["things"]
        assert len(set(labels)) == len(labels) == 4
        wanted = [one for one in things if one["label"] in labels]
        assert (json.loads(problem.answer) if wanted else []) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_a_phrase_fits_one_thing(kind):
    task = Shapes(f"grounded-{kind}", grounding([kind]))
    problems = [task.at(index) for index in range(20)]
    assert (box_iou()(problems, [problem.answer for problem in problems]) == 1).all()
    for problem in problems:
        things = problem.columns["things"]
        fitting = [one for one in things if first_box(problem.answer) == tuple(one["bbox_2d"])]
        assert len(fitting) == 1 and problem.columns["kind"] == kind
        if kind == "relation":
            assert sum(one["label"] == fitting[0]["label"] for one in things) > 1


def test_a_class_is_the_one_thing_there_is_and_its_noise_is_as_asked():
    quiet, loud = ([Shapes("classes", classes(noise=noise)).at(i) for i in range(60)] for noise in (0.0, 60.0))
    for problem, noisy in zip(quiet, loud, strict=True):
        assert [one["label"] for one in problem.columns["things"]] == [problem.answer] == [noisy.answer]
    pictures = [np.asarray(one.input[0]["content"][0]["image"]) for one in (quiet[0], loud[0])]
    assert len(np.unique(pictures[0].reshape(-1, 3), axis=0)) == 2
    apart = np.abs(pictures[1].astype(float) - pictures[0])
    # The mean of |N(0, 60)| is 48, and less where a channel ends at 0.
    assert 25 < apart.mean() < 48
    assert len({problem.answer for problem in quiet}) > 20


def test_a_sentence_for_an_unknown_kind_or_split():
    with pytest.raises(UserError, match="not 'behind'"):
        grounding(["behind"])
    with pytest.raises(UserError, match="not 'dev'"):
        Shapes("found", detection(), split="dev")


def test_sides():
    def at(x, y):
        return Thing("disc", "red", (x, y, x + 7, y + 6))

    assert beside(at(5, 5), "left of", at(7, 5)) and beside(at(7, 5), "right of", at(5, 5))
    assert not beside(at(5, 5), "left of", at(6, 5)) and not beside(at(5, 5), "above", at(5, 5))
    assert beside(at(5, 5), "above", at(5, 7)) and beside(at(5, 7), "below", at(5, 5))
