"""Maps: read from files, cut into rooms, measured, by hand."""

import numpy as np
import pytest

from rlft.environments.occupancy import (
    FAR,
    Plan,
    Sight,
    coarser,
    components,
    distances,
    neighbours,
    nodes,
    read_plan,
    rooms,
)
from rlft.errors import UserError
from tests.environments.drawings import TWO, free


def test_a_door_is_between_rooms():
    found = rooms(TWO)
    assert (found[1:4, 1:4] == 0).all() and (found[1:4, 5:8] == 1).all()
    assert found[2, 4] == 0  # as near to either: the lower number
    assert (found[~TWO] == -1).all()


def test_what_is_wider_than_a_door_is_no_door():
    wide = TWO.copy()
    wide[1, 4] = True
    assert set(rooms(wide)[wide].tolist()) == {0}
    assert rooms(wide, door=2).max() == 1


def test_furniture_in_the_middle_cuts_nothing():
    room = np.ones((5, 5), bool)
    room[2, 2] = False
    assert set(rooms(room)[room].tolist()) == {0}


def test_small_rooms_join_and_lonely_ones_stay():
    pocket = free("...#. ...#. ..... ##### ##...")
    found = rooms(pocket)  # a corridor where no square fits is no room by itself; what has no way in is
    assert set(found[:3][pocket[:3]].tolist()) == {0} and set(found[4, 2:].tolist()) == {1}
    joined = free("##..## ##..## ...... ..#... ..#...")
    assert rooms(joined, least=1).max() == 2 and rooms(joined, least=7).max() == 0
    assert rooms(np.zeros((2, 2), bool)).max() == -1


def test_components_and_distances():
    marked = free("..# ### ..#")
    assert components(marked).tolist() == [[0, 0, -1], [-1, -1, -1], [1, 1, -1]]
    assert distances(neighbours(TWO), 9 + 1)[3 * 9 + 7] == 8
    assert distances(neighbours(marked), 0)[6:8] == [FAR, FAR]


def test_walls_hide():
    sight = Sight(TWO, 3)
    seen = sight.of(9 + 3)
    assert 9 + 4 in seen and 9 + 5 not in seen  # the wall, not what is behind it
    assert {2 * 9 + 4, 2 * 9 + 3, 0, 9 + 1} - {0} <= seen and 9 + 7 not in seen
    through = sight.of(2 * 9 + 3)
    assert 2 * 9 + 6 in through and 2 * 9 + 7 not in through  # as far as it reaches
    assert sight.of(2 * 9 + 3) is through


def test_nodes_see_their_room():
    sight = Sight(TWO, 3)
    room = np.flatnonzero(rooms(TWO).ravel() == 0).tolist()
    found = nodes(TWO, room, sight)
    assert len(found) == 1 and len(set(room) & sight.of(found[0])) >= 0.9 * len(room)
    long = np.ones((1, 21), bool)
    assert nodes(long, list(range(21)), Sight(long, 3), most=2) == [3, 10]


def test_a_map_of_ros(tmp_path):
    picture = np.full((4, 6), 254, np.uint8)
    picture[0] = 0  # a wall at the top
    picture[1, 0] = 205  # unknown
    (tmp_path / "m.pgm").write_bytes(b"P5\n# made by map_server\n6 4\n255\n" + picture.tobytes())
    words = "image: m.pgm\nresolution: 0.5\norigin: [-1.0, 2.0, 0.0]\nnegate: 0\noccupied_thresh: 0.65\n"
    (tmp_path / "m.yaml").write_text(words + "free_thresh: 0.19\n")
    plan = read_plan(tmp_path / "m.yaml")
    assert plan.free.tolist() == [[False] * 6, [False] + [True] * 5, [True] * 6, [True] * 6]
    assert plan.cell(-1.0, 2.0) == 18 and plan.cell(1.9, 3.9) == 5  # x to the right, y upwards
    with pytest.raises(UserError, match="outside the map, 3 by 2"):
        plan.cell(2.1, 3.0)
    half = read_plan(tmp_path / "m.yaml", side=1.0)
    assert half.free.tolist() == [[False] * 3, [True] * 3] and half.side == 1.0
    text = "P2\n6 4\n255\n" + " ".join(str(255 - p) for p in picture.ravel())
    (tmp_path / "m.pgm").write_text(text)
    (tmp_path / "m.yaml").write_text(words.replace("negate: 0", "negate: 1") + "free_thresh: 0.19\n")
    assert (read_plan(tmp_path / "m.yaml").free == plan.free).all()


def test_an_array_is_a_map(tmp_path):
    np.save(tmp_path / "m.npy", np.array([[0, 100], [-1, 0]]))
    assert read_plan(tmp_path / "m.npy").free.tolist() == [[True, False], [False, True]]
    odd = coarser(Plan(np.ones((3, 2), bool)), 2.0)
    assert odd.free.tolist() == [[False], [True]]  # what is beyond the map is not free


def test_what_is_no_map(tmp_path):
    np.save(tmp_path / "row.npy", np.zeros(3))
    (tmp_path / "m.yaml").write_text("image: none.pgm\nresolution: 1\n")
    (tmp_path / "n.yaml").write_text("resolution: 1\n")
    (tmp_path / "p.yaml").write_text("image: n.yaml\nresolution: 1\n")
    for name, words in (
        ("row.npy", "two axes"),
        ("none.npy", "cannot read"),
        ("m.yaml", "is no map"),
        ("n.yaml", "'image'"),
        ("p.yaml", "is no PGM"),
        ("m.png", "a map is a .npy"),
    ):
        with pytest.raises(UserError, match=words):
            read_plan(tmp_path / name)
