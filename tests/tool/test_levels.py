"""`rlft study levels`: how many of a model's draws are right, as columns, and a run that chooses its data by them."""

import json
import math

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.tool.levels import labelled, said
from rlft.types import Problem
from tests.tool.test_main import tool

pytestmark = pytest.mark.usefixtures("no_pages")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model that says a to `say a`, b to `say b`, and b to all else."""
    folder = tmp_path_factory.mktemp("levels")
    tokenizer = character_tokenizer("abcdsay ")
    policy = Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer)
    lessons = [Problem(n, f"say {c}", c if c in "ab" else "b") for n, c in enumerate("abcd")]
    imitate(policy, lambda step: lessons, steps=40, lr=3e-2)
    policy.save(folder / "base")
    rows = [{"prompt": f"say {c}", "answer": c, "kind": c * 2} for c in "abcd"]
    rows.append({"prompt": "say say say d", "answer": "d", "kind": "dd"})
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_levels_are_written_and_chosen_by(place, capsys):
    told = ["study", "levels", place / "base", "--data", place / "data.jsonl", "--reward", "exact"]
    told += ["--max-new-tokens", 1, "--out", place / "study", "--samples", 5]
    assert tool(*told, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["problems"], result["samples"], result["accuracy"]) == (5, 5, 0.4)
    assert {name: line["problems"] for name, line in result["levels"].items() if line["problems"]} == {"L1": 2, "L6": 3}
    assert result["levels"]["L2"]["words"] is None and result["levels"]["L6"]["words"] == pytest.approx(8 / 3)
    file = place / "study" / "levels.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["level"], row["right"], row["words"], row["length"]) for row in rows] == [
        ("L1", 5, 2, "short"),
        ("L1", 5, 2, "short"),
        ("L6", 0, 2, "short"),
        ("L6", 0, 2, "short"),
        ("L6", 0, 4, "long"),
    ]
    assert [row["kind"] for row in rows] == ["aa", "bb", "cc", "dd", "dd"]  # all columns of the data stay
    # The same again draws nothing, and says it as a table.
    counted = (place / "study" / "counts.jsonl").read_bytes()
    assert tool(*told, "--group", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["level", "right", "problems", "words", "teaches", "nothing"]
    assert lines[1].split() == ["L1", "5/5", "2", "2.0", "79%"] and lines[2].split()[:3] == ["L2", "4/5", "0"]
    assert "accuracy 0.400; of groups of 2 about 79% would" in lines[-1]
    assert (place / "study" / "counts.jsonl").read_bytes() == counted
    # A run of a mix of equal parts, whose held-out rows are reported by level, and an evaluation of one level.
    more = ["--model", place / "base", "--data", file, "--reward", "exact", "--max-new-tokens", 1]
    mixed = ["--where", "level=L1", "level=L6", "--each", 1, "--eval-data", file, "--eval-by", "level"]
    numbers = ["--steps", 1, "--prompts", 2, "--group", 2, "--lr", 1e-9, "--out", place / "run"]
    assert tool("train", *more, *mixed, *numbers) == 0
    capsys.readouterr()
    line = json.loads((place / "run" / "evaluations.jsonl").read_text().splitlines()[-1])
    assert (line["problems"], line["level/L1"], line["level/L6"]) == (5, 1.0, 0.0)
    assert tool("eval", *more, "--where", "level=L6", "--by", "length", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == 3 and {n for n in found if n.startswith("length/")} == {"length/short", "length/long"}
    assert tool("eval", *more, "--by", "size") == 2
    assert "has no column 'size'" in " ".join(capsys.readouterr().err.split())


def test_thirds_by_words_and_groups_that_teach_nothing():
    """Two of two right, one, none, and none: after 2/2 a group of two is flat in 3/5 + 1/10."""
    columns = labelled([2, 1, 0, 0], 2, [9, 5, 7, 1])
    assert [one["level"] for one in columns] == ["L1", "L2", "L3", "L3"]
    assert [one["length"] for one in columns] == ["long", "short", "middle", "short"]
    result = said(columns, 2, 2)
    # Beta(3, 1): E p^2 = 3/5, E (1-p)^2 = 1/10. Beta(2, 2): 3/10 each.
    assert result["levels"]["L1"]["flat"] == result["levels"]["L3"]["flat"] == pytest.approx(0.7, abs=1e-12)
    assert result["levels"]["L2"]["flat"] == pytest.approx(0.6, abs=1e-12)
    assert result["flat"] == pytest.approx((3 * 0.7 + 0.6) / 4, abs=1e-12)
    assert (result["accuracy"], result["lengths"]) == (3 / 8, {"short": 2, "middle": 1, "long": 1})
    assert math.isnan(said(labelled([1], 1, [3]), 1, 2)["levels"]["L2"]["words"])


def test_what_is_refused(place, capsys):
    told = ["study", "levels", place / "base", "--out", place / "refused", "--reward", "exact"]
    assert tool(*told, "--data", "steps") == 2
    assert "has no end" in capsys.readouterr().err
    assert tool(*told, "--data", place / "data.jsonl", "--samples", 0) == 2
    assert "--samples must be at least 1; got 0" in " ".join(capsys.readouterr().err.split())
