"""Houses: what every one has, and that a number is a house."""

import numpy as np

from rlft.environments.houses import GOALS, LANDMARKS, LOST, TYPES, house
from rlft.environments.occupancy import rooms

HOUSES = [house(7, "train", index) for index in range(40)]


def test_words_belong_together():
    assert set(LANDMARKS) == {name for marks in TYPES.values() for name in marks}
    assert all(name in TYPES[kind] for places in LOST.values() for kind, name in places)


def test_every_house_can_be_searched():
    counts, wrong = set(), []
    for place in HOUSES:
        counts.add(int(rooms(place.shown, least=12).max()) + 1)
        wrong.append(len(place.surprises))
        assert place.goal in GOALS and place.shortest >= 8
        assert place.goals[0] not in place.sight.of(place.start)
        assert not any(place.free.flat[cell] or place.shown.flat[cell] for _, cell in place.landmarks)
        edge = np.concatenate([place.free[0], place.free[-1], place.free[:, 0], place.free[:, -1]])
        assert not edge.any()
    assert min(counts) >= 5 and max(counts) <= 9 and sum(wrong) > 20  # a pocket behind furniture may be one more


def test_most_things_lie_where_they_belong():
    beside = 0
    for place in HOUSES:
        width = place.free.shape[1]
        named = {name for _, name in LOST[place.goal]}
        near = {place.goals[0] + step for step in (1, -1, width, -width)}
        beside += any(cell in near and name in named for name, cell in place.landmarks)
    assert 0.6 * len(HOUSES) < beside < len(HOUSES)


def test_a_number_is_a_house():
    again = house.__wrapped__(7, "train", 3)
    assert (again.free == HOUSES[3].free).all() and again.goals == HOUSES[3].goals and again.start == HOUSES[3].start
    others = (house(8, "train", 3), house(7, "test", 3), house(7, "train", 4))
    assert all((one.goals, one.start) != (again.goals, again.start) for one in others)
