"""A program that asks where to look: what it asks, what it takes for an answer, what it returns."""

import numpy as np
import pytest

from rlft.environments.agents import Agents
from rlft.environments.endpoint import Served
from rlft.environments.navigate import navigate, parsed, place_of
from rlft.errors import UserError
from rlft.types import Message, Problem
from tests.environments.test_searching import MAP


class Says(Served):
    """Answers one after the other, and remembers what it was asked."""

    def __init__(self, *answers):
        super().__init__("http://nowhere", "says")
        vars(self).update(answers=list(answers), asked=[])

    def ask(self, messages):
        self.asked.append(messages[-1]["content"])
        return self.answers.pop(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("maps")
    np.save(place / "m.npy", np.where(MAP, 0, 100))
    np.save(place / "other.npy", np.zeros((2, 2)))
    return place


# The array's last row is y from 0 to 1.
ROW = {"input": "mug", "map": "m.npy", "start": [1, 4], "goal_at": [[14.5, 2.5]], "landmarks": {"sink": [[14, 1]]}}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<answer>2</answer>", 1),
        ("There are 3 rooms. <answer> Room 3 </answer>", 2),
        ("<answer>1</answer> no, <answer>2</answer>", 1),
        ("2", 1),
        ("number 2, I mean 2", 1),
        ("1 or 2", None),
        ("<answer>4</answer>", None),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("the kitchen", None),
        ("", None),
    ],
)
def test_parsed(reply, expected):
    assert parsed(reply, 3) == expected


def test_a_search_by_words(folder):
    says = Says("<answer>3</answer>", "<answer>1</answer>", "<answer>1</answer>")
    assert navigate(folder=str(folder))(ROW, says) == pytest.approx(1.0)
    assert says.asked[0].startswith("You are looking for: mug.\nIn which room do you look next?")
    assert "3. a room with sink;" in says.asked[0]


def test_a_policy_is_asked_turn_by_turn(folder):
    agents = Agents(navigate(folder=str(folder)))
    (problem,) = agents.opened([Problem(0, ROW["input"], columns={k: v for k, v in ROW.items() if k != "input"})])
    assert problem.input[0]["content"].startswith("You are looking for: mug.")
    said = [
        Message("assistant", "the last one"),
        *agents.respond([problem], [[Message("assistant", "the last one")]])[0],
    ]
    for answer in ("<answer>3</answer>", "<answer>1</answer>", "<answer>1</answer>"):
        said.append(Message("assistant", answer))
        said += agents.respond([problem], [said])[0]
        if said[-1].role == "result":
            break
    assert said[1].content.startswith("That is none of the 3 candidates.")
    assert said[-1].role == "result" and float(said[-1].content) == pytest.approx(1.0)


def test_a_wrong_room_first_costs(folder):
    says = Says(*["1"] * 8)
    play = navigate(folder=str(folder), staging="one", tries=1)
    assert play(ROW, says) == 0.0 and len(says.asked) == 1
    detour = navigate(folder=str(folder), staging="one", tries=8)(ROW, Says("2", *["1"] * 9))
    assert 0 < detour <= 1


def test_it_is_asked_twice_and_then_left(folder):
    says = Says("the kitchen", "<answer>9</answer>")
    assert navigate(folder=str(folder))(ROW, says) == 0.0
    assert says.asked[1].startswith("That is none of the 3 candidates.")
    mended = Says("hm", "3", "1", "1")
    assert navigate(folder=str(folder))(ROW, mended) > 0


def test_a_thing_on_a_table_is_reached_from_beside_it(folder):
    place = place_of({**ROW, "goal_at": [[14, 1]]}, folder, None, 3.0)
    assert place.goals == (3 * 16 + 14, 4 * 16 + 13)
    assert place.landmarks == (("sink", 4 * 16 + 14),) and place.goal == "mug" and place.reach == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"map": None}, "map is missing"),
        ({"start": [99, 0]}, "outside the map"),
        ({"start": 3}, "start is"),
        ({"start": [0, 0]}, "nobody can stand"),
        ({"goal_at": [[0, 0]]}, "no goal lies on or beside"),
        ({"goal_at": [[1, 4]]}, "nothing to look for"),
        ({"truth": "other.npy"}, "the truth of m.npy has the shape"),
    ],
)
def test_rows_that_make_no_sense(folder, change, words):
    with pytest.raises(UserError, match=words):
        place_of({**ROW, **change}, folder, None, 3.0)


@pytest.mark.parametrize("told", [{"side": 0.0}, {"door": 0}, {"tries": 0}, {"most": 0}, {"reach": 0.0}])
def test_settings_that_make_no_sense(told):
    with pytest.raises(UserError):
        navigate(**told)
