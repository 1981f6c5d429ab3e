"""The page for those who come from TRL or verl: what it says replaces their scripts is run, on a tiny model."""

import json
import re
import shlex
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.tool.main import main

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[1] / "docs" / "coming_from.md").read_text()
BLOCKS = re.findall(r"```(python|bash)\n(.*?)```", PAGE, re.DOTALL)
TEMPLATE = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}{% if enable_thinking is false %}!{% endif %}"
SMALL = {"--steps": 1, "--prompts": 2, "--group": 2, "--max-new-tokens": 4}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The files that the page speaks of, and a model in place of yours."""
    tokenizer = character_tokenizer("0123456789 +?![]")
    tokenizer.chat_template = TEMPLATE
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=40), tokenizer).save(tmp_path / "model")
    rows = [{"prompt": [{"role": "user", "content": f"{n} + 4?"}], "solution": str(n + 4)} for n in range(3)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [
        {"data_source": "sums", "prompt": row["prompt"], "reward_model": {"ground_truth": row["solution"]}}
        for row in rows
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "sums.parquet")
    for kind, text in BLOCKS:
        if kind == "python" and (name := re.match(r"# (\w+\.py), as it is", text)):
            (tmp_path / name[1]).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("rewards", None)


def command(line):
    words = shlex.split(line.replace("path/or/hub-id", "model"))[1:]
    small = {"eval": ["--max-new-tokens"], "check-reward": []}.get(words[0], SMALL)
    with pytest.raises(SystemExit) as stopped:
        main([*words, *(str(word) for name in small for word in (name, SMALL[name]))])
    assert not stopped.value.code


def test_the_commands_that_replace_theirs(place, capsys):
    lines = [line for kind, text in BLOCKS if kind == "bash" for line in text.replace("\\\n", "").splitlines()]
    ours = [line for line in lines if line.startswith("rlft")]
    assert len(ours) == 5
    for line in ours:
        command(line)
    metrics = [json.loads((place / "runs" / run / "metrics.jsonl").read_text()) for run in ("sums", "verl", "math")]
    assert {"reward/rewards.py:accuracy", "reward/rewards.py:brief"} <= set(metrics[0])
    assert {"reward/acc", "reward/length"} <= set(metrics[1])
    assert all(line["rows/unscored"] == 0 for line in metrics)
    assert "gold answer" in capsys.readouterr().out


def test_the_python_that_replaces_theirs(place):
    (script,) = [text for kind, text in BLOCKS if kind == "python" and "import rlft" in text]
    script = script.replace("path/or/hub-id", "model").replace("steps=500", "steps=1, prompts=2, group=2, quiet=True")
    exec(compile(script.replace("max_new_tokens=64", "max_new_tokens=4"), "coming_from.md", "exec"), {})
    told = json.loads((place / "runs" / "again" / "metrics.jsonl").read_text())
    assert {"reward/accuracy", "reward/brief", "reward/brief/characters"} <= set(told)
