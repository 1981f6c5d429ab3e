"""Examinations: what residents and specialists do, what is sound, and what is measured."""

import pytest

from rlft.environments.records import asked as record
from rlft.rewards.evidence import evidence
from rlft.rewards.text import label
from rlft.tasks.patients import FINDINGS, Illnesses, Patients
from rlft.types import Message, Transcript
from rlft.worlds.diagnosed import (
    BUDGET,
    Shown,
    book,
    diagnosed,
    examined,
    resident,
    sound,
    specialist,
    vocabulary,
)

ILLNESSES = Illnesses(12)
TASK = Patients(ILLNESSES, 200, "test")


def talk(messages):
    made = [Message(one["role"], one["content"]) for one in messages]
    return Transcript(made[-1].content, (), False, made)


def examinations(by):
    problems = [TASK.at(index) for index in range(200)]
    return problems, [talk(by(ILLNESSES, problem, 7 * problem.index)) for problem in problems]


def test_residents_and_specialists():
    """The one asks anything, tells three quarters of it and more; the other what is worth asking, and tells all."""
    numbers = {}
    for by in (resident, specialist):
        problems, talks = examinations(by)
        numbers[by] = examined(ILLNESSES)(problems, talks)
    careless, careful = numbers[resident], numbers[specialist]
    assert careful["questions"] == BUDGET and careless["questions"] == pytest.approx(2.0, abs=0.2)
    assert 0.4 < careless["right"] < 0.6 and careful["right"] > 0.7
    assert careful["unseen"] == 0 and careless["unseen"] > 0.1
    assert careful["f1"] > careless["f1"] + 0.2 and careful["sound"] > careless["sound"] + 0.3


def test_an_examination_is_answered_from_the_file():
    for problem, made in zip(*examinations(resident), strict=True):
        asked = [named for m in made.messages if m.own and (named := record(m.content))]
        assert [m.content for m in made.messages if not m.own] == [problem.columns["record"][f] for f in asked]
        assert 1 <= len(asked) <= BUDGET and len(set(asked)) == len(asked) and problem.columns["known"][0] not in asked


def test_sound():
    problem = TASK.at(0)
    signs = sorted(ILLNESSES.signs[problem.answer])
    told = problem.columns["known"][0]
    yes = [finding for finding in signs if finding != told and problem.columns["record"][finding] == finding]
    no = next(finding for finding in FINDINGS if finding not in signs and problem.columns["record"][finding] != finding)

    def of(cited, asked, named=problem.answer):
        said = f"<evidence>{';'.join(f' {one}' for one in cited)}<answer> {named}</answer>"
        asks = [{"role": "assistant", "content": f" maybe x<ask> {one}</ask>"} for one in asked]
        return sound(ILLNESSES, problem, talk([*asks, {"role": "assistant", "content": said}]))

    assert of(yes[:2], yes[:2]) and of([told, yes[0]], yes) == (told in signs)
    assert not of(yes[:1], yes) and not of([], yes)  # one finding is not enough
    assert not of(yes[:2], yes[:1])  # the second was not asked for
    assert not of([*yes[:2], no], [*yes, no])  # and no sign
    assert not of(yes[:2], yes, named="nobody")


def test_all_that_is_said_has_tokens():
    """The policy and the classifier read every word, and a turn has room."""
    words = set(vocabulary())
    world = diagnosed(imitation=1, tuning=1, paid="outcome", questions=4)
    shown = Shown(Patients(ILLNESSES), "residents")
    problems = [shown.at(index) for index in range(8)] + [book(ILLNESSES, 3)]
    rows = world.policy.demonstrate(problems, 0)
    tokenizer = world.policy.language.codec.tokenizer
    for row, problem in enumerate(problems[:8]):
        told = tokenizer.decode(rows.trace["completion"][row], skip_special_tokens=True)
        said = [one["content"] for one in problem.demonstration if one["role"] == "assistant"]
        assert all(turn in told for turn in said)
    assert len(words) == len(vocabulary())
    assert rows.mask.sum(1).max() <= (BUDGET + 1) * 13


def test_what_is_paid():
    problems, talks = examinations(resident)
    outcome, rule = (
        diagnosed(imitation=1, tuning=1, questions=4, paid=paid, weight=0.5).reward(problems[:20], talks[:20])
        for paid in ("outcome", "rule")
    )
    right = label()(problems[:20], talks[:20])
    assert list(outcome) == ["illness"] and outcome["illness"].tolist() == right.tolist()
    assert rule["evidence"].tolist() == (0.5 * evidence()(problems[:20], talks[:20])["evidence"]).tolist()
