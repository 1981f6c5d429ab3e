"""Sounds: where their partials are, how loud and long they are, what each part of one is told to be."""

import random
import time

import numpy as np
import pytest

from rlft.tasks.sounds import COUNTS, KINDS, LOUDNESS, PITCHES, RATE, TIMBRES, Event, Sound, event, sequenced

QUIET = {"snr": 120.0}
LONG = {"loudness": "loud", "length": "long"}


def spectrum(samples):
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples))))


def cut(sound):
    (one,) = sound.events
    start = round(one.onset * RATE)
    return sound.samples()[start : start + round(one.seconds * RATE)]


@pytest.mark.parametrize(("pitch", "peak"), [("low", 72), ("middle", 162), ("high", 360)])
def test_a_tone_has_its_peak_where_it_belongs(pitch, peak):
    """0.18 s are 2880 samples, so the bin of f is f · 2880 / 16000."""
    assert peak == PITCHES[pitch] * 2880 / 16000
    for timbre in TIMBRES:
        assert spectrum(cut(Sound((Event("tone", pitch, **LONG),), timbre, **QUIET))).argmax() == peak


def test_partials_of_a_timbre():
    """At k f a sine has nothing else, a square 1/k where k is odd, a saw 1/k everywhere."""
    expected = {"sine": [1, 0, 0, 0], "square": [1, 0, 1 / 3, 0], "saw": [1, 1 / 2, 1 / 3, 1 / 4]}
    for timbre, partials in expected.items():
        heard = spectrum(cut(Sound((Event("tone", "low", **LONG),), timbre, **QUIET)))
        assert heard[[72, 144, 216, 288]] / heard[72] == pytest.approx(partials, abs=0.01)
        assert heard[round(7500 * 0.18) + 4 :].max() < 0.003 * heard[72]


@pytest.mark.parametrize(("kind", "turn"), [("rise", 1), ("fall", -1)])
def test_a_chirp_goes_through_four_fifths_of_an_octave(kind, turn):
    heard = cut(Sound((Event(kind, "middle", **LONG),), **QUIET))
    # The middle of a sixth of it: 900 Hz · 2^(0.8 (t - 1/2)).
    for share in (1 / 6, 1 / 2, 5 / 6):
        middle = round(share * len(heard))
        found = spectrum(heard[middle - 240 : middle + 240]).argmax() * RATE / 480
        assert found == pytest.approx(900 * 2 ** (turn * 0.8 * (share - 0.5)), abs=RATE / 480)


def test_tremolo_has_side_tones_thirty_hertz_away():
    """1 + 0.9 sin makes side tones of 0.45: 5.4 bins of the event's own away, where a Hann window has nothing left."""
    heard = cut(Sound((Event("tremolo", "middle", **LONG),), **QUIET))
    heard = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 16000))
    assert heard[[870, 930]] / heard[900] == pytest.approx([0.45, 0.45], abs=0.01)


def test_loudness_is_the_root_mean_square():
    for loudness, level in LOUDNESS.items():
        for kind in ("tone", "rise", "tremolo", "noise"):
            pitch = "" if kind == "noise" else "low"
            heard = cut(Sound((Event(kind, pitch, loudness, "long"),), **QUIET))[80:-80]
            assert np.sqrt((heard**2).mean()) == pytest.approx(level, rel=0.05 if kind == "noise" else 0.03)
    silence = Sound((), snr=20.0).samples()
    assert silence.std() == pytest.approx(0.008, rel=0.02)


@pytest.mark.parametrize("count", COUNTS)
def test_clicks_can_be_counted(count):
    heard = np.abs(Sound((Event("clicks", "", "loud", "", count, 0.2),), **QUIET).samples())
    starts = [i for i in np.flatnonzero(heard > 0.9) if not (heard[i - 320 : i] > 0.9).any()]
    assert starts == [3200 + 640 * i for i in range(count)]


def test_parts_of_a_sound_are_told():
    told = Sound((Event("rise", "high", "soft", "short", 0, 0.1), Event("clicks", "", "loud", "", 3, 0.63))).tokens()
    # From 0.1 to 0.2 s are half of part 2 and parts 3 and 4; from 0.63 to 0.72 a quarter of part 15 and 16 and 17.
    assert told[2].tolist() == told[3].tolist() == told[4].tolist() == [2, 2, 0, 0, -100, 0]
    assert told[15].tolist() == told[17].tolist() == [6, -100, 1, -100, 1, 1]
    assert (told[:, 0] > 0).sum() == 6 and told[0].tolist() == [0, *[-100] * 5]


def test_a_part_is_that_of_the_event_that_fills_most_of_it():
    """Part 5 is from 0.2 to 0.24 s: the first event lasts until 0.23."""
    told = Sound(
        (Event("tone", "low", "soft", "short", 0, 0.13), Event("noise", "", "soft", "short", 0, 0.23))
    ).tokens()
    assert told[5, 0] == 1 and told[5, 5] == 0 and told[6, 0] == 5 and told[6, 5] == 1


def test_a_sound_is_made_again_as_it_was_and_soon():
    sounds = [sequenced([event(kind, random.Random(i)) for kind in KINDS[1:]], random.Random(i)) for i in range(20)]
    begun = time.process_time()
    made = [sound.samples() for sound in sounds]
    assert (time.process_time() - begun) / len(sounds) < 0.02
    for sound, samples in zip(sounds, made, strict=True):
        assert samples.shape == (16000,) and samples.dtype == np.float32 and np.abs(samples).max() <= 1
        assert (sound.samples() == samples).all()
        assert all(type(one.onset) is float for one in sound.events)  # what a split is made of, written out
        ends = [0.0, *(one.onset + one.seconds for one in sound.events)]
        assert all(a <= one.onset + 1e-9 for a, one in zip(ends, sound.events, strict=False)) and ends[-1] <= 1
    assert (Sound((), key=1).samples() != Sound((), key=2).samples()).any()
