"""What each system misses: by planted recipes, results and tests, and of the systems as they are."""

from dataclasses import replace

import pytest

from rlft.reproduce import catalogue, results, standing
from rlft.reproduce.catalogue import state, systems
from rlft.reproduce.catalogue_page import markdown
from tests.reproduce.test_catalogue import CLAIM, Planted

CACHES = (
    *(standing._sources, standing._tests, standing._reading_commands, standing._imported_by_tests),
    *(standing._contract, standing._named_in_a_test),
)
READS = "from rlft.recipes.{key} import CLAIM\n\n\ndef test_it():\n    assert CLAIM.real\n"


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Recipes and results of a test, and tests beside them; the library is the real one."""
    (tmp_path / "tests").mkdir()
    monkeypatch.setattr(standing, "TESTS", tmp_path / "tests")
    clear()
    yield Planted(tmp_path, monkeypatch)
    clear()


def clear():
    for cache in CACHES:
        cache.cache_clear()


def write(planted, recipe=None, test=None):
    """A recipe's text in place of the planted one, and a test."""
    if recipe is not None:
        (planted.recipes / "loop.py").write_text(recipe)
    if test is not None:
        (standing.TESTS / "test_loop.py").write_text(test)
    clear()


def test_without_a_recipe_all_is_missing(planted):
    assert standing.missing("loop") == ("part", "result", "full-size")


def test_one_after_another_is_found(planted):
    planted.recipe("loop", CLAIM)
    write(planted, 'CLAIM = Claim(real="Any denoiser.")\n')
    # methods/loop.py cites the paper, and no planted test names it
    assert standing.parts("loop") == ["rlft.methods.loop"]
    assert standing.missing("loop") == ("part", "result", "full-size")
    write(planted, test="from rlft.methods.loop import loop\n")
    assert standing.missing("loop") == ("result", "full-size")
    planted.result("loop", CLAIM, "not reproduced")
    assert standing.missing("loop") == ("full-size",)
    # a command that no test reads, a test that reads a sentence, and both
    write(planted, 'CLAIM = Claim(real="rlft train " "--method loop")\n')
    assert standing.missing("loop") == ("full-size",)
    told = "from rlft.methods.loop import loop\n" + READS.format(key="loop")
    write(planted, 'CLAIM = Claim(real="`rlft.methods.loop` around any denoiser")\n', told)
    assert standing.missing("loop") == ("full-size",)
    write(planted, 'CLAIM = Claim(real="rlft train " "--method loop")\n')
    assert standing.missing("loop") == ()
    planted.recipe("loop", replace(CLAIM, seeds=7))
    write(planted, 'CLAIM = Claim(real="rlft train --method loop")\n')
    assert standing.missing("loop") == ("stale",)


def test_another_systems_test_does_not_count(planted):
    planted.recipe("loop", CLAIM)
    write(planted, 'CLAIM = Claim(real="rlft train")\n', READS.format(key="loop_2"))
    assert "full-size" in standing.missing("loop")
    several = "from rlft.recipes import (\n    {},\n    prdp,\n)\n\nWORDS = loop.CLAIM.real\n"
    write(planted, 'CLAIM = Claim(real="rlft train")\n', several.format("loop_2"))
    assert "full-size" in standing.missing("loop")
    write(planted, 'CLAIM = Claim(real="rlft train")\n', several.format("loop"))
    assert "full-size" not in standing.missing("loop")


def test_a_part_is_named_through_its_package_by_what_is_made_with_it_or_by_its_recipe(planted):
    assert not standing._tested("rlft.rewards.boxes", "vlm_r1")
    write(planted, test="from rlft.rewards import (\n    od_length,\n)\n")
    assert standing._tested("rlft.rewards.boxes", "vlm_r1")
    write(planted, test="from rlft.metrics.bleu import bleu\n")  # metrics/bleu.py imports smoothing
    assert standing._tested("rlft.metrics.smoothing", "tensorbleu")
    (planted.recipes / "loop.py").write_text("from rlft.worlds.careless import Careless\nCLAIM = 1\n")
    write(planted, test="from rlft.metrics.bleu import bleu\n")
    assert not standing._tested("rlft.worlds.careless", "loop")
    write(planted, test="from rlft.recipes.loop import CLAIM\n")
    assert not standing._tested("rlft.worlds.nowhere", "loop")


def test_without_tests_what_the_recipe_says_is_what_is_said(planted, monkeypatch):
    planted.recipe("loop", CLAIM)
    write(planted, 'CLAIM = Claim(real="rlft train --method loop")\n')
    monkeypatch.setattr(standing, "TESTS", standing.TESTS / "nowhere")
    clear()
    assert not standing.tests_seen() and standing.missing("loop") == ("result",)
    assert standing.line().endswith("(the tests are not beside this library)")


def test_a_survey_misses_what_is_not_known_of_the_catalogue(planted, monkeypatch):
    assert standing.missing("rft_taxonomy") == ("tags",)
    monkeypatch.setattr(catalogue, "not_known", lambda: {"benchmark": []})
    assert standing.missing("rft_taxonomy") == () and str(state("rft_taxonomy")) == "map, complete"


def test_of_the_systems_as_they_are(tmp_path, monkeypatch):
    """Every word is one of those described, and the page has it. No results: their digests need every recipe."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    page = markdown()
    for one in systems():
        found = standing.missing(one.key)
        assert set(found) <= set(standing.MISSING)
        assert state(one.key).stage != "none" or found == ("part", "result", "full-size")
        assert f" | {' '.join(f'`{word}`' for word in found)} | " in page
    assert standing.missing("openvlthinker") == ("result",)
    assert f"**{standing.line()}.**" in page and standing.line().startswith("0 of 61 systems")
