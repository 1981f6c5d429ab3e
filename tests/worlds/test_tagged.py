"""Answers at once and thoughts, what is said of their tags, tags that the user sets, and the three rewards."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from rlft.tasks.steps import Steps, operations, read, result
from rlft.types import Problem, Text
from rlft.worlds.tagged import budgeted, by_tag, forced, tagged


def test_what_the_teacher_says():
    """Short or long, as often as is said; one result in eight is a slip, and behind three comes a guess."""
    short, slips, longer, guesses = {level: [] for level in range(1, 7)}, [], [], []
    for index in range(3000):
        problem = Steps().at(index)
        said, (start, kinds) = tagged(problem).demonstration, operations(problem.input)
        short[len(kinds)].append(said[0] == "E")
        body, _, answer = said[1:].rpartition("=")
        if said[0] == "E":
            results = [int(digit) for digit in body]
            before = [start, *results]
            slips += [r != result(b, kind) for r, b, kind in zip(results, before, kinds, strict=False)]
            assert len(results) == min(len(kinds), 3)
            assert len(kinds) > 3 or answer == body[-1]
            guesses += [answer == problem.answer] if len(kinds) > 3 else []
        else:
            assert said[0] == "H" and len(body) == 3 * len(read(said)) >= 3 * len(kinds)
            longer.append(len(read(said)) / len(kinds))
    shares = [sum(found) / len(found) for found in short.values()]
    assert shares == pytest.approx([0.7, 0.6, 0.5, 0.5, 0.4, 0.3], abs=0.07)
    assert sum(guesses) / len(guesses) == pytest.approx(0.1, abs=0.04)
    assert sum(slips) / len(slips) == pytest.approx(1 / 8, abs=0.02)
    assert sum(longer) / len(longer) == pytest.approx(1.94, abs=0.1)


def right(problems, outputs):
    return torch.tensor([float("!" in output) for output in outputs])


def test_by_tag():
    # of the first group two thirds are right, which is easy; of the second a half, which is hard
    problems = [Problem(index, "", columns={"level": index + 1}) for index in (0, 0, 0, 3, 3)]
    outputs = [Text(text, range(n)) for text, n in (("E!", 2), ("H!", 6), ("E", 1), ("E!", 2), ("x", 10))]
    found = by_tag(right)(problems, outputs)
    assert found == {
        "easy-1": 2 / 3,
        "easy-4": 0.5,
        "agrees": 0.4,
        "easy": 2 / 3,
        "hard": 0.5,
        "easy/tokens": 3,
        "hard/tokens": 6,
        "spread": 2,
    }
    assert by_tag(right, 0.7)(problems, outputs)["agrees"] == 0.2
    assert set(by_tag(right)(problems[:3], outputs[:3])) == {"easy-1", "agrees", "easy", "easy/tokens"}


class Obedient:
    """Short and right for E at the first levels, long and right for H."""

    def sample(self, problems, group, seed):
        assert group == 1
        outputs = []
        for problem in problems:
            easy = problem.input.endswith("E")
            assert easy or problem.input.endswith("H")
            good = not easy or problem.columns["level"] <= 3
            outputs.append(Text("!" if good else "", range(2 if easy else 9)))
        return type("Rows", (), {"problems": problems, "outputs": outputs})


def test_forced():
    problems = [Problem(i, "q", columns={"level": level}) for i, level in enumerate((1, 3, 4, 5))]
    assert forced(problems, right)(Obedient()) == {
        "set-E": 0.5,
        "set-E/hard": 0.0,
        "set-E/tokens": 2,
        "set-H": 1.0,
        "set-H/hard": 1.0,
        "set-H/tokens": 9,
        "set-longer": 7,
    }


def test_what_is_paid():
    worlds = {paid: budgeted(paid, imitation=2, questions=12) for paid in ("accuracy", "penalty", "adactrl")}
    problem = Steps().at(0)
    good, wrong = f"={problem.answer}", f"={(int(problem.answer) + 1) % 10}"
    rows = [Text("E" + good, range(4)), Text("H" + good, range(20)), Text("E" + wrong, range(4)), Text(good, range(3))]

    def paid(name):
        found = worlds[name].reward([problem] * 4, rows)
        return (sum(found.values()) if isinstance(found, dict) else found).tolist()

    assert paid("accuracy") == [1, 1, 0, 1]
    assert paid("penalty") == pytest.approx([1 - 0.05, 1 - 0.25, -0.05, 1 - 0.0375])
    # three of four right: easy; the longest is 20, 4 of which are a fifth: (1 + cos π/5) / 2
    short = 0.5 * (1 + (1 + 5**0.5) / 4) / 2
    assert paid("adactrl") == pytest.approx([1.5 + short, 1.0, 0.5, 0.5])
    assert all(world.judged([problem] * 4, rows).tolist() == [1, 1, 0, 1] for world in worlds.values())
    probed = worlds["adactrl"].probes[0](worlds["adactrl"].policy)
    assert set(probed) == {f"set-{tag}{of}" for tag in "EH" for of in ("", "/hard", "/tokens")} | {"set-longer"}
    lesson = worlds["adactrl"].policy.demonstrate([replace(tagged(problem))], 0)
    assert Counter(lesson.mask.sum(1).tolist()) and lesson.outputs[0][0] in "EH"
