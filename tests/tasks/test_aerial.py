"""Pictures from above: balanced, answerable, drawn again as they were; what is on each plot, and what it looks like."""

import time
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from rlft.errors import UserError
from rlft.tasks.aerial import CHANCE, COLOURS, GROUPS, KINDS, PLOT, WORDS, Aerial, Ground, Thing, belongs, reached

EACH = 100


@pytest.fixture(scope="module")
def problems():
    """Of every kind, of two splits; and the CPU-seconds that one took."""
    began = time.process_time()
    found = {
        split: [t.at(i) for i in range(t.size)] for split in ("train", "test") if (t := Aerial(KINDS, split, EACH))
    }
    return found, (time.process_time() - began) / (2 * EACH * len(KINDS))


def oracle(problem):
    """The answer, from the columns alone."""
    kind, words, things = problem.columns["kind"], problem.columns["question"], problem.columns["things"]
    plots = problem.columns["plots"]
    named = [t for t in things if t["kind"] in words.split("the ")[-1]]
    if kind == "colour":
        return named[0]["colour"]
    if kind == "presence":
        asked = words.removeprefix("is there ").rstrip("?")
        return "yes" if asked in plots or any(t["kind"] == asked for t in things) else "no"
    if kind == "transport":
        return next(t["kind"] for t in things if t["kind"] in ("car", "bus", "boat"))
    if kind == "count":
        return str(len(named))
    roofs = {t["colour"]: t for t in things if t["kind"] == "roof"}
    if kind == "size":
        return next(colour for colour, t in roofs.items() if t["large"])
    if kind == "quadrant":
        x, y = named[0]["at"]
        return ("north", "south")[y > 1] + (" west", " east")[x > 1]
    cars = [t["at"] for t in things if t["kind"] == "car"]
    if kind == "nearest":
        return min(roofs, key=lambda c: np.hypot(*np.subtract(roofs[c]["at"], cars[0])))
    # A road is a whole row or column; it is beside the roof where one of its plots is.
    rows = {i // 4 for i, plot in enumerate(plots) if plot in ("row", "crossing")}
    columns = {i % 4 for i, plot in enumerate(plots) if plot in ("column", "crossing")}
    (x, y), (u, v) = cars[0], next(iter(roofs.values()))["at"]
    own = "row" if plots[4 * y + x] == "row" else "column"
    mine = {("row", y) if own == "row" else ("column", x)}
    mine |= {("column", c) for c in columns} if own == "row" else {("row", r) for r in rows}
    near = {("row", v - 1), ("row", v + 1), ("column", u - 1), ("column", u + 1)}
    return "yes" if near & mine else "no"


def test_every_question_can_be_answered(problems):
    for split in problems[0].values():
        assert [oracle(p) for p in split] == [p.answer for p in split]


def test_each_question_is_about_one_thing(problems):
    for problem in problems[0]["test"]:
        kinds = Counter(t["kind"] for t in problem.columns["things"])
        if problem.columns["kind"] in ("colour", "quadrant"):
            assert kinds[problem.columns["question"].split("the ")[1].rstrip("?")] == 1
        if problem.columns["kind"] in ("nearest", "reach"):
            assert kinds["car"] == 1 and kinds["roof"] == (3 if problem.columns["kind"] == "nearest" else 1)
        if problem.columns["kind"] == "transport":
            assert kinds["car"] + kinds["bus"] + kinds["boat"] == 1


def test_who_sees_no_picture_is_right_by_chance(problems):
    """The likeliest answer to each question, learned from one split, on the other."""
    said = defaultdict(Counter)
    for problem in problems[0]["train"]:
        said[problem.columns["question"]][problem.answer] += 1
    right = defaultdict(list)
    for problem in problems[0]["test"]:
        known = said[problem.columns["question"]]
        right[problem.columns["kind"]].append(bool(known) and known.most_common(1)[0][0] == problem.answer)
    for kind in KINDS:
        counts = Counter(p.answer for p in problems[0]["test"] if p.columns["kind"] == kind)
        expected, tolerance = CHANCE[kind], 4 * (CHANCE[kind] * (1 - CHANCE[kind]) / EACH) ** 0.5
        assert np.mean(right[kind]) < expected + tolerance
        assert max(counts.values()) / EACH < (1 / 4 if kind == "size" else expected) + tolerance
    assert np.mean([CHANCE[kind] for kind in KINDS]) == pytest.approx((4 / 4 + 3 / 2 + 1 / 3) / 8)


def test_splits_share_nothing_and_a_problem_takes_a_few_milliseconds(problems):
    held = {
        split: {(*p.columns["plots"], str(p.columns["things"])) for p in found} for split, found in problems[0].items()
    }
    assert not held["train"] & held["test"]
    assert problems[1] < 0.02


def test_the_same_index_is_the_same_problem_also_among_fewer_kinds():
    whole, part = Aerial(each=3), Aerial(GROUPS["spatial"], each=3)
    for number, place in ((0, 0), (2, 1)):
        a, b = whole.at(8 * number + KINDS.index("nearest")), part.at(3 * number + GROUPS["spatial"].index("nearest"))
        assert a.columns == b.columns and a.answer == b.answer
        pictures = [np.array(p.input[0]["content"][0]["image"]) for p in (a, b, whole.at(a.index))]
        assert all(np.array_equal(pictures[0], other) for other in pictures[1:])
        assert place in (0, 1)
    assert whole.size == 24 and part.size == 9 and part.at(5).columns["kind"] == "reach"
    assert Aerial(series="other").at(0).columns != whole.at(0).columns
    with pytest.raises(IndexError):
        part.at(9)
    with pytest.raises(UserError, match="not 'shape'"):
        Aerial(("shape",))
    with pytest.raises(UserError, match="not 'dev'"):
        Aerial(split="dev")


def test_every_word_is_in_the_list(problems):
    from rlft.models.small_language import word_tokenizer

    tokenizer = word_tokenizer(WORDS)
    for text in {p.columns["question"] + f"<answer>{p.answer}</answer>" for p in problems[0]["test"]}:
        assert tokenizer.decode(tokenizer(text)["input_ids"][1:]) == text
    assert len(tokenizer("<answer>north west</answer>")["input_ids"]) == 4


PLOTS = ("column", "grass", "water", "grass") + ("crossing", "row", "row", "row") + ("column", *["grass"] * 3) * 2
THINGS = (
    None, Thing("roof", "red", large=True), Thing("boat", "white"), Thing("tree"),
    None, Thing("car", "blue"), None, Thing("bus", "yellow"),
    Thing("car", "white", upright=True), *[None] * 7,
)  # fmt: skip


@pytest.mark.parametrize(("altitude", "road", "car", "roof"), [("high", 4, (2, 3), 6), ("low", 6, (3, 4), 8)])
def test_what_it_looks_like(altitude, road, car, roof):
    pixels = Ground(PLOTS, THINGS, altitude, noise=0.0).picture()
    plots = {(x, y): pixels[PLOT * y : PLOT * y + PLOT, PLOT * x : PLOT * x + PLOT] for x in range(4) for y in range(4)}

    def like(plot, colour):
        found = (plot == colour).all(-1)
        return found.sum(), found.any(1).sum(), found.any(0).sum()

    grey = (110, 110, 115)
    assert like(plots[2, 1], grey) == (8 * road, road, 8) and like(plots[0, 0], grey) == (8 * road, 8, road)
    assert like(plots[0, 1], grey) == (2 * 8 * road - road**2, 8, 8)
    assert like(plots[1, 1], COLOURS["blue"]) == (car[0] * car[1], *car)
    assert like(plots[0, 2], COLOURS["white"]) == (car[0] * car[1], *car[::-1])
    assert like(plots[1, 0], COLOURS["red"])[0] == roof * (roof - 1)  # its ridge is darker
    assert like(plots[3, 3], (70, 110, 60))[0] == 64
    noisy = Ground(PLOTS, THINGS, altitude, noise=10.0).picture().astype(float)[24:, 24:]
    assert 8 < (noisy - (70, 110, 60)).std() < 12


def test_what_each_patch_holds():
    told = Ground(PLOTS, THINGS).patches(PLOT).tolist()
    assert told[0] == [2, 0, 0, -100, 0] and told[4] == [3, 0, 0, -100, 4] and told[15] == [0, 0, 0, -100, 15]
    assert told[1] == [0, 4, 1, 1, 1] and told[2] == [4, 3, 3, -100, 2] and told[3] == [0, 5, 0, -100, 3]
    assert told[5] == [1, 1, 2, -100, 5] and told[7] == [1, 2, 4, -100, 7]
    with pytest.raises(UserError, match="8 pixels"):
        Ground(PLOTS, THINGS).patches(4)


def test_who_reaches_what():
    """A road along the second row meets one along the first column; the roof is beside the row alone."""
    plots = {(i % 4, i // 4): plot for i, plot in enumerate(PLOTS)}
    roof = Thing("roof", "red")
    assert reached(plots, {(0, 3): Thing("car"), (2, 2): roof})  # over the crossing
    assert not reached(plots, {(0, 3): Thing("car"), (3, 3): roof})
    apart = {**plots, (0, 1): "column"}  # they pass each other without a crossing
    assert not reached(apart, {(0, 3): Thing("car"), (2, 2): roof})
    assert reached(apart, {(1, 1): Thing("car"), (2, 2): roof}) and not reached(plots, {(2, 2): roof})


def test_a_ground_belongs_to_one_split_whatever_its_noise():
    ground = Ground(PLOTS, THINGS)
    owners = [split for split in ("train", "validation", "test") if belongs(ground, split)]
    assert len(owners) == 1 and belongs(replace(ground, key=7, altitude="low"), owners[0])
