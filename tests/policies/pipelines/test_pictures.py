"""Pictures and films as files and in the report."""

import base64
import io

import numpy as np
import pytest
import torch

from rlft.policies.pipelines.pictures import suffix, thumbnail, write
from rlft.tasks.films import film_of
from rlft.types import UserError

# Six frames of 16 x 32, each of one grey level.
LEVELS = torch.linspace(-1, 1, 6)
FILM = LEVELS.view(1, 6, 1, 1).expand(3, 6, 16, 32).contiguous()


def pixels(shown):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["uri"].split(",", 1)[1]))))


def test_a_film_is_shown_by_four_of_its_frames():
    """Of six: numbers 0, 2, 3 and 5, as round(linspace(0, 5, 4)) has them."""
    shown = thumbnail(FILM)
    assert shown["size"] == [128, 16]
    assert pixels(shown)[0, ::32, 0].tolist() == [0, 102, 153, 255]
    assert thumbnail(FILM[:, 0])["size"] == [32, 16]


def test_a_film_is_written_and_read_again(tmp_path):
    pytest.importorskip("av", reason="films are written by PyAV: pip install 'rlft[video]'")
    write(FILM, tmp_path / f"film{suffix(12.0)}", 12.0)
    again = film_of(tmp_path / "film.mp4")
    assert (again.count, again.rate) == (6, 12.0)
    frames = np.stack(again.pictures(range(6))).astype(int)
    assert frames.shape == (6, 16, 32, 3)
    assert np.abs(frames.mean((1, 2, 3)) - (LEVELS.numpy() + 1) * 127.5).max() < 3  # the codec rounds
    write(FILM[:, 2], tmp_path / f"picture{suffix(None)}")
    assert (tmp_path / "picture.png").is_file()


def test_without_pyav_it_is_said_before_anything_is_drawn(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UserError, match=r"films are written by PyAV: pip install 'rlft\[video\]'"):
        suffix(16.0)
    assert suffix(None) == ".png"
