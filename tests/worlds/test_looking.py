"""What the tower of worlds of pictures is told."""

import numpy as np
import torch

from rlft.tasks.scenes import NAMES, Scene, Thing
from rlft.worlds.looking import glances


def test_a_patch_has_the_thing_that_covers_most_of_it():
    scene = Scene((Thing("disc", "red", (0, 0, 12, 8)), Thing("bar", "blue", (12, 4, 20, 16))))
    told = scene.patches(8)
    red, blue = (NAMES.index(name) + 1 for name in (("red", "disc"), ("blue", "bar")))
    assert told[0].tolist() == [red, 0, 0, 12, 8]
    # 4 by 8 pixels of the red one, 4 by 4 of the blue one.
    assert told[1].tolist() == [red, 0, 0, 12, 8] and told[2].tolist() == [blue, 12, 4, 20, 16]
    assert told[5].tolist() == told[6].tolist() == told[2].tolist()
    assert told[3].tolist() == [0, -100, -100, -100, -100] and (told[:, 0] > 0).sum() == 5


def test_glances_are_drawn_again_as_they_were():
    pixels, told = glances(0)(3)
    assert pixels.shape == (64, 3, 32, 32) and told.shape == (64, 16, 5)
    assert -1 <= pixels.min() < -0.7 and 0.6 < pixels.max() <= 1
    again = glances(0)(3)
    assert torch.equal(pixels, again[0]) and torch.equal(told, again[1])
    assert not torch.equal(told, glances(0)(4)[1])
    assert np.isin(told[..., 1:].numpy(), [-100, *range(0, 33, 4)]).all()
