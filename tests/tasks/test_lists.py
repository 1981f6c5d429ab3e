"""Programs for lists: questions by hand, right sources, tests that tell wrong ones, splits that share no question."""

import itertools
import random

import pytest

from rlft.models.small_language import word_tokenizer
from rlft.options.task import load_task
from rlft.rewards import programs
from rlft.tasks.lists import HARD, HEAD, LINES, LISTS, OPERATIONS, TAIL, WORDS, Lists, asked, made, program
from rlft.types import Text, UserError
from tests.jails import needs_jail

NEGATED = """def f(lists):
    made = []
    for x in lists:
        x = [-n for n in x]
        x = sorted(x)
        made.append(x)
    return made
"""
# What each operation makes of 5, -2, 5, 8, 4.
BY_HAND = {
    "sort": [-2, 4, 5, 5, 8],
    "reverse": [4, 8, 5, -2, 5],
    "double": [10, -4, 10, 16, 8],
    "add one": [6, -1, 6, 9, 5],
    "drop the first": [-2, 5, 8, 4],
    "keep the even": [-2, 8, 4],
    "negate": [-5, 2, -5, -8, -4],
    "square": [25, 4, 25, 64, 16],
    "every other": [5, 5, 4],
    "drop the last": [5, -2, 5, 8],
    "running sums": [5, 3, 8, 16, 20],
    "running maxima": [5, 5, 5, 8, 8],
    "differences": [-7, 7, 3, -4],
    "rotate": [-2, 5, 8, 4, 5],
    "swap halves": [5, 8, 4, 5, -2],
    "distinct": [5, -2, 8, 4],
    "twice each": [5, 5, -2, -2, 5, 5, 8, 8, 4, 4],
    "largest first": [8, 5, 5, 4, -2],
    "times place": [0, -2, 10, 24, 16],
    "minus the first": [0, -7, 0, 3, -1],
    "every third": [5, 8],
    "ranks": [2, 0, 2, 4, 1],
}


def run(source, lists):
    """A program of ours, run here."""
    held = {}
    exec(source, held)
    return held["f"]([list(numbers) for numbers in lists])


def test_a_program_by_hand():
    assert program(["negate", "sort"]) == NEGATED == HEAD + LINES["negate"] + LINES["sort"] + TAIL
    assert asked(["negate", "sort"]) == "negate; sort; ; ; ; "
    assert run(NEGATED, [[3, -1, 2], []]) == [[-3, -2, 1], []]
    assert made(["negate", "sort"], (3, -1, 2)) == [-3, -2, 1]


def test_every_operation_is_its_line():
    assert set(BY_HAND) == set(OPERATIONS)
    for name, expected in BY_HAND.items():
        source = program([name])
        assert made([name], (5, -2, 5, 8, 4)) == expected == run(source, [(5, -2, 5, 8, 4)])[0], name
        assert run(source, LISTS) == [made([name], numbers) for numbers in LISTS], name
    for first, second in itertools.combinations(OPERATIONS, 2):
        assert run(program([first]), LISTS) != run(program([second]), LISTS), (first, second)


def test_problems():
    task, levels = Lists(size=200), {}
    tokenizer = word_tokenizer(WORDS)
    for problem in map(task.at, range(200)):
        operations = problem.columns["operations"]
        levels.setdefault(problem.columns["level"], []).append("".join(OPERATIONS[name].kind for name in operations))
        assert problem.input == asked(operations) and problem.answer == program(operations)
        assert len(tokenizer(problem.input)["input_ids"]) == 1 + 5
        assert len(tokenizer(problem.answer)["input_ids"]) == 1 + len(operations) + 2
        ((lists,),) = problem.columns["input_output"]["inputs"]
        assert problem.columns["input_output"]["outputs"] == [run(problem.answer, lists)]
    assert {level: {"".join(sorted(kinds)) for kinds in found} for level, found in levels.items()} == {
        1: {"a"}, 2: {"aa"}, 3: {"aab"}, 4: {"aacc"}, 5: {"abccc"}
    }  # fmt: skip
    assert all(20 < len(found) < 60 for found in levels.values())
    assert len(set(levels[5])) > 15  # their orders
    assert {problem.columns["level"] for problem in map(Lists(HARD).at, range(50))} == {4, 5}


def test_splits_share_no_question():
    for level in range(1, 6):
        train, test = (
            {task.at(index).input for index in range(100)}
            for task in (Lists((level,), split=s) for s in ("train", "test"))
        )
        assert len(train) >= (3, 15, 70, 90, 90)[level - 1] <= len(test) and not train & test
    assert Lists(size=5).at(4) == Lists().at(4)


def test_wrong_programs_are_told_from_right_ones():
    """A line in place of another, or left out: what gives the same on our lists does so on others, but for a few."""
    draw = random.Random(0)
    others = [[draw.randrange(-9, 13) for _ in range(draw.randrange(14))] for _ in range(40)]
    tried = fooled = equal = 0
    for problem in map(Lists(HARD).at, range(40)):
        right = problem.columns["operations"]
        wanted = [made(right, numbers) for numbers in LISTS]
        for place, name in itertools.product(range(len(right)), [*OPERATIONS, None]):
            wrong = [*right[:place], *([name] if name else []), *right[place + 1 :]]
            same = all(made(wrong, numbers) == want for numbers, want in zip(LISTS, wanted, strict=True))
            everywhere = same and all(made(wrong, numbers) == made(right, numbers) for numbers in others)
            tried, fooled = tried + (wrong != right), fooled + (same and not everywhere)
            equal += everywhere and wrong != right
    assert tried > 3500 and fooled <= 2
    assert equal > 40  # several programs are right, not only the answer


@needs_jail
def test_the_reward_runs_them():
    reward, problems = programs(workers=1), [Lists((2,)).at(index) for index in range(3)]
    names = problems[0].columns["operations"]
    outputs = [
        problems[0].answer,
        problems[1].answer,
        problems[2].answer.replace("return made", "return made[:1]"),
        problems[0].answer.replace("made.append(x)", "made += [x]"),
        program(names[:1]),
        LINES["sort"],
    ]
    rows = [*problems, *[problems[0]] * 3]
    assert reward(rows, [Text(output) for output in outputs]).tolist() == [1, 1, 0, 1, 0, 0]


def test_the_tool_finds_it():
    assert load_task("lists(levels=(2,), size=3)").at(0).input.endswith("; ; ; ; ")


@pytest.mark.parametrize("settings", [{"levels": (6,)}, {"levels": ()}, {"split": "x"}])
def test_what_is_refused(settings):
    with pytest.raises(UserError, match=r"levels are some of 1, 2, 3, 4, 5|lists have the splits"):
        Lists(**settings)
    with pytest.raises(IndexError):
        Lists(size=5).at(5)
