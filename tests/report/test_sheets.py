"""A problem's rows in one picture."""

import io

import numpy as np
from PIL import Image

from rlft.report.sheets import sheet


def pixels(file):
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def test_images_stand_side_by_side():
    """-1 is black and 1 is white; grey ones have three equal channels; two white pixels between."""
    dark = {"kind": "image", "pixels": [[-1.0, 0.0], [-1.0, -1.0]]}
    red = {"kind": "image", "pixels": [[[1.0, -1.0, -1.0]] * 2] * 2}
    found = pixels(sheet([dark, red]))
    assert found.shape == (2, 6, 3)
    assert found[0].tolist() == [[0, 0, 0], [128] * 3, [255] * 3, [255] * 3, [255, 0, 0], [255, 0, 0]]
    assert sheet([dark, {"kind": "image", "pixels": [[0.0]]}]) is None  # of two sizes


def test_trajectories_are_drawn_in_the_colours_of_their_rewards():
    rows = [
        {"kind": "trajectory", "reward": r, "positions": [[0.0, r], [1.0, r]], "walls": [], "goal": [1.0, 0.5]}
        for r in (0.0, 1.0)
    ]
    found = pixels(sheet(rows))
    assert len(found) > 200
    assert not np.array_equal(found, pixels(sheet(rows[:1])))
    assert sheet([{"kind": "points", "reward": 0.0, "points": [[0.0, 1.0]]}]) is not None


def test_what_cannot_be_drawn_is_no_picture():
    assert sheet([{"kind": "text", "text": "a"}]) is None
    assert sheet([{"kind": "trajectory", "positions": "nowhere"}]) is None
    assert sheet([]) is None
