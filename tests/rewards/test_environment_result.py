"""The reward `result`: what a conversation came to, and when that is no score."""

import math

import pytest

from rlft.rewards import result
from rlft.types import Message, Problem, Text, Transcript, UserError


def ended(*last, truncated=False):
    return Transcript(Text("b"), [1], truncated, [Message("assistant", "b", 1), *last])


def test_its_numbers():
    rows = [ended(Message("result", "0.25")), ended(truncated=True), ended(Message("result", "error: x", failed=True))]
    found = result([Problem(0, "a")] * 3, rows)
    assert found[:2] == [0.25, 0.0] and math.isnan(found[2])


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (ended(Message("result", "yes")), "'yes', no number"),
        (ended(), "nobody said what the conversation came to"),
        (Text("b"), "give --agent"),
    ],
)
def test_what_is_no_number(output, said):
    with pytest.raises(UserError, match=said):
        result([Problem(0, "a")], [output])
