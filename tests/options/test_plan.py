"""A file of stages as values: defaults, what a table may say, what is refused."""

import json
import math

import pytest

from rlft.options import plan
from rlft.runs.stages import Learned, Merged, Regenerated
from rlft.tool.trust import code_of
from rlft.types import UserError

TEXT = """
[[stage]]
data = "arithmetic"
method = "sft"
steps = 7
warmup = 3
kl = false

[[stage]]
name = "own"
kind = "regenerate"
data = "arithmetic(digits=1)"
problems = 40
prompts = 16
samples = 3
right = 0.5

[[stage]]
parent = "base"
name = "more"
data = "own"
method = {name = "grpo", beta = 0.5}
group = 6

[[stage]]
name = "mean"
kind = "merge"
shares = {more = 1, base = 3}
"""


_WRITES = '[[stage]]\nname = "a"\nkind = "regenerate"\ndata = "arithmetic"\nproblems = 9\n'


@pytest.fixture
def file(tmp_path):
    return tmp_path / "plan.toml"


def test_what_a_file_says(file):
    file.write_text(TEXT)
    first, own, more, mean = plan.read(file)
    assert isinstance(first, Learned) and (first.name, first.parent, first.steps) == ("stage-1", "base", 7)
    assert first.method.name == "sft" and first.task.name == "arithmetic-2+"
    numbers = first.numbers
    assert [numbers["optimizing"].schedule(step) for step in (0, 2, 3, 9)] == [0.25, 0.75, 1, 1]
    assert numbers["watch_kl"] is False and numbers["prompts"] == 16
    assert isinstance(own, Regenerated) and (own.parent, own.samples, own.right, own.most) == ("stage-1", 3, 0.5, None)
    assert own.task.name == "arithmetic-1+" and own.steps == math.ceil(40 / 16)
    assert isinstance(more, Learned) and (more.parent, more.task, more.numbers["group"]) == ("base", "own", 6)
    assert more.reward == own.reward and more.method.settings["beta"] == 0.5
    assert mean == Merged("mean", {"more": 1.0, "base": 3.0})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stage = 3", "should be tables"),
        ("[[stage]]\nname = ", "is not TOML"),
        ('[[stage]]\nkind = "learns"', "unknown kind 'learns'; did you mean learn"),
        ('[[stage]]\nkind = "merge"\nshares = 3', "a merge has shares"),
        ('[[stage]]\nkind = "merge"\nshares = {base = 1}\nlr = 1', "and nothing else"),
        (f'{_WRITES}[[stage]]\nkind = "regenerate"\ndata = "a"', "is imitated"),
        ('[[stage]]\ndata = "no/where.jsonl"', "there is no file|cannot load|is not here"),
    ],
)
def test_what_is_refused(file, text, told):
    file.write_text(text)
    with pytest.raises(UserError, match=told):
        plan.read(file)
    with pytest.raises(UserError, match="cannot read the stages"):
        plan.read(file.with_name("other.toml"))


def test_a_method_without_a_reward_and_an_unknown_option(file, capsys):
    rows = file.with_name("rows.jsonl")
    rows.write_text(json.dumps({"prompt": "a", "answer": "b"}) + "\n")
    file.write_text(f'[[stage]]\ndata = "{rows}"\nmethod = "grpo"')
    with pytest.raises(UserError, match="rows has no reward of its own"):
        plan.read(file)
    file.write_text(f'[[stage]]\ndata = "{rows}"\nmethod = "sft"\nlearning_rate = 1.0')
    with pytest.raises(SystemExit) as left:
        plan.read(file)
    assert left.value.code == 2 and "--learning-rate" in capsys.readouterr().err


def test_the_code_that_a_file_names_is_the_runs(file):
    file.with_name("mine.py").write_text("def right(problems, outputs):\n    return [1.0 for _ in outputs]\n")
    file.write_text('[[stage]]\nreward = ["mine.py:right"]\nkeep = "other.py:f"')
    for words in (["--plan", "plan.toml"], ["--plan=plan.toml"]):
        found = code_of("stages", words, file.parent)
        assert list(found) == ["mine.py", "other.py"] and found["other.py"] == "" != found["mine.py"]
