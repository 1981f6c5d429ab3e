"""The rewards and measures of questions about sounds, and the teacher who mishears."""

import random
from dataclasses import replace

import pytest

from rlft.rewards import label
from rlft.tasks.sounds import Event
from rlft.tasks.tagged import Tagged
from rlft.tasks.tones import Tones, fitting, listening, notes
from rlft.training.score import score
from rlft.types import Problem, Text
from rlft.worlds.heard import InTurn, base, by_sort, careful, careless, earned, misheard

EVENTS = [Event("noise", "", "soft", "long"), Event("rise", "low", "loud", "short")]


def total(said, asked="answer"):
    problems = [Problem(0, "which is first: rise, noise, tone, fall? answer", "noise")] * len(said)
    made = score(earned(asked), problems, [Text(one) for one in said], 8)
    return made.total.tolist(), {name: values.tolist() for name, values in made.parts.items()}


def test_a_completion_earns_nought_one_or_two():
    said = ["<answer>noise</answer>", "<answer>rise</answer>", "noise", "rise", "it is <answer>noise</answer>"]
    totals, parts = total(said)
    assert totals == [2, 1, 1, 0, 1]
    # Text outside of the tag takes the form away and not the answer.
    assert parts == {"accuracy": [1, 0, 1, 0, 1], "format": [1, 1, 0, 0, 0]}


def test_with_thoughts_they_are_part_of_the_form():
    said = ["<think>noise, rise</think><answer>noise</answer>", "<answer>noise</answer>", "<think>noise</think>noise"]
    assert total(said, "think")[0] == [2, 1, 1]
    assert total(said, "answer")[0] == [1, 2, 1]


def test_the_order_of_options_does_not_matter_to_the_reward():
    problem = Tones("shuffled", listening(["first"])).at(0)
    said = [Text(f"<answer>{option}</answer>") for option in problem.columns["options"]]
    values = score(earned("answer"), [problem] * 4, said, 8).total
    assert sorted(values.tolist()) == [1, 1, 1, 2] and float(values.mean()) == 1.25
    turned = score(earned("answer"), [problem] * 4, said[::-1], 8).total
    assert turned.tolist() == values.tolist()[::-1]


def test_what_is_imitated_is_the_right_answer_in_its_tags():
    task = Tones("taught", listening(["first"]), size=2)
    one = Tagged(task).at(1)
    assert one.lesson == f"<answer>{task.at(1).answer}</answer>" and one.answer == task.at(1).answer
    assert earned("answer")([one], [Text(one.lesson)])["accuracy"].tolist() == [1]
    # What a sound gives to the tower is read once for all visits.
    assert one.input is task.at(1).input and one.columns is task.at(1).columns


def test_accuracy_by_sort():
    parts = [Tones(name, listening(["first"]), "test", 2) for name in ("same", "types", "timbres")]
    test = InTurn(parts)
    assert test.size == 6
    problems = [test.at(index) for index in range(6)]
    assert [problem.task for problem in problems] == ["same", "types", "timbres"] * 2
    assert [problem.index for problem in problems] == [0, 0, 0, 1, 1, 1]
    right = [True, False, True, True, False, False]
    said = [Text(f"<answer>{p.answer if ok else ''}</answer>") for p, ok in zip(problems, right, strict=True)]
    assert by_sort(problems, said) == {"same": 1, "types": 0, "timbres": 0.5}


def test_who_hears_all_says_what_is_right():
    for prompt, said in (("answer", "<answer>{}</answer>"), ("think", "<think>{}</think><answer>{}</answer>")):
        problem = Tones("clean", listening(["loudest"], prompts=[prompt])).at(0)
        noted = notes("loudest", [Event(**one) for one in problem.columns["events"]])
        assert careful(problem).lesson == said.format(*[noted, problem.answer][2 - said.count("{}") :])
        assert earned(prompt)([problem], [Text(careful(problem).lesson)])["format"].tolist() == [1]


@pytest.fixture(scope="module")
def lessons():
    problems = [Tones("slips", listening(prompts=["think"])).at(index) for index in range(40)]
    return [careless(replace(problem, visit=visit)) for problem in problems for visit in range(15)]


def test_the_teacher_says_what_fits_what_he_heard(lessons):
    tagged = [one for one in lessons if one.lesson.startswith("<think>")]
    assert 0.86 < len(tagged) / len(lessons) < 0.94
    clean = 0
    for one in tagged:
        told = one.columns
        events = [Event(**event) for event in told["events"]]
        if f"<think>{notes(told['kind'], events)}</think>" in one.lesson:
            clean += 1
            assert one.lesson.endswith(f"<answer>{one.answer}</answer>")
    # No kind misheard of two to four events are 0.75² to 0.75⁴; attributes that are written take some of these away.
    assert 0.26 < clean / len(tagged) < 0.54
    right = label()(lessons, [one.lesson for one in lessons])
    assert 0.6 < float(right.mean()) < 0.74
    bare = [one for one in lessons if not one.lesson.startswith("<think>")]
    assert all(one.lesson in one.columns["options"] for one in bare)


def test_another_event_is_heard_one_time_in_four():
    draw = random.Random(0)
    heard = [misheard(EVENTS[1], draw) for _ in range(2000)]
    assert sum(one.kind != "rise" for one in heard) / 2000 == pytest.approx(0.25, abs=0.03)
    same = [one for one in heard if one.kind == "rise"]
    # Redrawn in a quarter of the rest, and then in half of these of the other loudness.
    assert sum(one.loudness == "soft" for one in same) / len(same) == pytest.approx(0.125, abs=0.03)
    assert fitting("first", ["rise", "noise"], EVENTS) == ["noise"]


def test_adapters_stand_on_a_base_that_is_frozen():
    whole, adapted = base(40, 2), base(40, 2, lora=2)
    learning = {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert learning and all("lora_" in name and "tower" not in name for name in learning)
    assert not any("tower" in name or "projector" in name for name, w in whole.named_parameters() if w.requires_grad)
    problems = [Tones("alike", listening()).at(0)]
    assert adapted.sample(problems, 4, 0).outputs == whole.sample(problems, 4, 0).outputs
