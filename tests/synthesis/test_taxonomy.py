"""Trees of topics: their leaves, what is there twice, circles, and what a model adds."""

import json

import pytest

from rlft.errors import UserError
from rlft.synthesis.taxonomy import Taxonomy, read, taxonomy


def test_leaves_of_nested_lists_and_objects(tmp_path):
    tree = {"algebra": ["equations", {"groups": ["rings", "fields"]}], "logic": [], "sets": {}}
    leaves = (("algebra", "equations"), ("algebra", "groups", "rings"), ("algebra", "groups", "fields"))
    assert taxonomy(tree).leaves == (*leaves, ("logic",), ("sets",))
    (tmp_path / "t.json").write_text(json.dumps(tree))
    assert read(str(tmp_path / "t.json")) == taxonomy(tree)
    assert read("algebra, logic").leaves == (("algebra",), ("logic",))


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({}, "has a topic"),
        (["logic", "Logic!"], "there twice"),
        ({"a": ["x", "x"]}, "there twice"),
        ({"sets": {"groups": ["Sets"]}}, "below an equal one"),
        ({"a": ["..."]}, "empty name"),
        ({"a": [3]}, "names, lists and objects"),
    ],
)
def test_what_is_no_tree(tree, match):
    with pytest.raises(UserError, match=match):
        taxonomy(tree)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "t.json").write_text("{")
    for name in ("t.json", "none.json"):
        with pytest.raises(UserError, match="cannot be read"):
            read(str(tmp_path / name))


def test_what_is_named_below_a_leaf():
    """Equal names, names of what stands above and empty ones are left out and counted; other leaves may have them."""
    tree = taxonomy({"algebra": ["equations"], "logic": []})
    new = {("algebra", "equations"): ["linear", "Linear ", "Algebra", "cubic", "!"], ("logic",): []}
    grown = tree.under(new)
    assert grown.leaves == (("algebra", "equations", "linear"), ("algebra", "equations", "cubic"), ("logic",))
    assert [path[-1] for path in grown.repeated] == ["Linear ", "Algebra", "!"]
    assert len(grown) == 3 and Taxonomy((("a",),)).under({}).leaves == (("a",),)
