"""`rlft study beyond`: a benchmark beyond a small base, what a tuned model solves of it, and the base drawn again."""

import json

import pytest

from rlft.measure.beyond import by_chance
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.tasks.files import Files
from rlft.tool.beyond import unlike
from rlft.types import Problem
from tests.tool.test_main import tool

pytestmark = pytest.mark.slow
LETTERS = "abcdefgh"


def words(place, *more):
    told = ["study", "beyond", place / "base", place / "tuned", "--data", place / "data.jsonl", "--reward", "exact"]
    return [*told, "--max-new-tokens", 1, "--out", place / "study", *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The base knows the first four letters, the tuned model all but the first; what they do not know is b to them."""
    folder = tmp_path_factory.mktemp("beyond")
    tokenizer = character_tokenizer("abcdefghsay ")
    for name, known in (("base", "abcd"), ("tuned", "bcdefgh")):
        policy = Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer)
        lessons = [Problem(n, f"say {c}", c if c in known else "b") for n, c in enumerate(LETTERS)]
        imitate(policy, lambda step, lessons=lessons: lessons, steps=40, lr=3e-2)
        policy.save(folder / name)
    rows = [{"prompt": f"say {c}", "answer": c, "kind": c * 2} for c in [*LETTERS, "a"]]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "seen.jsonl").write_text(json.dumps({"prompt": " SAY  h"}) + "\n")
    return folder


def test_a_study(place, capsys):
    more = ["--screened", 32, "--samples", 8, "--without", place / "seen.jsonl"]
    assert tool(*words(place, *more), "--json") == 0
    result = json.loads(capsys.readouterr().out)
    # Of eight different letters one is left out; four of the others are solved by the base.
    assert (result["problems"], result["others"], result["by_chance"]) == (3, 4, by_chance(32, 8))
    base, tuned = (result["models"][str(place / name)] for name in ("base", "tuned"))
    assert base["expanded"]["value"] == 0 and tuned["expanded"]["value"] == tuned["over_base"]["value"] == 1
    assert "lost" not in base and tuned["lost"]["value"] == 0.25 and tuned["kept"]["value"] == 0.75
    benchmark = [json.loads(line) for line in (place / "study" / "benchmark.jsonl").read_text().splitlines()]
    assert [(row["prompt"], row["kind"]) for row in benchmark] == [("say e", "ee"), ("say f", "ff"), ("say g", "gg")]
    # The same again draws nothing, and says it as a table.
    counted = (place / "study" / "counts.jsonl").read_bytes()
    assert tool(*words(place, *more)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 problems beyond the base in 32 draws, 4 others; 8 new draws of each"
    assert lines[1].split() == ["expanded", "over", "base", "pass@1", "lost", "kept", "surer"]
    assert lines[2].startswith(f"{place / 'base'}, again") and "1.000 [0.439, 1.000]" in lines[3]
    assert "0.195" in lines[4] and (place / "study" / "counts.jsonl").read_bytes() == counted


def test_a_verifier_and_what_is_refused(place, capsys):
    out = ["--out", place / "verified"]
    told = ["--screened", 16, "--samples", 2, "--only"]
    assert tool(*words(place, *told, "--verify", place / "tuned", *out), "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["problems"] == 4 and "solves 4 of 4 problems beyond the bases" in said.err
    assert "kept" not in json.loads(said.out)["models"][str(place / "tuned")]
    assert tool(*words(place, "--screened", 16, "--samples", 4, *out)) == 2
    assert "samples was 2 and is now 4" in " ".join(capsys.readouterr().err.split())
    none = ["--bases", place / "tuned", "--among", "intersection", "--screened", 16, "--out", place / "none"]
    assert tool(*words(place, *none)) == 2
    assert "is beyond" in capsys.readouterr().err


def test_prompts_are_compared_without_capitals_and_white_space():
    rows = [{"prompt": "Say  a"}, {"prompt": "say b"}, {"prompt": "SAY a "}, {"prompt": "say c"}]
    assert unlike(Files(rows), [Files([{"prompt": "say\nC"}])]) == [0, 1]
