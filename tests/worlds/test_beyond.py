"""Foreign signs, the teacher who passes over them, what is screened and counted: by hand, and by a script."""

from collections import Counter

import pytest
import torch

from rlft.types import Problem, Rollouts, Text
from rlft.worlds.beyond import KINDS, Counted, Foreign, by_kind, numbers, passing_over, result, rights, spoken, told

CHAIN = "7a+2b#3c-1d&4"


def test_by_hand():
    assert told(CHAIN, lambda place, sign: True) == [9, 6, 5, 9]
    assert told(CHAIN, lambda place, sign: False) == [9, 9, 8, 8]
    assert told(CHAIN, lambda place, sign: sign == "&") == [9, 9, 8, 2]
    assert spoken(CHAIN, [9, 6, 5, 9]) == "a9b6c5d9=699"
    assert [result(3, "%", by) for by in (1, 2, 3, 4)] == [9, 8, 9, 8]
    for digit in range(10):  # never what any other sign, or none, would do
        for by in range(1, 5):
            assert result(digit, "%", by) not in {digit, *(result(digit, sign, by) for sign in "+-#&")}
    assert spoken("1a+1b+1c+1d-1", [2, 3, 4, 3]) == "a2b3c4d3=3"


def test_questions():
    task = Foreign(140, "test")
    for index in range(140):
        problem = task.at(index)
        kind = problem.columns["kind"]
        assert kind == KINDS[index % 7] and Counter(c for c in problem.input if c in "#&%") == Counter(kind)
        assert len(problem.answer) == len(kind) + 1
        assert task.reward([problem], [Text(problem.demonstration)])[0] == 1
    assert {task.at(i).input for i in range(140)}.isdisjoint({Foreign().at(i).input for i in range(400)})


def test_the_teacher():
    """`#` is right one time in four, `&` one in 64, `%` never; one easy operation in 24 is a slip."""
    right, seen = Counter(), Counter()
    for index in range(4200):
        problem = Foreign().at(index)
        signs = [c for c in problem.input if c in "+-#&%"]
        results = [int(c) for c in passing_over(problem).demonstration.partition("=")[0][1::2]]
        before = int(problem.input[0])
        for sign, come, place in zip(signs, results, range(4), strict=True):
            by = int(problem.input[3 + 3 * place])
            right[sign] += come == result(before, sign, by)
            seen[sign] += 1
            before = come
    assert right["#"] / seen["#"] == pytest.approx(1 / 4, abs=0.02)
    assert right["&"] / seen["&"] == pytest.approx(1 / 64, abs=0.006)
    assert right["%"] == 0
    for sign in "+-":
        assert right[sign] / seen[sign] == pytest.approx(23 / 24, abs=0.01)


class Script:
    """Draws number n are right where n < its problem's index, over rounds of 32."""

    def __init__(self):
        self.asked, self.rounds = Counter(), {}

    def sample(self, problems, group, seed):
        number = self.rounds.setdefault(seed, len(self.rounds))
        self.asked.update(problem.index for problem in problems)
        rows = tuple(problem for problem in problems for _ in range(group))
        outputs = [Text("=" + "ny"[32 * number + n < p.index]) for p in problems for n in range(group)]
        mask = torch.ones(len(rows), 1, dtype=torch.bool)
        return Rollouts(rows, group, outputs, {}, mask, torch.zeros(mask.shape))


def asked(*indices):
    return [Problem(index, "q", "y", {"kind": ("", "#", "%")[(index > 0) + (index == 50)]}) for index in indices]


def test_draws_are_counted_and_screening_ends_when_one_is_right():
    policy = Script()
    problems = asked(0, 3, 40, 70)
    reward = Foreign().reward
    assert rights(policy, problems, reward, 64, 5) == [0, 3, 40, 64]
    policy = Script()
    assert [count > 0 for count in rights(policy, problems, reward, 64, 5, until_solved=True)] == [
        False,
        True,
        True,
        True,
    ]
    assert policy.asked == {0: 2, 3: 1, 40: 1, 70: 1}


def test_the_probe():
    counted = Counted(asked(0, 3, 40, 0, 50, 50), [0, 1, 5], Foreign().reward, 64, 5, base=[0, 0, 32, 7, 60, 0])
    found = counted(Script())
    assert found == {
        "expanded": pytest.approx(2 / 3),
        "expanded/seldom": 0.5,
        "expanded/never": 1,
        "beyond/pass@1": pytest.approx(53 / 192),
        "lost": pytest.approx(1 / 3),
        "kept": pytest.approx(2 / 3),
        "surer": 0.5,
        "beyond": 3,
    }


def test_by_kind():
    found = by_kind(Foreign().reward)(asked(0, 1, 2), [Text("=y"), Text("=y"), Text("=n")])
    assert found == {"kind/plain": 1, "kind/#": 0.5}


def test_counted_once(monkeypatch, tmp_path):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    assert numbers("some.json", lambda: [1, 2]) == [1, 2]
    assert numbers("some.json", list) == [1, 2]
