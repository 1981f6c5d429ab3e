"""Problems that are drawn on demand: splits by content, an end, what is kept."""

import random

import pytest

from rlft.errors import UserError
from rlft.tasks.drawn import Drawn, belongs
from rlft.tasks.sounds import Sound, event, sequenced
from rlft.tasks.tones import listening

SPLITS = ("train", "validation", "test")


def test_a_sound_is_of_one_split_whatever_its_noise():
    draws = [random.Random(seed) for seed in range(300)]
    sounds = [sequenced([event("tone", draw), event("clicks", draw)], draw) for draw in draws]
    held = [[belongs(sound, split) for split in SPLITS] for sound in sounds]
    assert all(sum(one) == 1 for one in held)
    train, validation, test = (sum(column) for column in zip(*held, strict=True))
    assert train > 200 and validation > 10 and test > 10
    louder = [Sound(sound.events, sound.timbre, snr=5.0, key=1) for sound in sounds]
    assert [[belongs(sound, split) for split in SPLITS] for sound in louder] == held


def test_splits_share_nothing():
    tasks = [Drawn("apart", listening(), split) for split in SPLITS]
    drawn = [{str((p.columns["events"], p.columns["timbre"])) for p in map(task.at, range(20))} for task in tasks]
    assert not drawn[0] & drawn[1] and not drawn[0] & drawn[2] and not drawn[1] & drawn[2]


def test_a_task_with_an_end_keeps_what_it_drew():
    task = Drawn("ended", listening(), size=3)
    assert task.at(2) is task.at(2)
    endless = Drawn("ended", listening())
    assert endless.at(2) is not endless.at(2) and endless.at(2).columns == task.at(2).columns
    with pytest.raises(IndexError, match="ended has 3 problems in 'train', none with index 3"):
        task.at(3)
    with pytest.raises(UserError, match="not 'dev'"):
        Drawn("ended", listening(), "dev")
