"""The world of answers in free form: teacher, stronger judge, and what is measured of a verifier."""

import pytest
import torch

from rlft.tasks.freeform import Freeform, meaning
from rlft.types import Parts, Problem, Text
from rlft.worlds.freeform import against_the_oracle, careless, freeform, verdict


def test_the_teacher_is_right_as_often_as_not_and_writes_in_every_way():
    task = Freeform()
    said = [(task.at(n), careless(task.at(n), n).answer) for n in range(1200)]
    right = [meaning(text) == meaning(problem.answer) for problem, text in said]
    assert sum(right) / 1200 == pytest.approx(0.5, abs=0.045)  # three deviations
    assert None not in [meaning(text) for _, text in said]
    words = [text for problem, text in said if problem.columns["kind"] == "length"]
    assert sum("mm" in text for text in words) / len(words) == pytest.approx(0.2, abs=0.06)


def test_the_stronger_judge_errs_as_two_of_three_do():
    """3 · 0.1² · 0.9 + 0.1³ = 0.028, and four fifths of the answers are a teacher's."""
    task, errors, taken = Freeform(), [], 0
    for n in range(3000):
        problem = task.at(n)
        shown = verdict("explored", problem, n)
        reference, said = shown.input.removesuffix(" ?").split(" is")
        right = meaning(said) is not None and meaning(reference) == meaning(said)
        errors.append((shown.answer == " yes") != right)
        taken += right
    assert taken / 3000 == pytest.approx(0.4, abs=0.03)
    assert sum(errors) / 3000 == pytest.approx(0.028, abs=0.009)


def test_measures_against_the_oracle():
    """Of four answers two are right; the verifier takes the second and third."""
    rows = [
        *[Problem(0, "length 7 5 =", " twelve cm", {"kind": "length", "values": (12,)})] * 3,
        Problem(1, "count 7 5 =", " 12", {"kind": "count", "values": (12,)}),
    ]
    said = [Text(" 120 mm"), Text(" twelve cm"), Text(" 13 cm"), Text(" 13")]
    binary = lambda problems, outputs: Parts({"verified": torch.tensor([0.0, 1.0, 1.0, 0.0])}, {})  # noqa: E731
    expected = {"free": 2 / 3, "count": 0.0, "fooled": 0.25, "missed": 0.25, "kept": 0.25}
    assert against_the_oracle(binary)(rows, said) == pytest.approx(expected)


def test_who_pays():
    """A verifier that has hardly begun gives half; with z-scores a batch sums to nothing."""
    problems = [Freeform().at(n) for n in range(4)]
    said = [Text(problem.answer) for problem in problems]
    small = {"imitation": 2, "judged": 2, "held_out": 6}
    assert freeform("rule", **small).reward(problems, said).tolist() == [1, 1, 1, 1]
    assert freeform("oracle", **small).reward(problems, said).tolist() == [1, 1, 1, 1]
    soft = freeform("soft", **small).reward(problems, said)["verified"]
    assert bool(((soft > 0) & (soft < 1)).all())
    scaled = freeform("soft", "batch", **small).reward(problems, said)["normalised"]
    assert scaled.sum().item() == pytest.approx(0, abs=1e-5)
    binary = freeform("binary", **small).reward(problems, said)["verified"]
    assert binary.tolist() == (soft > 0.5).float().tolist()
