"""What `--help` shows: options in groups with a title and what they are about, and examples a line each."""

import pytest

from rlft.options.arguments import parse
from rlft.options.learning import HeldOut, Learning
from rlft.recipes.train import train


def shown(capsys, function):
    with pytest.raises(SystemExit) as stopped:
        parse(function, ["--help"], "rlft train")
    assert not stopped.value.code
    return capsys.readouterr().out


def test_options_stand_in_groups_under_their_own_names(capsys):
    page = shown(capsys, train)
    for title, about in (("learning", "How much is drawn"), ("held out", "What the policy is evaluated on")):
        assert f" {title} options " in page and about in page
    learning, rest = page.split(" learning options ")[1].split(" sampling options ")
    assert "--steps INT" in learning and "--lr FLOAT" in learning and "--temperature" not in learning
    assert "--temperature" in rest and "--learning" not in page and "--learning." not in page


def test_three_examples_a_line_each(capsys):
    lines = shown(capsys, train).splitlines()
    assert sum(line.startswith("$ rlft train --model ") for line in lines) == 3


def test_a_group_is_read_by_the_names_of_its_fields():
    def run(learning: Learning = Learning(), evaluated: HeldOut = HeldOut()) -> None:
        """Nothing."""

    made = parse(run, ["--steps", "3", "--eval-problems", "7"], "run")
    assert made == {"learning": Learning(steps=3), "evaluated": HeldOut(eval_problems=7)}
