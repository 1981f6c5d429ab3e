"""A model that may call functions of a file, from the command line."""

import json

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from tests.tool.test_main import tool

pytestmark = pytest.mark.slow

TOOLS = '''"""Tools."""

from __future__ import annotations


def upper(text: str) -> str:
    """In capitals."""
    return text.upper()


def count(text: str) -> int:
    """Letters."""
    return len(text)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A random model, data, tools and a reward."""
    folder = tmp_path_factory.mktemp("tools")
    call = '<tool_call>{"name": "upper", "arguments": {"text": "b"}}</tool_call>'
    tokenizer = character_tokenizer("abcdefghsay \nB<>/_" + call + "error: the call is not JSON thereno")
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=128), tokenizer).save(folder / "model")
    rows = [{"prompt": f"say {c}"} for c in "abcdefgh"]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tools.py").write_text(TOOLS)
    (folder / "reward.py").write_text(
        "def many_a(problems, outputs):\n    return [text.count('a') / 6 + len(text.messages) for text in outputs]\n"
    )
    return folder


def test_train_eval_sample(place, capsys):
    """The model is random and calls nothing; that calls work in a run is what test_tool_use shows."""
    tools = ("--tools", f"{place}/tools.py:upper,count", "--turns", 3, "--tool-seconds", 5)
    tools += ("--window", 120, "--summaries", 2)
    words = ["--data", place / "data.jsonl", "--reward", f"{place}/reward.py:many_a", "--max-new-tokens", 6, *tools]
    told = ["--prompts", 4, "--group", 4, "--steps", 3, "--lr", 1e-2, "--eval-data", place / "data.jsonl"]
    assert tool("train", "--model", place / "model", *words, *told, "--save-every", 2, "--out", place / "run") == 0
    row = json.loads((place / "run" / "samples.jsonl").read_text().splitlines()[-1])["rows"][0]
    assert row["kind"] == "conversation" and row["messages"][0]["role"] == "assistant"
    line = json.loads((place / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert line["measure/turns"] >= 1 and line["measure/summaries"] == 0 and "measure/failed" in line
    assert 'class="turn"' in (place / "run" / "report.html").read_text()

    capsys.readouterr()
    assert tool("eval", "--model", place / "run", *words, "--out", place / "rows.jsonl", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reward"] >= 1 and found["turns"] >= 1
    assert json.loads((place / "rows.jsonl").read_text().splitlines()[0])["messages"][0]["role"] == "assistant"
    assert tool("eval", "--model", place / "run", "--json") == 0  # as the recipe says, with its tools
    assert json.loads(capsys.readouterr().out)["turns"] >= 1
    assert tool("eval", "--model", place / "run", *tools) == 2
    assert "--tools, --agent, --record, --generator, --out are for --data" in capsys.readouterr().err

    asked = ["--model", place / "run", "--prompt", "say a", "-n", 2, "--max-new-tokens", 4, *tools]
    assert tool("sample", *asked, "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["messages"]
    assert tool("sample", *asked) == 0
    assert "2 of 2" in capsys.readouterr().out


def test_a_run_with_tools_is_resumed(place):
    words = ["--model", place / "model", "--data", place / "data.jsonl", "--reward", f"{place}/reward.py:many_a"]
    words += ["--max-new-tokens", 6, "--prompts", 4, "--group", 4, "--tools", f"{place}/tools.py:upper"]
    assert tool("train", *words, "--steps", 2, "--out", place / "again") == 0
    assert tool("train", "--resume", place / "again") == 0


def test_a_record_is_asked(place, capsys):
    """`--record` with a model that only ever asks: it is told what the file says, and what it cites is judged."""
    rows = [{"prompt": f"say {c}", "record": {"a": c}, "evidence": ["a"], "answer": c} for c in "abcd"]
    (place / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--model", place / "model", "--data", place / "records.jsonl", "--record", "record", "--turns", 2]
    words += ["--reward", "evidence", "label", "--max-new-tokens", 6]
    told = ["--prompts", 4, "--group", 4, "--steps", 1, "--eval-data", place / "records.jsonl"]
    assert tool("train", *words, *told, "--out", place / "asked") == 0
    line = json.loads((place / "asked" / "metrics.jsonl").read_text().splitlines()[0])
    assert line["reward/evidence"] == line["reward/evidence/unseen"] == 0 and line["measure/turns"] >= 1
    capsys.readouterr()
    assert tool("eval", "--model", place / "asked", "--json") == 0
    assert json.loads(capsys.readouterr().out)["turns"] >= 1
    assert tool("train", *words[:4], "--record", "none", *words[6:], *told, "--out", place / "not") == 2
    assert "has no record: its column 'none'" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ("tools.py", "is not file.py:function, or file.py:one,another"),
        ("tools.py:lower", "has no function 'lower'; there are count, upper"),
        ("none.py:upper", "there is no file"),
    ],
)
def test_tools_that_are_not_there(place, capsys, tools, message):
    assert tool("sample", "--model", place / "model", "--prompt", "say a", "--tools", place / tools) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_window_is_for_conversations(place, capsys):
    asked = ("sample", "--model", place / "model", "--prompt", "say a", "--max-new-tokens", 4)
    assert tool(*asked, "--summaries", 2) == 2
    assert "--window and --summaries are for conversations" in " ".join(capsys.readouterr().err.split())
    words = (*asked, "--tools", f"{place}/tools.py:upper", "--window", 9, "--summaries", 2)
    assert tool(*words) == 2
    assert "do not fit in a window of 9" in " ".join(capsys.readouterr().err.split())


def test_two_models_call_no_tools(place, capsys):
    words = ["--model", place / "model", "--data", place / "data.jsonl", "--reward", f"{place}/reward.py:many_a"]
    words += ["--tools", f"{place}/tools.py:upper", "--method", "cory", "--out", place / "pair"]
    assert tool("train", *words) == 2
    assert "cannot call --tools" in " ".join(capsys.readouterr().err.split())
