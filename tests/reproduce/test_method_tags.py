"""Tags of methods: every method has them, they are what its value says, and its table and command show them."""

import json

import pytest

from rlft import methods
from rlft.errors import UserError
from rlft.offpolicy.method import OffPolicy
from rlft.reproduce import method_tags
from rlft.reproduce.catalogue import systems
from rlft.reproduce.method_tags import KINDS, everything, made, tagged
from rlft.tool.papers import papers

TAGS = {one.name: one for one in everything()}


def test_every_method_has_every_kind():
    assert list(TAGS) == methods.names()
    for one in everything():
        assert list(one.tags) == list(KINDS)
        assert all(one.tags[kind] for kind in KINDS if kind != "needs"), one.name
        assert not any(word.startswith("_") or " " in word for its in one.tags.values() for word in its), one.name


@pytest.mark.parametrize("name", methods.names())
def test_they_are_what_the_value_says(name):
    method, tags = made(name), TAGS[name].tags
    assert set(tags["needs"]) >= {one.__name__ for one in method.needs}
    if isinstance(method, OffPolicy):
        assert tags["learns"] == ("buffer",) and tags["critic"] == ("has-critic",)
        assert len(tags["updates"]) == len(method.descents) + len(method.duals)
        return
    assert tags["critic"] == (("has-critic" if method.critic else "no-critic"),)
    assert (tags["rows"] == ("one_batch",)) == (method.collect is None)
    assert (tags["reference"] == ("no-reference",)) <= (not method.reference)
    assert tags["updates"] == tuple(update.name for update in method.updates)
    assert (f"groups-of-{method.min_group}" in tags["needs"]) == (method.min_group > 1)


def test_those_that_are_known_by_hand():
    grpo, ppo, sft, loop = (TAGS[name].tags for name in ("grpo", "ppo", "sft", "loop"))
    assert grpo["credit"] == ("per_group", "zscore") and grpo["reference"] == ("reference-where-beta",)
    assert grpo["needs"] == ("groups-of-2",) and grpo["learns"] == ("own-rows",)
    assert ppo["credit"] == ("gae",) and ppo["updates"] == ("policy", "value")
    assert sft["learns"] == ("demonstrations-alone",) and sft["rows"] == ("demonstrations",)
    assert loop["credit"] == ("per_group", "leave_one_out") and loop["reference"] == ("no-reference",)
    assert TAGS["b2_diffurl"].tags["rows"] == ("branches",) and "Resumable" in TAGS["b2_diffurl"].tags["needs"]
    assert TAGS["pa_rl"].tags["needs"] == ("Imitating", "Proposing")
    assert TAGS["dpg"].tags["reference"] == ("reference",)


def test_systems_introduce_and_use_methods():
    assert TAGS["loop"].introduced == ("loop",) and "prdp" in TAGS["loop"].used
    assert "r1_aqa" in TAGS["sft"].used and TAGS["cispo"].introduced == ()
    keys = {one.key for one in systems()}
    assert all({*one.introduced, *one.used} <= keys and not {*one.introduced} & {*one.used} for one in everything())


def test_a_word_or_a_system_leaves_some():
    assert {one.name for one in tagged("gae")} >= {"ppo", "carft", "dr_po"}
    assert "loop" in {one.name for one in tagged("prdp")}
    with pytest.raises(UserError, match="unknown word 'zscor'; did you mean zscore"):
        tagged("zscor")


def test_the_table_is_filtered_by_the_words_that_it_holds():
    table = method_tags.table()
    rows = [line.replace("<wbr>", "") for line in table if line.startswith("| [")]
    assert [line.split("]")[0][3:] for line in rows] == methods.names()
    heads = next(line for line in table if line.startswith("| method")).strip("| ").split(" | ")
    assert heads[-1] == "tags" and {"credit", "rows", "updates"} < set(heads)
    assert all(len(line.split(" | ")) == len(heads) for line in rows)
    offered = json.loads(next(line for line in table if line.startswith("<script")).split(">")[1].split("<")[0])
    assert list(offered) == list(KINDS) and all(
        f"`{word}`" in "".join(rows) for its in offered.values() for word in its
    )


def test_the_command(capsys):
    assert papers(methods=True, tag="vines") == 0
    said = capsys.readouterr().out
    assert "poly_ppo" in said and "grpo" not in said and said.rstrip().endswith("1 methods")
    papers(methods=True, json=True)
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(found) == methods.names() and found["grpo"]["tags"]["credit"] == ["per_group", "zscore"]
    with pytest.raises(UserError, match="a key and --methods"):
        papers("loop", methods=True)
