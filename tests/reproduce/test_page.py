"""The pages in docs/ are what the catalogue and the results say: `make docs` writes them again."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rlft.reproduce import catalogue, catalogue_page, page, results, standing

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


CHROMIUM = shutil.which("chromium")
KINDS = catalogue_page.kinds(missing=list(standing.MISSING))


def shown(folder, query):
    """The front page's table and its script as Chromium has them, from a file: keys of the rows that are not hidden."""
    table = [line for line in catalogue_page.markdown().splitlines() if line.startswith("| ")]
    head, *rows = table[: len(catalogue.systems()) + 1]
    marked = [re.sub("`([^`]+)`", r"<code>\1</code>", row[2:-2]).split(" | ") for row in rows]
    heads = "".join(f"<th>{cell}</th>" for cell in head[2:-2].split(" | "))
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in marked)
    page = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    script = (DOCS / "javascripts" / "tags.js").read_text()
    (folder / "page.html").write_text(f"<!doctype html>{KINDS}{page}<script>{script}</script>")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    address = f"file://{folder / 'page.html'}{query}"
    found = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=60).stdout
    said = re.search("<output>(.*?)</output>", found)
    return said and said[1], re.findall(r"<tr><td>\d+</td><td>(.*?)</td>", found)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_filters_of_the_front_page(tmp_path):
    everything, keys = shown(tmp_path, "")
    assert everything == f"{len(keys)} of {len(keys)}"
    assert len(keys) == len(catalogue.systems())
    seeing = [one for one in catalogue.systems() if "vision-language" in one.modality and "TRL" in one.framework]
    both = [one for one in seeing if "full-size" in standing.missing(one.key) and "RefCOCO" in one.benchmark]
    said, keys = shown(tmp_path, "?modality=vision-language&framework=TRL&missing=full-size&benchmark=RefCOCO")
    assert said == f"{len(both)} of {len(catalogue.systems())}"
    assert [one.key in key for one, key in zip(both, keys, strict=True)] == [True] * len(both)
    assert len(shown(tmp_path, "?words=r1-aqa+nothing")[1]) == 0
