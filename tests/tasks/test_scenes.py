import random

import numpy as np

from rlft.tasks.drawn import belongs
from rlft.tasks.scenes import COLOURS, SHAPES, Scene, Thing, scattered


def test_a_thing_fills_its_box_and_nothing_else():
    for shape in SHAPES:
        for box in ((3, 4, 9, 12), (0, 0, 7, 6), (22, 21, 32, 31)):
            pixels = Scene((Thing(shape, "red", box),), noise=0.0).picture()
            ys, xs = np.nonzero((pixels == COLOURS["red"]).all(-1))
            assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == box


def test_a_scene_is_drawn_again_as_it_was():
    scene = Scene((Thing("disc", "blue", (1, 1, 8, 8)),), key=7)
    assert (scene.picture() == scene.picture()).all()
    assert (scene.picture() != Scene(scene.things, key=8).picture()).any()
    assert abs(np.std(scene.picture()[10:].astype(float) - (24, 24, 32)) - 12) < 0.8


def test_things_keep_apart():
    for seed in range(30):
        scene = scattered([("red", "disc")] * 4, random.Random(seed))
        covered = np.zeros((34, 34), dtype=int)
        for thing in scene.things if scene else ():
            x0, y0, x1, y1 = thing.box
            assert 0 <= x0 and 0 <= y0 and x1 <= 32 and y1 <= 32 and {x1 - x0, y1 - y0} <= {8, 12}
            assert not any(side % 4 for side in thing.box)
            covered[y0 : y1 + 1, x0 : x1 + 1] += 1
        assert covered.max() <= 1
    assert scattered([("red", "disc")] * 30, random.Random(0)) is None


def test_a_scene_is_of_one_split():
    scenes = [scattered([("red", "disc")], random.Random(seed)) for seed in range(300)]
    held = [[belongs(scene, split) for split in ("train", "validation", "test")] for scene in scenes]
    assert all(sum(one) == 1 for one in held)
    train, validation, test = (sum(column) for column in zip(*held, strict=True))
    assert train > 200 and validation > 10 and test > 10
