"""A run's arguments as a file."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from rlft.errors import UserError
from rlft.methods.grpo import grpo
from rlft.options.arguments import parse
from rlft.options.config import configured, read, recipe_in, text, words_of
from rlft.tool.eval import eval_
from rlft.types import Method


@dataclass(frozen=True)
class Group:
    """A group.

    Args:
        lr: a rate.
        kl: a flag.
        rows: a count.
    """

    lr: float = 0.1
    kl: bool = True
    rows: int | None = 4


def function(
    model: str,
    group: Group = Group(),
    method: Method = grpo(),
    names: tuple[str, ...] = (),
    place: Path | None = None,
    seed: int = 0,
) -> None:
    """A function.

    Args:
        model: a word.
        names: words.
        place: a file.
        seed: a number.
    """


def told(tmp_path, text, *words):
    """What the file and the words come to."""
    file = tmp_path / "run.toml"
    file.write_text(text)
    return parse(function, configured(["--config", str(file), *words], function), "test")


FILE = """
model = 'a "b" c'
lr = 1e-05
kl = false
rows = "None"
names = ["x", "y z"]
place = "some/where"
method = {name = "grpo", beta = 0.5, clip = 0.3}
"""


def test_a_file_is_a_command_line(tmp_path):
    found = told(tmp_path, FILE)
    assert found["model"] == 'a "b" c' and found["group"] == Group(1e-5, False, None)
    assert found["names"] == ("x", "y z") and found["place"] == Path("some/where") and found["seed"] == 0
    assert found["method"].settings == {**grpo().settings, "beta": 0.5, "clip": 0.3}


def test_words_win(tmp_path):
    found = told(tmp_path, FILE, "--lr", "2", "--kl", "--names", "n", "--method.clip", "0.4", "--seed=3")
    assert found["group"] == Group(2.0, True, None) and found["names"] == ("n",) and found["seed"] == 3
    assert found["method"].settings == {**grpo().settings, "beta": 0.5, "clip": 0.4}
    assert told(tmp_path, "model = 'm'\nkl = true", "--no-kl")["group"].kl is False


def test_of_a_method_all_or_nothing(tmp_path):
    """Settings of the file's method mean nothing to another one."""
    found = told(tmp_path, FILE, "--method", "rloo")
    assert found["method"].name == "rloo"
    again = told(tmp_path, FILE, "--method", "grpo")
    assert (again["method"].name, again["method"].settings["beta"]) == ("grpo", 0.5)
    assert told(tmp_path, "model = 'm'\nmethod = 'rloo'")["method"].name == "rloo"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("modle = 'm'", "has 'modle', which is no option here; did you mean model"),
        ("method = {name = 'grpo', clipp = 1}", "has 'clipp', which is no setting of grpo; did you mean clip"),
        ("method = {name = 'grop'}", "unknown method 'grop'; did you mean"),
        ("method = 3", "method should be a name"),
        ("model = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(said, error, tmp_path):
    with pytest.raises(UserError, match=error):
        told(tmp_path, said)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nothing\.toml: No such file"):
        read(tmp_path / "nothing.toml")


def test_written_and_read_again(tmp_path):
    words = ["--model", 'quo"te \\ \t é', "--rows", "None", "--no-kl", "--names", "-", "--method.beta", "0.25"]
    arguments = parse(function, words, "test")
    (tmp_path / "run.toml").write_text(text("mine.py", function, arguments, {"save_every": 5}))
    assert read(tmp_path / "run.toml")["save_every"] == 5
    assert recipe_in(["--config", str(tmp_path / "run.toml")]) == "mine.py"
    again = configured(["--config", str(tmp_path / "run.toml")], function, ("recipe", "save_every"))
    assert again[-2:] == ["--save-every", "5"]
    found = parse(function, again[:-2], "test")
    assert {**found, "method": found["method"].settings} == {**arguments, "method": arguments["method"].settings}


def test_an_option_that_is_said_once_for_each_value(tmp_path):
    (tmp_path / "eval.toml").write_text("model = 'm'\nmix = ['a:1', 'b:2']\nsamples = 3")
    words = configured(["--config", str(tmp_path / "eval.toml")], eval_)
    assert words == ["--model", "m", "--mix", "a:1", "--mix", "b:2", "--samples", "3"]
    assert parse(eval_, words, "test")["mix"] == ("a:1", "b:2")


def test_words():
    assert words_of("save_every", -3) == ["--save-every=-3"]
    assert words_of("method.new_thing", False) == ["--method.no-new-thing"]
    assert words_of("reward", []) == ["--reward"]
