"""What the tower of worlds of sounds is told, and that the pictures' one is called as it was."""

import numpy as np
import torch

from rlft.tasks.sounds import CLASSES
from rlft.worlds.listening import LISTENING, glances


def test_glances_are_drawn_again_as_they_were():
    read, told = glances(0)(3)
    assert read.shape == (64, 32, 100) and told.shape == (64, 25, 6)
    again = glances(0)(3)
    assert torch.equal(read, again[0]) and torch.equal(told, again[1])
    assert not torch.equal(told, glances(0)(4)[1])
    for head, classes in enumerate(CLASSES):
        seen = told[..., head]
        assert seen.max() < classes and set(np.unique(seen[seen < 0])) <= {-100}
    # Where there is nothing, nothing else is told.
    assert (told[told[..., 0] == 0][:, 1:] == -100).all()


def test_louder_parts_are_where_something_is_told():
    read, told = glances(0)(0)
    energy = read.mean(1).reshape(64, 25, 4).mean(2)
    assert energy[told[..., 0] > 0].mean() > energy[told[..., 0] == 0].mean() + 0.2


def test_every_patch_gets_an_embedding_of_the_decoder():
    model, processor = LISTENING.blank("ab")
    parts = LISTENING.parts(model)
    given = LISTENING.embed(parts["tower"], parts["between"], torch.zeros(2, 32, 100))
    assert given.shape == (2, 25, model.config.text_config.hidden_size)
    assert processor.feature_extractor.feature_size == 32
