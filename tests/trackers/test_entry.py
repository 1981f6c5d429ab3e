"""Lines of a log as trackers show them."""

import io

import numpy as np
from PIL import Image

from rlft.report.pictures import png
from rlft.trackers.entry import entry


def test_numbers_of_a_step():
    line = {"step": 7, "reward": 0.5, "updates": 2, "kl": None, "flag": True, "name": "x"}
    found = entry("metrics", line, 1)
    assert (found.step, dict(found.numbers), found.text, found.pictures) == (7, {"reward": 0.5, "updates": 2.0}, "", ())


def test_numbers_of_an_evaluation_bear_its_name():
    line = {"step": 4, "name": "held-out", "when": "during", "reward": 0.25, "interval": [0.1, 0.4], "problems": 9}
    assert dict(entry("evaluations", line, 1).numbers) == {
        "held-out/reward": 0.25,
        "held-out/reward/low": 0.1,
        "held-out/reward/high": 0.4,
        "held-out/problems": 9.0,
    }


def test_lines_are_in_the_order_they_are_written():
    told = [("samples", 3, 1), ("samples", 3, 2), ("metrics", 3, 1), ("evaluations", 3, 1), ("samples", 4, 1)]
    orders = [entry(log, {"step": step}, place).order for log, step, place in told]
    assert orders == sorted(set(orders))


def test_a_text_stays_as_it_is_however_many_backquotes_it_has():
    rows = [{"reward": 1.0, "text": "a ```` b"}, {"reward": 0.0, "messages": [{"role": "user", "text": "why"}]}]
    line = {"step": 1, "problem": {"index": 5, "input": "2+2", "answer": "4"}, "rows": rows}
    text = entry("samples", line, 1).text
    assert text.startswith("problem 5\n\ninput:\n\n```\n2+2\n```\n\nanswer:\n\n```\n4\n```")
    assert "row 1, reward 1.0:\n\n`````\na ```` b\n`````" in text
    assert text.endswith("row 2, reward 0.0:\n\n```\nuser: why\n```")


def test_pictures_are_what_was_shown_and_what_was_drawn():
    pixels = np.zeros((4, 6, 3)).tolist()
    line = {"step": 1, "problem": {"index": 0, "shown": [{"kind": "image", "uri": png(pixels)}]}}
    rows = [{"kind": "image", "reward": 1.0, "pixels": pixels}, {"kind": "image", "reward": 0.0, "pixels": pixels}]
    shown, drawn = entry("samples", {**line, "rows": rows}, 1).pictures
    assert Image.open(io.BytesIO(shown)).size == (6, 4)
    assert Image.open(io.BytesIO(drawn)).size == (14, 4)  # two and a gap
