"""What a report is told of a problem that shows something."""

import base64
import io

import numpy as np
from PIL import Image

from rlft.policies.perception.media import shown_in
from rlft.policies.perception.thumbnails import bare, illustrated, spectrogram
from rlft.types import Problem
from tests.policies.perception.families import asked, pixels, samples


def opened(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_a_picture_is_small_and_says_how_large_it_was():
    small, large = pixels(12, 8, 0), pixels(640, 320, 1)
    problem = asked(0, "a", small, large)
    problem = Problem(0, problem.input, columns={"boxes": [[1, 2, 3, 4]]})
    told = illustrated(problem, shown_in(problem))
    assert told["input"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "image"}]}
    ]
    one, two = told["shown"]
    assert (one["size"], two["size"]) == ([12, 8], [640, 320])
    assert np.array_equal(np.asarray(opened(one["uri"])), small) and opened(two["uri"]).size == (160, 80)
    assert len(two["uri"]) < 20_000
    assert one["boxes"] == [[1, 2, 3, 4]] and "boxes" not in two
    assert illustrated(Problem(0, "text"), []) == {}
    assert bare("text") == "text" and bare([{"role": "user", "content": "t"}]) == [{"role": "user", "content": "t"}]


def test_a_tone_is_a_line_of_its_spectrogram():
    tone = np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000)
    loud = spectrogram(tone)
    assert loud.shape == (64, 61)
    assert set(loud.argmax(0).tolist()) == {16}  # of 64 bands up to 8 kHz
    assert loud.max() == 1 and loud.min() == 0
    told = illustrated(asked(0, samples(8000, 0)), shown_in(asked(0, samples(8000, 0))))["shown"][0]
    assert (told["kind"], told["seconds"]) == ("audio", 0.5) and opened(told["uri"]).size == (30, 64)
    assert spectrogram(np.zeros(10)).shape == (64, 1)
