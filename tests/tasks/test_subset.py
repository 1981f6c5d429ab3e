"""Problems chosen by their columns, by hand."""

import pytest

from rlft.tasks.files import Files
from rlft.tasks.subset import Subset, with_columns
from rlft.types import UserError

ROWS = [
    {"prompt": str(at), "level": level, "meta": {"year": year}}
    for at, (level, year) in enumerate([("L1", 1), ("L2", 1), ("L6", 2), ("L2", 2), ("L6", 1), ("L6", 2)])
]
TASK = Files(ROWS, name="rows")


def inputs(task):
    return [task.at(index).input for index in range(task.size)]


@pytest.mark.parametrize(
    ("where", "each", "expected"),
    [
        (["level=L2"], None, "13"),
        (["level=L6", "level=L2"], None, "12345"),
        (["level=L6", "level=L2"], 2, "1234"),
        (["level=L6", "meta.year=2"], None, "25"),
        (["level=L6", "level=L2", "meta.year=1", "meta.year=2"], 1, "1234"),
    ],
)
def test_some_of_them_in_their_order(where, each, expected):
    found = with_columns(TASK, where, each)
    assert inputs(found) == list(expected) and found.at(1).index == 1 and found.name == "rows"


def test_all_levels_are_all():
    assert inputs(with_columns(TASK, ["level=L1", "level=L2", "level=L6"])) == inputs(Subset(TASK, range(6)))


@pytest.mark.parametrize(
    ("where", "each", "said"),
    [
        (["level=L3"], None, "has 0 rows with level=L3, 1 are wanted; it has level: L1, L2, L6"),
        (["level=L2", "level=L6"], 3, "has 2 rows with level=L2, 3 are wanted"),
        (["level"], None, "COLUMN=VALUE, level=L2; got 'level'"),
        (["=L2"], None, "COLUMN=VALUE"),
    ],
)
def test_what_is_not_there(where, each, said):
    with pytest.raises(UserError, match=said):
        with_columns(TASK, where, each)
