"""Walks on maps that are wrong, step by step."""

import numpy as np
import pytest

from rlft.environments.walking import FREE, OCCUPIED, Place, Walk, explored, walked
from rlft.errors import UserError
from tests.environments.drawings import TWO, free

# Two doors from the left room to the right one; the plan shows the upper one open.
TRUE = free("""
###########
#....#....#
#....#....#
#....#....#
#.........#
###########
""")
SHOWN = TRUE.copy()
SHOWN[1, 5] = True


def cell(y, x, width=11):
    return y * width + x


def place(true=TRUE, shown=SHOWN, goal=(2, 9), start=(1, 1), reach=2):
    return Place(true, shown, (), "mug", (cell(*goal),), cell(*start), reach)


def test_the_way_is_planned_again_at_a_closed_door():
    walk = Walk(place(), 100)
    assert walk.place.shortest == 3 + 8 + 2 - 1 and walk.place.surprises == {cell(1, 5)}
    walk.go(cell(1, 9))
    # two steps to the east, from where the door is seen closed; then down, through, and up to a step from the goal
    assert walk.known[cell(1, 5)] == OCCUPIED and not walk.hidden
    assert walk.success and walk.steps in (12, 14) and walk.found == cell(2, 9)


def test_a_door_that_is_not_shown_is_used_once_it_is_seen():
    shown = TRUE.copy()
    shown[4, 5] = False
    shown[1, 5] = True
    walk = Walk(place(shown=shown), 100)
    walk.go(cell(4, 3))
    assert walk.known[cell(4, 5)] == FREE
    walk.go(cell(4, 9))
    assert walk.success


def test_limits_end_walks():
    walk = Walk(place(), 5)
    walk.go(cell(4, 9))
    assert walk.over and not walk.success and walk.steps == 5
    walk.go(cell(4, 9))
    assert walk.steps == 5


def test_what_cannot_be_reached_is_left():
    corridor = free("######### #.......# #########")
    shut = corridor.copy()
    shut[1, 5] = False
    walk = Walk(Place(shut, corridor, (), "mug", (9 + 1,), 9 + 3, 1), 100)
    walk.go(9 + 7)
    assert walk.known[9 + 5] == OCCUPIED and not walk.success
    assert (walk.at, walk.steps) == (9 + 4, 1)  # from where it is seen shut
    walk.go(9 + 1)
    assert walk.success and walk.steps == 3


def test_frontiers_are_explored_nearest_first_until_it_is_found():
    walk = explored(place(), 200)
    assert walk.success and walk.steps >= walk.place.shortest
    again = explored(place(), 200)
    assert again.steps == walk.steps  # nothing is drawn
    corridor = free("######## #......# ########")
    found = explored(Place(corridor, corridor, (), "mug", (14,), 9, 2), 100)
    assert (found.steps, found.success) == (4, True)  # straight on, to within a step
    assert explored(place(), 3).steps == 3


def test_shared_walks_are_not_moved():
    here = place()
    one = walked(here, 100, (cell(1, 3),))
    two = walked(here, 100, (cell(1, 3), cell(4, 9)))
    assert walked(here, 100, (cell(1, 3),)) is one and one.at == cell(1, 3) and one.steps == 2
    alone = Walk(here, 100)
    for target in (cell(1, 3), cell(4, 9)):
        alone.go(target)
    assert (two.steps, two.at, two.known, two.seen) == (alone.steps, alone.at, alone.known, alone.seen)
    assert two.distances()[cell(4, 1)] == abs(two.at % 11 - 1) + 4 - two.at // 11


def test_a_goal_in_sight_is_walked_to_first():
    walk = Walk(Place(TWO, TWO, (), "mug", (12,), 10, 3), 100)
    walk.go(34)
    assert walk.success and walk.steps == 1


def test_places_that_make_no_sense():
    with pytest.raises(UserError, match="start is at cell"):
        place(start=(0, 0))
    with pytest.raises(UserError, match="goal is at cell"):
        Place(TWO, TWO, (), "mug", (), 10)
    with pytest.raises(UserError, match="no way from the start to the mug"):
        Place(np.array([[True, False, True]]), np.ones((1, 3), bool), (), "mug", (2,), 0)
