"""The tool's commands on a tiny model, from training to a page: what a person types and sees."""

import json
import subprocess
import sys

import pytest
import torch

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.tool.main import main
from rlft.tool.self_test import FAMILIES

pytestmark = pytest.mark.slow


def tool(*words):
    """Run the tool in this process; its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return stopped.value.code or 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, data in a file, a TRL-style reward, and a finished run."""
    folder = tmp_path_factory.mktemp("place")
    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz .")
    Language(small_llama(len(tokenizer), width=32, layers=1, heads=2, context=40), tokenizer).save(folder / "model")
    rows = [{"question": f"say {c}", "answer": c, "level": i} for i, c in enumerate("abcdefgh")]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "reward.py").write_text(
        "def many_a(prompts, completions, level, **kwargs):\n"
        "    assert len(level) == len(prompts)\n"
        "    return [text.count('a') / 6 for text in completions]\n"
    )
    options = {"--model": folder / "model", "--data": folder / "data.jsonl", "--reward": f"{folder}/reward.py:many_a"}
    options |= {"--prompt-field": "question", "--max-new-tokens": 6, "--steps": 20, "--prompts": 4, "--group": 8}
    options |= {"--lr": 1e-2, "--eval-data": folder / "data.jsonl", "--out": folder / "run", "--method": "grpo"}
    code = tool("train", *(word for pair in options.items() for word in pair), "--method.beta", "0.01")
    assert code == 0
    return folder


def test_training_raised_the_reward_and_says_so(place):
    lines = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["reward"] > lines[0]["reward"] + 0.3
    assert lines[-1]["kl"] > 0.5 > abs(lines[0]["kl"])
    before, after = [json.loads(line) for line in (place / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert after["reward"] > before["reward"] + 0.3
    facts = json.loads((place / "run" / "run.json").read_text())
    assert facts["arguments"]["method"] == {"name": "grpo", "clip": 0.2, "beta": 0.01, "epochs": 1, "minibatches": 1}
    rows = json.loads((place / "run" / "samples.jsonl").read_text().splitlines()[-1])["rows"]
    assert {row["kind"] for row in rows} == {"text"}


def test_the_trained_folder_loads_in_plain_transformers(place):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(place / "run" / "model")
    tokenizer = AutoTokenizer.from_pretrained(place / "run" / "model")
    out = model.generate(**tokenizer("say a", return_tensors="pt"), max_new_tokens=6, do_sample=False)
    assert "a" in tokenizer.decode(out[0, -6:])


def test_eval(place, capsys):
    words = ["--data", place / "data.jsonl", "--prompt-field", "question", "--reward", f"{place}/reward.py:many_a"]
    words += ["--max-new-tokens", 6, "--samples", 2, "--out", place / "rows.jsonl"]
    assert tool("eval", "--model", place / "run", *words, "--json") == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["problems"] == 8
    assert len((place / "rows.jsonl").read_text().splitlines()) == 16
    assert tool("eval", "--model", place / "model", *words[:-2]) == 0
    assert "reward" in capsys.readouterr().out
    assert trained["reward"] > 0.3
    assert tool("eval", "--model", place / "run", *words) == 2  # rows.jsonl is there already
    assert "will not be overwritten" in capsys.readouterr().err


def test_sample(place, capsys):
    words = ["sample", "--model", place / "run", "--prompt", "say b", "-n", 3, "--max-new-tokens", 4]
    assert tool(*words, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 3
    assert all(row["tokens"] <= 4 and row["logp"] < 0 for row in rows)
    assert tool(*words) == 0
    assert "1 of 3" in capsys.readouterr().out


def test_eval_steered_and_led(place, capsys):
    """The base as it is, laid half under its tune, and the best of eight: each earns more."""
    words = ["eval", "--model", place / "model", "--data", place / "data.jsonl", "--prompt-field", "question", "--json"]
    words += ["--reward", f"{place}/reward.py:many_a", "--max-new-tokens", 6, "--samples", 4]
    earned = []
    for more in ([], ["--mix", f"{place}/run:0.5"], ["--mix", f"{place}/run:0.5", "--guide", "best_of(8)"]):
        assert tool(*words, *more) == 0
        earned.append(json.loads(capsys.readouterr().out))
    first, steered, led = (found["reward"] for found in earned)
    assert first + 0.05 < steered < led - 0.05
    assert (earned[2]["mix"], earned[2]["guide"], earned[2]["calls/reward"]) == ([f"{place}/run:0.5"], "best_of(8)", 8)


def test_eval_of_a_run_folder_needs_no_data(place, capsys):
    assert tool("eval", "--model", place / "run") == 0
    after = json.loads((place / "run" / "evaluations.jsonl").read_text().splitlines()[-1])
    assert f"{after['reward']:.4f}" in capsys.readouterr().out
    assert tool("eval", "--model", place / "model") == 2
    assert "--data is needed" in capsys.readouterr().err
    assert tool("eval", "--model", place / "run", "--mix", f"{place}/run:0.5") == 2
    assert "are for --data" in capsys.readouterr().err


def test_check_reward(place, capsys):
    words = ["--data", place / "data.jsonl", "--prompt-field", "question", "--rows", 2, "--max-new-tokens", 6]
    assert tool("check-reward", *words, "--model", place / "model", "--reward", "exact") == 0
    said = capsys.readouterr().out
    assert "gold answer" in said and "another's" in said and "the model's" in said


def test_check_reward_explains(tmp_path, capsys):
    rows = [{"prompt": "3 + 4?", "answer": "7"}, {"prompt": "half of 9?", "answer": r"\frac{9}{2}"}]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["check-reward", "--data", tmp_path / "sums.jsonl", "--explain", "--reward", "math"]
    assert tool(*words) == 0
    said = capsys.readouterr().out
    assert "gold answer: '7' (text) is 7, gold '7' is 7: same text" in said
    assert r"another's answer: '\frac{9}{2}' (text) is 9/2, gold '7' is 7: plain numbers" in said
    assert "nothing: nothing, gold '7' is 7: no answer" in said
    assert tool(*words, "exact") == 0
    said = capsys.readouterr().out
    assert "exact: this reward gives no reasons" in said and "plain numbers" in said


def test_imitation_then_reinforcement(place, capsys):
    """The answers' own column for the reward, another for what is imitated, and both stages in one run."""
    rows = [{"prompt": f"say {c}", "answer": c, "solution": f"{c} {c}"} for c in "abcd"]
    (place / "shown.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--data", place / "shown.jsonl", "--demonstration-field", "solution", "--reward", "exact"]
    assert tool("check-reward", *words, "--rows", 1) == 0
    assert "demonstration" in capsys.readouterr().out
    words += ["--model", place / "model", "--method", "sft_grpo", "--method.taught", 2, "--steps", 3, "--prompts", 4]
    assert tool("train", *words, "--max-new-tokens", 6, "--lr", 1e-3, "--out", place / "stages") == 0
    lines = [json.loads(line) for line in (place / "stages" / "metrics.jsonl").read_text().splitlines()]
    assert [line.get("rows/demonstrated") for line in lines] == [4, 4, None]
    assert lines[1]["loss/demonstrations"] < lines[0]["loss/demonstrations"] and lines[1]["length"] == 4
    assert "nothing to learn from" not in capsys.readouterr().err or lines[2]["updates"] == 0


def test_corrections_and_contrast_of_annotated_solutions(place):
    """A user's own model and data with solutions in a column: a model as small as this corrects nothing of its own."""
    rows = [{"prompt": f"say {c}", "answer": c, "solution": f"{c} {c}"} for c in "abcd"]
    (place / "solved.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--data", place / "solved.jsonl", "--demonstration-field", "solution", "--reward", "exact", "--steps", 2]
    words += ["--model", place / "model", "--prompts", 4, "--group", 2, "--max-new-tokens", 6, "--lr", 1e-3]
    more = ["--method", "int_grpo", "--method.taught", 1, "--method.between", " ", "--method.asked", "{prompt} {steps}"]
    assert tool("train", *words, *more, "--out", place / "int") == 0
    first, second = map(json.loads, (place / "int" / "metrics.jsonl").read_text().splitlines())
    assert first["interventions/failed"] + first["groups/flat"] > 0 and "interventions/failed" not in second
    assert tool("train", *words, "--method", "carft", "--out", place / "carft") == 0
    lines = [json.loads(line) for line in (place / "carft" / "metrics.jsonl").read_text().splitlines()]
    assert all(line["contrast"] > 0 and -1 <= line["contrast/similar"] <= 1 for line in lines)


def test_a_text_file_as_a_corpus(place):
    """Words of a plain text, chosen by the model or by its entropy, with questions of one's own; also a column."""
    (place / "corpus.txt").write_text("abc def\n\nghi jkl abc\n \nmno\n")
    (place / "corpus.jsonl").write_text('{"text": "abc def"}\n{"text": "ghi jkl abc"}\n')
    words = ["--model", place / "model", "--reward", "exact", "--steps", 2, "--prompts", 4, "--group", 3]
    words += ["--max-new-tokens", 6, "--lr", 1e-3, "--method", "pretrain_zero", "--method.asked", "{text} a"]
    words += ["--method.predicted-with", "{text} b", "--method.mask", "zz"]
    more = ["--method.chosen", "([a-z])", "--method.word", r"\w"]
    assert tool("train", "--data", place / "corpus.txt", *words, *more, "--out", place / "own") == 0
    lines = [json.loads(line) for line in (place / "own" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < line["masks/asked"] <= 12 and line["rows/drawn"] == 3 * line["masks/asked"] for line in lines)
    data = ["--data", place / "corpus.jsonl", "--prompt-field", "text"]
    assert tool("train", *data, *words, "--method.chooser", "entropy", "--out", place / "unsure") == 0
    lines = [json.loads(line) for line in (place / "unsure" / "metrics.jsonl").read_text().splitlines()]
    assert [line["masks/asked"] for line in lines] == [4, 4]


def test_report(place, capsys):
    assert tool("report", place / "run") == 0
    assert capsys.readouterr().out.strip() == str(place / "run" / "report.html")


def test_a_finished_run_resumes_to_nothing(place, capsys):
    before = (place / "run" / "metrics.jsonl").read_text()
    assert tool("train", "--resume", place / "run") == 0
    assert (place / "run" / "metrics.jsonl").read_text() == before


@pytest.mark.slow
def test_doctor(capsys):
    """Three promises of every family, all of them kept."""
    code = tool("doctor")
    promises = [line for line in capsys.readouterr().out.splitlines() if line.startswith("test ")]
    assert len(promises) == 3 * len(FAMILIES)
    assert all(line.endswith(" ok") for line in promises), promises
    assert code == 0


def test_help_lists_methods_and_options(capsys):
    assert tool("train", "--help", "--method", "dapo") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--method.rounds" in said and "reinforce_pp" in said and "--save-every" in said
    assert tool("--help") == 0
    assert "check-reward" in capsys.readouterr().out


@pytest.mark.slow
def test_the_tool_and_the_package_start_quickly():
    """Beyond torch, `import rlft` costs under half a second; help needs neither torch nor transformers."""
    code = "import torch, time; t = time.process_time(); import rlft, rlft.types; print(time.process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.5
    code = "import sys, rlft.tool.main as c\ntry: c.main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_one_thread():
    assert torch.get_num_threads() == 1
