"""Patients: signs, files and splits; what is known of an illness is Bayes' rule over all patients."""

from math import log

import pytest

from rlft.rewards.text import label
from rlft.tasks.patients import FINDINGS, Illnesses, Patients
from rlft.types import UserError

ILLNESSES = Illnesses(16)


def test_illnesses():
    signs = list(ILLNESSES.signs.values())
    assert len(signs) == 16 and all(len(one) == 4 and one <= set(FINDINGS) for one in signs)
    assert max(len(one & other) for i, one in enumerate(signs) for other in signs[:i]) == 2
    assert Illnesses(16).signs == ILLNESSES.signs != Illnesses(16, seed=1).signs
    with pytest.raises(UserError, match="cannot share at most 2 of 4 signs"):
        Illnesses(90)


def test_files():
    seen = set()
    for index in range(300):
        problem = Patients(ILLNESSES, 300, "test").at(index)
        columns, signs = problem.columns, ILLNESSES.signs[problem.answer]
        has = {finding for finding, told in columns["record"].items() if told == finding}
        assert len(has ^ signs) <= 1 and list(columns["record"]) == list(FINDINGS)
        assert columns["known"][0] in has and problem.input == f" {columns['known'][0]} :"
        assert columns["evidence"] == sorted(has & signs)
        assert label()([problem], [f"<evidence> cough<answer> {problem.answer}</answer>"]).tolist() == [1]
        seen.add((problem.answer, frozenset(has), problem.input))
    train = [Patients(ILLNESSES).at(index) for index in range(300)]
    told = {(p.answer, frozenset(f for f, t in p.columns["record"].items() if t == f), p.input) for p in train}
    assert len(seen) > 100 and not seen & told
    with pytest.raises(IndexError):
        Patients(ILLNESSES, 300, "test").at(300)
    with pytest.raises(UserError, match="splits train, test; not 'dev'"):
        Patients(ILLNESSES, split="dev")


def test_patients_of_an_illness_weigh_twenty():
    """Eight with all signs, four that lack one, eight with another finding: 8 + 4 + 8."""
    for name in ILLNESSES.names:
        assert sum(weight for _, weight in ILLNESSES.patients(name)) == 20


def test_posterior_by_hand():
    """Of an illness 19 patients in 20 have a given sign, and one in 20 a given other finding."""
    finding = FINDINGS[0]
    with_it = [name for name in ILLNESSES.names if finding in ILLNESSES.signs[name]]
    chances = ILLNESSES.posterior({finding: True})
    total = 19 * len(with_it) + 16 - len(with_it)
    assert chances == pytest.approx({n: (19 if n in with_it else 1) / total for n in ILLNESSES.names})
    assert ILLNESSES.posterior({}) == pytest.approx(dict.fromkeys(ILLNESSES.names, 1 / 16))


def test_the_most_informative_finding_leaves_the_least_entropy():
    known = {FINDINGS[3]: True}

    def left(finding):
        total = 0.0
        for there in (True, False):
            joint = [
                sum(w for has, w in ILLNESSES.patients(n) if FINDINGS[3] in has and (finding in has) == there)
                for n in ILLNESSES.names
            ]
            total -= sum(one * log(one / sum(joint)) for one in joint if one)
        return total

    best = ILLNESSES.informative(known)
    assert best not in known
    assert left(best) == pytest.approx(min(left(one) for one in FINDINGS if one not in known))
