"""Choices among rooms and nodes, by hand."""

import numpy as np
import pytest

from rlft.environments.houses import GOALS, LANDMARKS
from rlft.environments.searching import FEATURES, Choice, Layout, Search, Searched
from rlft.environments.walking import Place
from tests.environments.drawings import free

# Three rooms in a row; a sink stands in the last one, and the mug lies beside it.
MAP = free("""
################
#....#....#....#
#....#....#....#
#..............#
#....#....#...##
################
""")
SINK = 4 * 16 + 14
PLACE = Place(MAP, MAP, (("sink", SINK),), "mug", (3 * 16 + 14,), 16 + 1, 3)
LAYOUT = Layout(PLACE)


def search(staging="two", tries=3, most=100):
    return Search(PLACE, LAYOUT, staging, tries, most)


def test_rooms_and_their_nodes():
    assert [one.room for one in LAYOUT.rooms] == [0, 1, 2]
    assert [one.marks for one in LAYOUT.rooms] == [(), (), ("sink",)]
    assert all(node.at in LAYOUT.rooms[room].cells for room, found in enumerate(LAYOUT.nodes) for node in found)


def test_first_a_room_then_a_node():
    one = search()
    assert isinstance(one, Choice)
    asked = one.candidates()
    assert asked.shape == (3, FEATURES)
    assert one.right() == 2
    one.choose(2)
    if one.room is not None:  # its nodes, and nothing was walked
        assert one.walk.steps == 0 and {node.room for node in one.asked} == {2}
        one.choose(one.right())
    assert one.candidates() is None
    assert one.outcome() == Searched(True, PLACE.shortest, PLACE.shortest, 1)


def test_what_is_known_of_a_candidate():
    asked = search().candidates()
    goals, marks = len(GOALS), len(LANDMARKS)
    assert (asked[:, :goals] == np.eye(goals)[GOALS.index("mug")]).all()
    sink = goals + LANDMARKS.index("sink")
    assert asked[:, sink].tolist() == asked[:, sink + marks].tolist() == [0, 0, 1]
    cells, seen, steps, x, y, is_room, left = asked[2, goals + 2 * marks :].tolist()
    room = LAYOUT.rooms[2]
    assert (cells, seen, is_room, left) == (len(room.cells) / 50, 0, 1, 1)
    assert (x, y) == (room.at % 16 / 30, room.at // 16 / 30)
    assert steps == (abs(room.at % 16 - 1) + abs(room.at // 16 - 1)) / 30 or steps > 0


def test_what_was_chosen_is_no_candidate_again():
    one = search("one")
    before = len(one.asked)
    first = one.asked[0].at
    one.choose(0)
    assert len(one.asked) == before - 1 and first not in {node.at for node in one.asked}
    assert one.candidates()[0, -1] == pytest.approx(2 / 3)
    one.choose(0)
    one.choose(0)
    assert one.candidates() is None and one.outcome().tries == 3


def test_one_stage_is_two_with_the_same_walks():
    one, two = search("one"), search("two")
    for room in (1, 2):
        two.choose([candidate.room for candidate in two.asked].index(room))
        node = two.asked[0].at if two.room is not None else two.tried[-1]
        if two.room is not None:
            two.choose(0)
        one.choose([candidate.at for candidate in one.asked].index(node))
    assert one.outcome() == two.outcome()


def test_a_point_is_the_nearest_free_cell():
    one = search("one", tries=1)
    one.point(1.0, 0.0)  # far to the right of the map, and above it
    assert one.tried == (16 + 14,)
    aimed = search("one", tries=1)
    aimed.point(*aimed.aim())
    assert aimed.outcome().success


def test_words():
    one = search()
    assert one.described()[2].startswith("a room with sink; ") and "a room with nothing known" in one.described()[0]
    assert "0% seen" in one.described()[2]
    assert search("one").described()[0].startswith("a place in room 1 with")
