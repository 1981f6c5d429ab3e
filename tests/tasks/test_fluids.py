"""Fluids: what is asked, what is expected, and that the answers do it, in LAMMPS itself."""

import pytest

from rlft.models.small_language import word_tokenizer
from rlft.tasks.fluids import FAULTS, WORDS, Fluid, Fluids, asked, expected, script, told
from rlft.types import UserError
from rlft.verifiers.lammps import MEASURES, REASONS, Lammps, met
from tests.jails import needs_jail, needs_lammps

ONE = Fluid("morse", "bcc", "0.7", "2", "nvt", "1.2", "100")


def test_one_by_hand():
    assert asked(ONE) == "morse; bcc; density 0.7; 2 cells; nvt 1.2; run 100; first;"
    assert asked(ONE, "lost").endswith("run 100; after lost;")
    assert script(ONE).splitlines() == [
        "units lj",
        "lattice bcc 0.7",
        "region box block 0 2 0 2 0 2",
        "create_box 1 box",
        "create_atoms 1 box",
        "mass 1 1.0",
        "pair_style morse 2.5",
        "pair_coeff 1 1 1.0 5.0 1.12",
        "velocity all create 1.2 4928",
        "fix 1 all nvt temp 1.2 1.2 0.1",
        "timestep 0.005",
        "run 100",
    ]
    wanted = expected(ONE)
    assert (wanted["pair"], wanted["atoms"], wanted["steps"]) == ("morse", 16, 100)
    assert wanted["temperature"] == pytest.approx([0.8, 1.6])
    assert "drift" not in wanted
    kept = expected(Fluid("lj", "fcc", "0.3", "3", "nve", "2.0", "50"))
    assert (kept["atoms"], kept["drift"]) == (108, [-1e-3, 1e-3])
    assert "temperature" not in kept
    assert set(wanted) | set(kept) <= set(MEASURES)
    assert set(FAULTS) <= set(REASONS) | set(MEASURES)


def test_problems():
    train, test = Fluids(300), Fluids(300, "test")
    assert train.at(7) == train.at(7)
    assert not {train.at(i).input for i in range(100)} & {test.at(i).input for i in range(100)}
    again = told(train.at(3), "drift")
    assert again.input == train.at(3).input.replace("first;", "after drift;")
    assert again.columns["after"] == "drift"
    words = word_tokenizer(WORDS)
    for problem in (train.at(index) for index in range(50)):
        prompt, answer = (words(text)["input_ids"] for text in (problem.input, problem.answer))
        assert (len(prompt), len(answer) <= 39) == (8, True)  # with <bos>
        assert words.decode(answer, skip_special_tokens=True) == problem.answer
    for wrong in (lambda: Fluids(split="dev"), lambda: train.at(300)):
        with pytest.raises((UserError, IndexError)):
            wrong()


@needs_lammps
@needs_jail
def test_the_answers_do_what_is_expected():
    problems = [Fluids().at(index) for index in range(24)]
    for problem, found in zip(problems, Lammps(50).check([one.answer for one in problems]), strict=True):
        assert all(met(found, problem.columns["expected"]).values()), (problem.columns["fluid"], found)
