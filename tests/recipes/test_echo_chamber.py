"""What is read off a run, that every arm spends alike, and the command at full size."""

import math
import shlex

import pytest

from rlft.evidence.claim import defaults_of
from rlft.measure.formats import formats as known
from rlft.options.arguments import parse
from rlft.recipes.echo_chamber import CLAIM, PROMPTS, STEPS, echo_chamber, over_run
from rlft.tool.formats import formats


def line(shares, accuracies, reward, solved, hard):
    told = {f"share/{name}": share for name, share in shares.items()}
    told |= {f"within/{name}": accuracy for name, accuracy in accuracies.items()}
    return {**told, "reward": reward, "pass@64": solved, "hard": hard}


def test_what_is_read_off_a_run():
    shares = {"program": 0.25, "tagged": 0.5, "text": 0.25}
    first = line(shares, {"program": 0.5, "tagged": 0.25, "text": 0.75}, 0.4375, 0.875, 0.25)
    last = line({"program": 0.0, "tagged": 0.0625, "text": 0.9375}, {"text": 0.75}, 0.75, 0.8125, 0.5)
    metrics = [{"step": step, "measure/share": share} for step, share in ((1, 0.5), (2, 0.9), (3, 0.8), (4, 1.0))]
    told = over_run(metrics, [first, last])
    assert (told["best"], told["frequent"], told["converged"]) == (1, 0, 2)
    assert (told["risen"], told["gained"], told["reached"], told["harder"]) == (0.6875, 0.3125, -0.0625, 0.25)
    # A base none of whose rows are of a format has no accuracy in it.
    empty = {**first, "within/text": math.nan, "within/program": None}
    told = over_run(metrics[:1], [empty, {**last, "share/tagged": 1.0}])
    assert (told["best"], told["frequent"], told["converged"]) == (1, 1, 2)


def test_arms_spend_alike():
    told = defaults_of(echo_chamber)
    assert (told["steps"], told["prompts"]) == (STEPS, PROMPTS)
    for arm in CLAIM.arms.values():
        asked = {**told, **arm.arguments}
        assert asked["prompts"] * asked["group"] * asked["steps"] == 80 * 128


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:3] == ["rlft", "study", "formats"]
    given = parse(formats, words[3:], "rlft study formats")
    assert given["fresh"].draws == 64 and given["out"] is not None
    told = known(given["format"], given["rest"])
    assert told.names == ("function", "tags", "text")
    assert told.of("Let us see.\n  def f(): return 1") == "function" and told.of("so <llm-code>1</llm-code>") == "tags"
    assert told.of("a defined term") == "text"


@pytest.mark.parametrize("size", ["large", "small"])
def test_every_way_is_tried_at_both_sizes(size):
    sizes = [{**defaults_of(echo_chamber), **arm.arguments}["size"] for arm in CLAIM.arms.values()]
    assert sizes.count(size) >= 3
