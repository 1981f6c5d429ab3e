"""Rows with an image, as numbers or as a PNG."""

import base64

import numpy as np
import pytest

from rlft.report import read
from rlft.report.pictures import pixels, png, png_file
from rlft.report.samples import gallery
from tests.report import run_folders

IMAGE = np.array([[[-1, 1, 0.2], [1, -1, -0.6]]])
URI = f"data:image/png;base64,{base64.b64encode(png_file(IMAGE)).decode()}"


def test_a_png_is_read_as_what_was_written():
    np.testing.assert_allclose(pixels({"uri": URI}), IMAGE, atol=1 / 255)
    assert pixels({"pixels": IMAGE.tolist()}).tolist() == IMAGE.tolist()
    assert png(pixels({"uri": URI})) == URI


@pytest.mark.parametrize("uri", ["data:image/png;base64,QUJD", "data:image/png;base64,?", "nothing", "", URI[:60]])
def test_what_is_no_png_raises_what_is_expected_of_it(uri):
    with pytest.raises(ValueError, match="no PNG"):
        pixels({"uri": uri})


def test_the_page_shows_it(tmp_path):
    records = [{"step": n, "problem": {"input": "a cat"}, "rows": [{"kind": "image", "uri": URI}]} for n in (0, 4)]
    run_folders.folder(tmp_path / "run", info=run_folders.information("grpo", 1), samples=records)
    found = gallery(read(tmp_path / "run"))
    assert found is not None
    first, last = found.pairs[0]
    assert (first.step, last.step) == (0, 4) and first.images
    assert first.rows[0].picture == last.rows[0].picture == URI
