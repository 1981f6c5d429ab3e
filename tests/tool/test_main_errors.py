"""Bad input: a clear sentence, exit code 2, nothing written."""

import json

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.tool.main import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a tiny character model whose context is 24 tokens."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz .")
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer).save(folder)
    return folder


@pytest.fixture
def data(tmp_path):
    """Four problems."""
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"say {c}", "answer": c}) + "\n" for c in "abcd"))
    return path


@pytest.fixture
def tool(model, data, tmp_path, capsys):
    """Run `rlft train` with these options changed; the error, after checking that the code is 2 and nothing is left."""

    def run(*more, **changed):
        out = tmp_path / "run"
        options = {"model": model, "data": data, "reward": "exact", "out": out, "steps": 2, "prompts": 2, "group": 2}
        options |= {"max-new-tokens": 4, "eval-problems": 2, **changed}
        words = [w for name, value in options.items() if value is not None for w in (f"--{name}", str(value))]
        before = set(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            main(["train", *words, *more])
        said = capsys.readouterr().err
        assert stopped.value.code == 2, said
        assert "Traceback" not in said
        assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before
        return " ".join(said.split())

    return run


def reward_file(tmp_path, body):
    path = tmp_path / "reward.py"
    path.write_text(f"def reward(problems, outputs):\n    {body}\n")
    return f"{path}:reward"


def test_missing_data(tool, tmp_path):
    assert "nowhere.jsonl" in tool(data=tmp_path / "nowhere.jsonl")


def test_empty_data(tool, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    assert "empty.jsonl" in tool(data=tmp_path / "empty.jsonl")


def test_broken_line(tool, data):
    data.write_text(data.read_text() + '{"prompt": "say e", \n')
    assert "data.jsonl:5" in tool()


def test_missing_column(tool, data):
    data.write_text('{"question": "say a", "answer": "a"}\n')
    said = tool()
    assert "prompt" in said and "question" in said


def test_missing_answer_column(tool):
    said = tool("--answer-field", "gold")
    assert "gold" in said and "answer" in said


def test_empty_prompt(tool, data):
    data.write_text(data.read_text() + '{"prompt": "", "answer": "e"}\n')
    assert "empty" in tool()


def test_prompt_longer_than_the_context(tool, data):
    data.write_text(data.read_text() + json.dumps({"prompt": "a" * 30, "answer": "e"}) + "\n")
    said = tool()
    assert "31 tokens" in said and "24" in said


@pytest.mark.parametrize("method", ["relift", "sft"])
def test_nothing_to_imitate(tool, data, method):
    data.write_text('{"prompt": "say a", "level": 1}\n{"prompt": "say b"}\n')
    said = tool(method=method)
    assert f"method {method} imitates demonstrations, and data has none" in said and "--demonstration-field" in said


def test_a_demonstration_longer_than_the_context(tool, data):
    data.write_text(data.read_text() + json.dumps({"prompt": "say e", "demonstration": "e" * 30}) + "\n")
    assert "31 new ones do not fit" in tool(method="relift")


def test_unknown_demonstration_column(tool):
    assert "no column 'shown'" in tool("--demonstration-field", "shown", method="relift")


def test_unknown_method(tool):
    assert "unknown method 'grop'; did you mean" in tool("--method", "grop")


def test_unknown_method_argument(tool):
    assert "--method.clip" in tool("--method", "grpo", "--method.clop", "0.1")


def test_missing_method_argument(tool):
    assert "--method.length" in tool("--method", "dr_grpo")


def test_unknown_reward(tool):
    assert "there is no reward 'exactly'" in tool(reward="exactly")


def test_missing_model(tool, tmp_path):
    assert "no-model" in tool(model=tmp_path / "no-model")


def test_group_of_one(tool):
    assert "group must be at least 2; got 1" in tool(group=1)


def test_critic_without_need_is_fine_and_no_reward_is_not(tool):
    assert "has no reward of its own" in tool(reward=None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 'good'", "the reward returned str 'good'; expected"),
        ("return [1.0]", "returned 1 values for"),
        ("return ['x'] * len(problems)", "returned str 'x' for row 0"),
        ("raise RuntimeError('the judge is asleep')", "the judge is asleep"),
        ("return 1 / 0", "division by zero"),
    ],
)
def test_a_reward_that_is_wrong(tool, tmp_path, body, message):
    assert message in tool(reward=reward_file(tmp_path, body))


def test_a_reward_that_scores_nothing(tool, tmp_path):
    """NaN leaves rows out; if every row of the first step is out, there is nothing to learn from."""
    said = tool(reward=reward_file(tmp_path, "return [float('nan')] * len(problems)"))
    assert "could not score any" in said


def test_existing_folder(tool, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("kept")
    assert "nothing in it will be overwritten" in tool()
    assert (tmp_path / "run" / "precious").read_text() == "kept"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "unknown command 'trian'; did you mean train?"),
        (["run"], "needs a recipe's name"),
        (["run", "arithmetik"], "unknown recipe 'arithmetik'; did you mean arithmetic"),
        (["run", "nowhere.py"], "there is no recipe file nowhere.py"),
        (["train", "--resume", "nowhere"], "nowhere is not a run folder"),
        (["report", "nowhere"], "nowhere"),
        (["run", "arithmetic", "--save-every", "0"], "--save-every takes a number of steps from 1"),
    ],
)
def test_commands(words, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
