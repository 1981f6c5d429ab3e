"""Frames of films, from arrays, files and folders, as pictures with their times; denser views of the same film."""

import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from rlft.options.task import load_task
from rlft.tasks.files import Files
from rlft.tasks.films import Film, Filmed, film_of, films_in, frames_of, moments, shows_film, viewed
from rlft.types import Problem, UserError


def grey(count, side=4):
    """A film whose frame i is of the tone 10 i."""
    return np.broadcast_to((10 * np.arange(count, dtype=np.uint8))[:, None, None, None], (count, side, side, 3)).copy()


def tones(messages):
    """Times and tones of the frames of the first message, and its texts that are neither."""
    parts = messages[0]["content"]
    found = []
    for time, picture in pairwise(parts):
        if time["type"] == "text" and picture["type"] == "image":
            held = picture["image"]
            pixels = np.asarray(Image.open(held)) if isinstance(held, str) else held
            found.append((time["text"], round(float(np.asarray(pixels, dtype=float).mean()))))
    return found


@pytest.mark.parametrize(
    ("count", "frames", "expected"),
    [(5, 1, [0]), (5, 2, [0, 4]), (5, 3, [0, 2, 4]), (9, 4, [0, 3, 5, 8]), (3, 8, [0, 1, 2]), (1, 4, [0])],
)
def test_frames_are_evenly_from_the_first_to_the_last(count, frames, expected):
    assert moments(count, frames) == expected


def test_a_film_of_a_column_stands_before_the_question():
    problem = Problem(0, "how bright?", columns={"video": {"array": grey(5), "fps": 2}, "other": 1})
    seen = viewed(problem, 3)
    assert shows_film(problem) and not films_in(seen) and frames_of(seen) == 3 and frames_of(problem) == 0
    assert tones(seen.input) == [("0.0s", 0), ("1.0s", 20), ("2.0s", 40)]
    assert seen.input[0]["content"][-1] == {"type": "text", "text": "how bright?"} and seen.columns == {"other": 1}
    # the same film again, more densely
    assert tones(viewed(seen, 5).input) == [(f"{i / 2:.1f}s", 10 * i) for i in range(5)]


def test_a_film_of_a_message_stands_where_it_stood():
    parts = [{"type": "text", "text": "before"}, {"type": "video", "video": grey(3)}, {"type": "text", "text": "after"}]
    seen = viewed(Problem(0, [{"role": "user", "content": parts}]), 2)
    told = [part.get("text") or "picture" for part in seen.input[0]["content"]]
    assert told == ["before", "0.0s", "picture", "2.0s", "picture", "after"]
    plain = Problem(1, "nothing to see")
    assert viewed(plain, 4) is plain
    with pytest.raises(UserError, match="no message of it is a user's"):
        viewed(Problem(2, [{"role": "system", "content": "x"}], columns={"video": grey(2)}), 2)


def written(folder):
    """The film as a .npy file, a folder of pictures, and an mp4 that PyAV has written."""
    av = pytest.importorskip("av", reason="films are written and read by PyAV: pip install 'rlft[video]'")
    film = grey(8, side=16)
    np.save(folder / "film.npy", film)
    (folder / "frames").mkdir()
    for number, frame in enumerate(film):
        Image.fromarray(frame).save(folder / "frames" / f"{number:02}.png")
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 16
        for frame in film:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(("name", "rate", "near"), [("film.npy", 1, 0), ("frames", 1, 0), ("film.mp4", 4, 6)])
def test_files(tmp_path, name, rate, near):
    """Coded pictures are near what they were."""
    written(tmp_path)
    film = film_of(str(tmp_path / name))
    assert isinstance(film, Film) and film.count == 8 and film.rate == rate
    seen = viewed(Problem(0, "?", columns={"video": str(tmp_path / name)}), 3)
    assert [time for time, _ in tones(seen.input)] == [f"{at / rate:.1f}s" for at in (0, 4, 7)]
    assert [tone for _, tone in tones(seen.input)] == pytest.approx([0, 40, 70], abs=near)


def test_paths_of_a_data_file_are_beside_it(tmp_path):
    """A column, and a part of a message; `load_task` shows eight frames or as many as it is told."""
    written(tmp_path)
    rows = '{"prompt": "how bright?", "video": "film.npy", "answer": "A"}\n{"prompt": "and?", "video": "frames"}\n'
    (tmp_path / "data.jsonl").write_text(rows)
    task = load_task(str(tmp_path / "data.jsonl"))
    assert isinstance(task, Filmed) and [frames_of(task.at(i)) for i in range(2)] == [8, 8]
    fewer = load_task(str(tmp_path / "data.jsonl"), frames=2)
    assert tones(fewer.at(1).input) == [("0.0s", 0), ("7.0s", 70)] and fewer.at(0).answer == "A"
    parts = [{"type": "video", "video": "frames"}, {"type": "text", "text": "?"}]
    row = {"prompt": [{"role": "user", "content": parts}]}
    (tmp_path / "parts.jsonl").write_text(json.dumps(row) + "\n")
    assert frames_of(load_task(str(tmp_path / "parts.jsonl"), frames=3).at(0)) == 3
    (tmp_path / "plain.jsonl").write_text('{"prompt": "?"}\n')
    assert isinstance(load_task(str(tmp_path / "plain.jsonl")), Files)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (np.zeros((2, 4, 4, 1), dtype=np.uint8), r"uint8, not uint8 \[2, 4, 4, 1\]"),
        (np.zeros((2, 4, 4, 3)), "not float64"),
        ("nowhere.mp4", "there is no film"),
        (7, "not int"),
        ({"array": grey(2), "fps": 0}, "above 0; got 0"),
    ],
)
def test_what_is_no_film(held, words):
    with pytest.raises(UserError, match=words):
        film_of(held)


def test_files_that_are_none(tmp_path):
    pytest.importorskip("av", reason="films are read by PyAV: pip install 'rlft[video]'")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no film")
    for name, words in (("empty", "has no pictures"), ("text.mp4", "cannot read the film")):
        with pytest.raises(UserError, match=words):
            film_of(tmp_path / name)
    with pytest.raises(UserError, match="at least one frame"):
        moments(4, 0)
