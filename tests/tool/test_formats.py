"""`rlft study formats`: what a run's own samples say, new draws that are kept, and what is refused."""

import json
import shutil

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from tests.tool.test_main import tool

pytestmark = pytest.mark.slow
FORMATS = ["--format", "a=^a", "vowel=^[eiou]", "--rest", "consonant"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run that is paid for texts which begin with an a; a text that begins with z is not judged."""
    folder = tmp_path_factory.mktemp("formats")
    tokenizer = character_tokenizer("abcdeuz")
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=12), tokenizer).save(folder / "model")
    (folder / "data.jsonl").write_text("".join(json.dumps({"prompt": c, "answer": c}) + "\n" for c in "abcd"))
    (folder / "reward.py").write_text(
        "def begins(prompts, completions, **kwargs):\n"
        "    return [None if text[:1] == 'z' else float(text[:1] == 'a') for text in completions]\n"
    )
    options = {"--model": folder / "model", "--data": folder / "data.jsonl", "--reward": f"{folder}/reward.py:begins"}
    options |= {"--max-new-tokens": 2, "--steps": 12, "--prompts": 4, "--group": 8, "--lr": 3e-2, "--method": "rest_em"}
    options |= {"--method.start": "online", "--samples-every": 6, "--out": folder / "run"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlft.report.write", lambda folder, out=None: None)
        assert tool("train", *(word for pair in options.items() for word in pair)) == 0
    return folder


def test_the_samples_of_a_run(place, capsys):
    assert tool("study", "formats", place / "run", *FORMATS, "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["runs"].values()
    lines = [json.loads(line) for line in (place / "run" / "samples.jsonl").read_text().splitlines()]
    assert [one["step"] for one in told["steps"]] == [1, 6, 12]
    for one in told["steps"]:
        rows = [row for line in lines if line["step"] == one["step"] for row in line["rows"]]
        begin = [row["text"][:1] for row in rows]
        assert one["rows"] == len(rows) == 16 and one["share"]["a"] == begin.count("a") / 16
        assert one["share"]["vowel"] == (begin.count("e") + begin.count("u")) / 16
        assert sum(one["share"].values()) == pytest.approx(1)
        assert one["accuracy"]["a"] in (1, None) and one["accuracy"]["vowel"] in (0, None)
        judged = [row["reward"] for row in rows if row["reward"] is not None]
        assert one["right"] == pytest.approx(sum(judged) / len(judged))
    assert told["steps"][-1]["share"]["a"] >= 0.9
    first = next(one["step"] for one in told["steps"] if one["share"]["a"] >= 0.9)
    assert told["converged"] == {"step": first, "format": "a"}
    assert tool("study", "formats", place / "run", place / "run", *FORMATS) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["step", "rows", "a", "vowel", "consonant", "right"]
    assert said[5] == f"a has won: 90% of the rows for the first time at step {first}"
    assert tool("study", "formats", place / "run", "--format", "long=^.{9}", "--rest", "short", "--at", 1.0) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "short has won: 100% of the rows for the first time at step 1"


def test_new_draws_go_on_where_they_were_stopped(place, capsys):
    words = ["study", "formats", place / "run", *FORMATS, "--draws", 6, "--at-once", 4, "--out", place / "study"]
    assert tool(*words, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    base, tuned = result["drawn"]["the base"], result["drawn"][str(place / "run")]
    assert base["rows"] == tuned["rows"] == 24 and base["problems"] == 4
    assert tuned["leads"] == "a" and tuned["share"]["a"] > base["share"]["a"] and tuned["most_accurate"] == "a"
    kept = (place / "study" / "texts.jsonl").read_text()
    rows = [row for line in kept.splitlines() for some in json.loads(line)["rows"].values() for row in some]
    assert len(rows) == 2 * 24 and all((paid is None) == text.startswith("z") for text, paid in rows)
    assert tuned["pass@1"] == pytest.approx(sum(text[:1] == "a" for text, _ in rows[24:]) / 24)
    assert json.loads((place / "study" / "result.json").read_text()) == result
    # A process that was killed while it wrote, and the same command again.
    (place / "study" / "texts.jsonl").write_text(kept[: len(kept) * 2 // 3])
    assert tool(*words) == 0
    assert (place / "study" / "texts.jsonl").read_text() == kept
    said = capsys.readouterr().out.splitlines()
    assert said[6].split()[:5] == ["new", "draws", "pass@1", "pass@4", "majority@6"]
    assert said[-1] == f"leads in {place / 'run'}: a"
    assert tool(*words, "--seed", 1) == 2
    assert "seed was 0 and is now 1" in " ".join(capsys.readouterr().err.split())


def test_a_second_run_is_asked_what_the_first_was(place, tmp_path, capsys):
    shutil.copytree(place / "run", tmp_path / "same")
    words = ["study", "formats", place / "run", tmp_path / "same", *FORMATS, "--draws", 2, "--out", tmp_path / "study"]
    assert tool(*words, "--json", "--trust-run") == 0
    drawn = json.loads(capsys.readouterr().out)["drawn"]
    assert list(drawn) == ["the base", str(place / "run"), str(tmp_path / "same")]
    assert drawn[str(place / "run")] == drawn[str(tmp_path / "same")] != drawn["the base"]


def test_a_run_that_cannot_be_built_again_leaves_no_folder(place, tmp_path, capsys):
    shutil.copytree(place / "run", tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    del facts["words"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts))
    assert tool("study", "formats", tmp_path / "run", *FORMATS, "--draws", 2, "--out", tmp_path / "study") == 2
    assert "was started from Python" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no format was given"),
        (["--format", "code=("], "cannot be read"),
        (["--format", "code"], "expected NAME=REGEX"),
        ([*FORMATS, "--draws", 4], "give --out"),
        ([*FORMATS, "--draws", -1], "--draws must be at least 0"),
        ([*FORMATS, "--answer", "["], "--answer cannot be read"),
    ],
)
def test_what_is_refused(place, words, said, capsys):
    assert tool("study", "formats", place / "run", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_run_without_samples(place, tmp_path, capsys):
    assert tool("study", "formats", tmp_path, *FORMATS) == 2
    assert "is not a run folder" in capsys.readouterr().err
    shutil.copytree(place / "run", tmp_path / "bare")
    for content in ("", json.dumps({"step": 1, "problem": {}, "rows": [{"kind": "image", "reward": 1.0}]}) + "\n"):
        (tmp_path / "bare" / "samples.jsonl").write_text(content)
        assert tool("study", "formats", tmp_path / "bare", *FORMATS) == 2
        assert "keeps no samples of texts" in " ".join(capsys.readouterr().err.split())
