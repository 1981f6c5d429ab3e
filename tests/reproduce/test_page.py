"""The pages in docs/ are what the catalogue and the results say: `make docs` writes them again."""

from pathlib import Path

import pytest

from rlft.reproduce import catalogue_page, page, results

DOCS = Path(__file__).parents[2] / "docs"
COMMITTED = sorted(path.stem for path in results.FOLDER.glob("*.json"))


def test_the_front_page_agrees_with_the_files():
    assert (DOCS / "index.md").read_text() == catalogue_page.markdown(), "run: make docs"


@pytest.mark.parametrize("key", COMMITTED)
def test_a_systems_page_agrees_with_its_result(key):
    text = (DOCS / "evidence" / f"{key}.md").read_text()
    assert text == page.committed(results.load(key)), "run: make docs"
    assert (DOCS / "evidence" / f"{key}.svg").read_text().startswith("<svg xmlns=")


def test_every_page_has_a_result():
    assert sorted(path.stem for path in (DOCS / "evidence").glob("*.md")) == COMMITTED
