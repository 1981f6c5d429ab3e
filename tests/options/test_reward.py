"""Rewards by name and from files: what is found, what is refused, and what the errors say."""

import pytest

import rlft.rewards
from rlft.options.calls import parse_call
from rlft.options.reward import built_in, load_reward
from rlft.types import Problem, Text, UserError

PROBLEM = [Problem(index=0, input="?", answer="7")]
FILE = """
from helper_beside import FACTOR
from math import floor

def native(problems, outputs):
    return [FACTOR * len(o) for o in outputs]

def for_trl(completions, **kwargs):
    return [2.0 for _ in completions]

def make(scale, shift=0.5):
    def reward(problems, outputs):
        return [scale + shift for _ in outputs]
    return reward

def odd(text):
    return 0.0
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "helper_beside.py").write_text("FACTOR = 3")
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path / "mine.py"


def test_built_ins_are_what_is_exported():
    names = set(built_in())
    assert {"math", "exact", "choice", "format", "regex", "similarity", "length", "overlong", "cosine"} <= names
    assert names <= set(rlft.rewards.__all__)
    assert not names & {"each", "trl", "verl", "combine", "load", "adapted"}


def test_built_ins_by_name():
    assert load_reward("math")(PROBLEM, [Text("it is 7")]).tolist() == [1]
    assert load_reward(" exact( case = False ) ")(PROBLEM, [Text("7 ")]).tolist() == [1]
    assert load_reward("length(target=4, unit='words')")(PROBLEM, [Text("two words")]).tolist() == [0.5]
    assert load_reward("length(target=2, unit='words', clamp=None)")(PROBLEM, [Text("a b c d e f")]).tolist() == [-1]
    assert load_reward("regex('a(b|c)')")(PROBLEM, [Text("xac")]).tolist() == [1]


def test_files(file):
    assert load_reward(f"{file}:native")(PROBLEM, [Text("abcd")]) == [12]
    assert load_reward(f"{file}:for_trl")(PROBLEM, [Text("abcd")]).tolist() == [2]
    assert load_reward(f"{file}:make(scale=3)")(PROBLEM, [Text("abcd")]) == [3.5]
    assert load_reward(f"{file}:native") is load_reward(f"{file}:native")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("maths", "no reward 'maths'; did you mean math"),
        ("zzzzzz", "there are adactrl, agreement"),
        ("length", r"missing a required argument: 'target'; it is length\(target: int, unit: str"),
        ("length(target=3, units='words')", "it is length"),
        ("math(seconds=__import__('os'))", "cannot read"),
        ("exact(strip=not True)", "cannot read"),
        ("exact(**{})", "cannot read"),
        ("exact(", "cannot read"),
        ("exact()()", "cannot read"),
        ("nowhere.py:f", "no file nowhere.py"),
        ("{file}", "which function of .*native, for_trl, make, odd"),
        ("{file}:natives", "no function 'natives'; did you mean native"),
        ("{file}:floors", "no function 'floors'"),
        ("{file}:odd", r"odd\(text\) is not a reward function"),
        ("{file}:make", r"make\(scale, shift\) is not a reward function"),
        ("{file}:make(1, 2, 3)", "too many positional arguments"),
    ],
)
def test_errors(spec, message, file):
    with pytest.raises(UserError, match=message):
        load_reward(spec.format(file=file) if "{file}" in spec else spec)


def test_a_file_that_fails(tmp_path):
    (tmp_path / "bad.py").write_text("def f(:")
    with pytest.raises(UserError, match="cannot be imported: SyntaxError"):
        load_reward(f"{tmp_path / 'bad.py'}:f")


def test_calls_are_parsed_as_literals():
    call = parse_call("name-x(1, 'a(b)', [2.5], key={'k': None}, low=-1)")
    assert (call.name, call.arguments, dict(call.settings)) == (
        "name-x",
        (1, "a(b)", [2.5]),
        {"key": {"k": None}, "low": -1},
    )
    assert call.called
    assert not parse_call("name").called
