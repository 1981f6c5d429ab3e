"""Thoughts about places seen from above, written down by hand; what follows from a right one is the right answer."""

import pytest

from rlft.models.small_language import word_tokenizer
from rlft.tasks.aerial import WORDS, Aerial, Ground, Thing
from rlft.tasks.plots import THOUGHT_WORDS, concluded, every, far, grounds, listed

# A road along the second row, another down the first column, a pond at c1.
PLOTS = ("column", "grass", "water", "grass") + ("crossing", "row", "row", "row") + ("column", *["grass"] * 3) * 2
THINGS = (
    None, Thing("roof", "red", large=True), Thing("boat", "white"), Thing("tree"),
    None, Thing("car", "blue"), None, None,
    None, None, Thing("roof", "white"), None, None, Thing("roof", "blue"), None, None,
)  # fmt: skip
GROUND = Ground(PLOTS, THINGS)
SEEN = GROUND.columns()["things"]
ASKED = {
    "what colour is the car?": ("colour", " car b2 blue", "blue"),
    "is there tree?": ("presence", " tree d1", "yes"),
    "is there bus?": ("presence", " bus none", "no"),
    "is there water?": ("presence", " water c1", "yes"),
    "which transport is there?": ("transport", " boat c1 white", "boat"),
    "count the roof?": ("count", " roof b1 1 c3 2 b4 3", "3"),
    "which is larger, the red roof or the white roof?": (
        "size",
        " roof b1 red large c3 white small b4 blue small",
        "red",
    ),
    "where is the boat?": ("quadrant", " boat c1 white", "north east"),
    "which roof is nearest to the car?": (
        "nearest",
        " car b2 blue roof b1 red 0 1 red c3 white 1 1 red b4 blue 0 2 red",
        "red",
    ),
    "can the car reach the red roof?": ("reach", " crossing a2 car b2 blue row roof b1 red 1 1", "yes"),
}  # fmt: skip


@pytest.mark.parametrize("question", ASKED)
def test_what_is_thought_and_what_follows(question):
    kind, thought, answer = ASKED[question]
    things = SEEN if kind != "transport" else [one for one in SEEN if one["kind"] != "car"]
    assert concluded(kind, question, PLOTS, things) == (thought, answer)


def test_a_road_without_a_crossing_is_reached_from_its_own_side_alone():
    plots = ("grass",) * 4 + ("row",) * 4 + ("grass",) * 8
    car = {"kind": "car", "colour": "red", "at": [0, 1]}

    def reach(x, y):
        return concluded(
            "reach", "can the car reach the red roof?", plots, [car, {**car, "kind": "roof", "at": [x, y]}]
        )

    assert reach(3, 2) == (" crossing none car a2 red row roof d3 red 3 1", "yes")
    assert reach(1, 3) == (" crossing none car a2 red row roof b4 red 1 2", "no")


def test_who_does_not_see_it_concludes_nothing():
    for kind, question in (
        ("colour", "what colour is the bus?"),
        ("count", "count the bus?"),
        ("quadrant", "where is the bus?"),
    ):
        assert concluded(kind, question, PLOTS, SEEN) == (" bus none", "")
    assert concluded("nearest", "", PLOTS, []) == (" car none roof", "")
    assert concluded("reach", "", PLOTS, []) == (" crossing a2 car none roof none", "")
    assert concluded("size", "", PLOTS, []) == (" roof none", "") and concluded("transport", "", PLOTS, []) == ("", "")


def test_no_more_than_four_are_counted():
    trees = [{"kind": "tree", "colour": None, "at": [x, 0]} for x in (0, 1, 2, 3, 3)]
    assert concluded("count", "count the tree?", PLOTS, trees) == (" tree a1 1 b1 2 c1 3 d1 4", "4")


def test_all_plots_and_what_is_how_far():
    assert every(GROUND).startswith(" a1 column b1 red roof large c1 white boat d1 tree a2 crossing b2 blue car c2 row")
    assert every(GROUND).endswith(" c3 white roof small d3 grass a4 column b4 blue roof small c4 grass d4 grass")
    car, roofs = SEEN[3], [SEEN[5], SEEN[4], SEEN[0]]
    assert far(car, roofs) == (" b4 blue 0 2 blue c3 white 1 1 white b1 red 0 1 red", "red")
    assert listed("roof", []) == " roof none" and grounds("row", PLOTS) == " row b2 c2 d2"


def test_right_thoughts_lead_to_right_answers_in_words_of_the_list():
    tokenizer = word_tokenizer((*WORDS, *THOUGHT_WORDS))
    task = Aerial(split="test", each=20)
    for problem in map(task.at, range(task.size)):
        columns = problem.columns
        thought, said = concluded(columns["kind"], columns["question"], columns["plots"], columns["things"])
        assert said == problem.answer
        text = f"{columns['question']}<think>{thought}</think>"
        assert tokenizer.decode(tokenizer(text)["input_ids"][1:]) == text
    assert len(tokenizer("<think> car b2 blue 0 1</think>")["input_ids"]) == 8
