import time
from collections import Counter

import numpy as np
import pytest

from rlft.models.small_language import word_tokenizer
from rlft.rewards import set_f1
from rlft.tasks.candidates import CANDIDATE_WORDS, KINDS, Candidates, boxed, described, referring
from rlft.types import UserError

SINGULAR = {"squares": "square", "discs": "disc", "rings": "ring", "crosses": "cross", "bars": "bar"}
SIDES = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}
NONE = "<answer>None</answer>"


@pytest.fixture(scope="module")
def problems():
    task = Candidates()
    begun = time.process_time()
    drawn = [task.at(index) for index in range(400)]
    assert (time.process_time() - begun) / len(drawn) < 0.02
    return drawn


def mean(problems, outputs):
    return float(set_f1()(problems, outputs).mean())


def test_all_is_said_in_words_of_the_list_and_drawn_again(problems):
    tokenizer = word_tokenizer(CANDIDATE_WORDS)
    for problem in problems[:80]:
        picture, text = (part[part["type"]] for part in problem.input[0]["content"])
        assert np.asarray(picture).shape == (32, 32, 3) and text == problem.columns["question"]
        for said in (text, problem.answer, problem.demonstration):
            assert tokenizer.decode(tokenizer(said)["input_ids"], skip_special_tokens=True) == said
    assert Candidates().at(7) == problems[7] != Candidates(split="test").at(7)


def test_the_oracle_is_right_and_says_what_is_there(problems):
    assert mean(problems, [problem.demonstration for problem in problems]) == 1
    answering = Candidates(answered="answer")
    for problem in problems[:50]:
        other = answering.at(problem.index)
        assert other.demonstration == f"<answer>{problem.answer}</answer>" and other.answer == problem.answer
        assert problem.columns["question"] == f"{other.columns['question']} think"
        thought = problem.demonstration.partition("</think>")[0]
        for number, thing in enumerate(problem.columns["things"], 1):
            fits = problem.columns["fits"][number - 1]
            assert f" {number}:{described(thing)} {'yes' if fits else 'no'}" in thought
        if problem.columns["kind"] == "relation":
            anchor = problem.columns["things"][problem.columns["anchor"]]
            assert thought.startswith(f"<think> {anchor['label']} at ")
            assert problem.columns["question"].split(" among")[0].endswith(anchor["label"])


def test_what_fits_is_what_is_said(problems):
    for problem in problems:
        said = problem.columns["question"].removeprefix("find ").partition(" among")[0]
        things, kind = problem.columns["things"], problem.columns["kind"]
        if kind == "relation":
            colour, _, said_side = said.partition(" things ")
            side, anchor = said_side.split(" the ")
            axis, sign = SIDES[side]
            (held,) = [one["bbox_2d"][axis] for one in things if one["label"] == anchor]
            there = [sign * (one["bbox_2d"][axis] - held) > 0 for one in things]
            right = [one["label"].split()[0] == colour and beside for one, beside in zip(things, there, strict=True)]
            assert sum(there) > sum(right)
        else:
            meant = {SINGULAR.get(word, word) for word in said.split()} - {"things"}
            right = [meant <= set(one["label"].split()) for one in things]
        assert right == problem.columns["fits"], said
        assert problem.answer == boxed([one["bbox_2d"] for one, fit in zip(things, right, strict=True) if fit])


def test_none_to_three_fit_and_no_number_is_better_than_another(problems):
    fitting = Counter(sum(problem.columns["fits"]) for problem in problems)
    assert all(abs(fitting[count] - 100) < 35 for count in range(4)) and set(fitting) == set(range(4))
    assert {len(problem.columns["fits"]) for problem in problems} == {3, 4, 5, 6}
    assert {problem.columns["kind"] for problem in problems} == set(KINDS)
    for place in range(3):
        share = sum(problem.columns["fits"][place] for problem in problems) / len(problems)
        assert abs(share - 0.33) < 0.06
    # What nothing fits is near to something: a red disc is asked for where there is a red square.
    absent = [p for p in problems if p.columns["kind"] == "name" and not any(p.columns["fits"])]
    for problem in absent:
        colour, shapes = problem.columns["question"].removeprefix("find ").split()[:2]
        names = [word for thing in problem.columns["things"] for word in thing["label"].split()]
        assert colour in names or SINGULAR[shapes] in names


def test_blind_answers_earn_little(problems):
    """Without the picture: nothing, everything, or the first so many earn what there is to earn by chance."""
    none = sum(problem.answer == "None" for problem in problems) / len(problems)
    assert mean(problems, [NONE] * len(problems)) == pytest.approx(none, abs=1e-6) and 0.2 < none < 0.3
    for most in range(1, 7):
        said = [f"<answer>{boxed(problem.columns['boxes'][:most])}</answer>" for problem in problems]
        assert mean(problems, said) < 0.5


def test_the_side_that_a_relation_names_is_not_enough():
    """Without the picture: the boxes that lie farthest to the side."""
    task = Candidates(family=referring(["relation"]))
    problems = [task.at(index) for index in range(200)]
    fitting = Counter(sum(problem.columns["fits"]) for problem in problems)
    assert all(fitting[count] > 25 for count in range(4))
    for most in (1, 2, 3):
        said = []
        for problem in problems:
            words = problem.columns["question"].split(" among")[0]
            axis, sign = next(v for k, v in SIDES.items() if f" {k} " in words)
            boxes = sorted(problem.columns["boxes"], key=lambda box: -sign * box[axis])
            said.append(f"<answer>{boxed(boxes[:most])}</answer>")
        assert mean(problems, said) < 0.5


def test_splits_share_no_scene():
    held = [
        {str(Candidates(split=split).at(i).columns["things"]) for i in range(40)}
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, held)) == len(set.union(*held)) == 120


def test_candidates_come_in_another_order_at_each_visit():
    shuffled, fixed = Candidates(), Candidates(hints="fixed")
    orders = set()
    for visit in range(8):
        problem = shuffled.visited(3, visit)
        orders.add(tuple(map(tuple, problem.columns["boxes"])))
        assert mean([shuffled.at(3)], [problem.demonstration]) == 1
        assert fixed.visited(3, visit) == fixed.at(3) == shuffled.at(3)
    assert len(orders) > 2 and len({frozenset(order) for order in orders}) == 1


def test_a_sentence_for_what_cannot_be_asked():
    with pytest.raises(UserError, match="not 'size'"):
        referring(["size"])
    with pytest.raises(UserError, match="at least 3 candidates; got 2 to 6"):
        referring(fewest=2)
