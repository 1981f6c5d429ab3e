"""A reasoner that reads captions with mistakes, his traces, and what is told of a model's answers."""

from collections import Counter

from rlft.metrics.boxes import span
from rlft.models.small_language import word_tokenizer
from rlft.tasks.priced import NAMES, priced
from rlft.tasks.shapes import Shapes
from rlft.types import Problem, Text
from rlft.worlds.reasoned import WORDS, Captioned, captioned, lesson, misread, told, trace

TASK = Shapes("reasoned", priced(), size=200)


def test_a_reasoner_adds_up_what_the_caption_says():
    names = ["green disc", "yellow square", "red cross"]
    whole = "<think> green 1 disc 2 yellow 5 square 5 red 5 cross 7</think>7<answer>7</answer>"
    assert trace(names) == whole and captioned(" green 1 disc 2 yellow 5 square 5 red 5 cross 7") == names
    assert trace([]) == "<think></think>0<answer>0</answer>" and captioned("") == []
    tokenizer = word_tokenizer(WORDS)
    assert tokenizer.decode(tokenizer(whole)["input_ids"], skip_special_tokens=True) == whole


def test_what_a_model_saw_and_whether_its_answer_follows():
    things = [{"label": name} for name in ("red disc", "blue disc", "red disc")]
    problem = Problem(0, "", "5", {"things": things})
    said = [
        "<think> blue 2 disc 3 red 3 disc 4 red 4 disc 5</think>5<answer>5</answer>",  # all, in another order
        "<think> red 0 disc 1 blue 3 disc 4</think>4<answer>4</answer>",  # one left out, and the answer follows
        "<think> red 0 disc 1 blue 3 disc 4 red 4 disc 5</think>5<answer>4</answer>",
        "<think> red 0 disc 1 blue</think>3<answer>3</answer>",  # half a thing is worth its word
        "<answer>0</answer>",
    ]
    outputs = [Text(text, range(5)) for text in said]
    assert told([problem] * 5, outputs) == {"thinks": 0.8, "caption": 0.4, "follows": 0.6, "tokens": 5.0}


def test_kept_traces_are_right_and_their_captions_not_always():
    clean, noisy = Captioned(TASK, 0.0), Captioned(TASK, 0.4)
    assert clean.size == 200 > noisy.size > 80
    problems = [noisy.at(index) for index in range(noisy.size)]
    assert all(span(problem.demonstration) == problem.answer for problem in problems)
    assert [problem.index for problem in problems] == [*range(noisy.size)]
    assert all(one.columns == TASK.at(kept).columns for one, kept in zip(problems, noisy.kept, strict=True))
    seen = told(problems, [Text(problem.demonstration) for problem in problems])
    assert seen["follows"] == 1.0 and 0.3 < seen["caption"] < 0.7
    right = [clean.at(index) for index in range(clean.size)]
    assert told(right, [Text(p.demonstration) for p in right])["caption"] == 1.0


def test_how_often_a_caption_is_wrong():
    problems = [TASK.at(index) for index in range(200)]
    held = [[one["label"] for one in problem.columns["things"]] for problem in problems]
    read = [misread(problem, 0.2, 0) for problem in problems]
    assert read != [misread(problem, 0.2, 1) for problem in problems]
    assert [misread(problem, 0.0, 0) for problem in problems] == held
    left = sum(map(len, read)) / sum(map(len, held))
    assert abs(left - 0.8) < 0.05
    whole = [(a, b) for a, b in zip(held, read, strict=True) if len(a) == len(b)]
    wrong = [one != other for a, b in whole for one, other in zip(a, b, strict=True)]
    assert abs(sum(wrong) / len(wrong) - 0.2 * (1 - 1 / len(NAMES))) < 0.06


def test_the_lessons():
    """Of twenty eight are captions, six traces that were asked for, five numbers alone, and one a trace unasked."""
    lessons = [lesson(place, TASK.at(place)) for place in range(20)]
    asked = [problem.columns["question"] for problem in lessons]
    assert Counter(asked) == {"what is there?": 8, "think: what is it worth?": 6, "what is it worth?": 6}
    plain = [one.demonstration for one in lessons if one.columns["question"] == "what is it worth?"]
    assert [said.startswith("<think>") for said in plain] == [False] * 5 + [True]
    seen = next(one for one in lessons if one.columns["question"] == "what is there?")
    assert seen.answer == "".join(f" {one['label']}" for one in seen.columns["things"]) and not seen.demonstration
