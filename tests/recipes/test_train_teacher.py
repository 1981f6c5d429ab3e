"""`rlft train --teacher`: distances before and after, no reward needed, stop and resume, what goes together."""

import json
import shutil

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from tests.runs.tiny import lines
from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]


@pytest.fixture(scope="module")
def place(tmp_path_factory, no_pages):
    """A student, a teacher, problems, and a run of six steps."""
    folder = tmp_path_factory.mktemp("place")
    model_and_rows(folder)
    tokenizer = character_tokenizer("abcdefghsay ")
    teacher = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24, seed=1)
    teacher.lm_head.weight.data.mul_(12.0)  # sure of itself
    Language(teacher, tokenizer).save(folder / "teacher")
    other = character_tokenizer("abcdefghsay !")
    Language(small_llama(len(other), width=16, layers=1, heads=2, context=24), other).save(folder / "other")
    assert tool("train", *words(folder), "--teacher", folder / "teacher", "--out", folder / "run") == 0
    return folder


def words(place, method="on_policy_distillation"):
    told = ["--model", place / "model", "--data", place / "data.jsonl", "--method", method]
    told += ["--max-new-tokens", 4, "--prompts", 4, "--group", 2, "--lr", 3e-2, "--steps", 6, "--save-every", 2]
    return [*told, "--eval-data", place / "data.jsonl", "--eval-problems", 4]


def test_the_student_comes_closer(place):
    before, after = lines(place / "run", "evaluations")
    assert after["teacher/kl"] < 0.8 * before["teacher/kl"]
    steps = lines(place / "run", "metrics")
    assert steps[-1]["teacher/kl"] < steps[0]["teacher/kl"] == pytest.approx(steps[0]["loss"])
    assert steps[0]["reward"] == 0.0 and abs(steps[-1]["kl"]) > 1e-3
    card = (place / "run" / "model" / "README.md").read_text()
    assert "`on_policy_distillation` on `data.jsonl` with the teacher `teacher`" in card
    assert {path.name for path in (place / "run" / "model").iterdir()} >= {"model.safetensors", "rlft.json"}


def test_it_goes_on_bit_for_bit_and_only_with_its_teacher(place, tmp_path, capsys):
    folder = shutil.copytree(place / "run", tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "step-000006")
    (folder / "run.json").write_text(json.dumps({**json.loads((folder / "run.json").read_text()), "status": "stopped"}))
    assert tool("train", "--resume", folder) == 0
    for log in ("metrics", "evaluations"):
        assert lines(folder, log) == lines(place / "run", log)
    weights = [(run / "model" / "model.safetensors").read_bytes() for run in (folder, place / "run")]
    assert weights[0] == weights[1]
    facts = (folder / "run.json").read_text().replace(f"{place}/teacher", f"{place}/model")
    (folder / "run.json").write_text(facts)
    assert tool("train", "--resume", folder, "--steps", 8) == 2
    assert "was started from has changed since" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "teacher", "said"),
    [
        ("on_policy_distillation", None, "method on_policy_distillation needs a --teacher"),
        ("grpo", "teacher", "method grpo has no use for a --teacher"),
        ("on_policy_distillation", "other", "the teacher reads other tokens than the student"),
    ],
)
def test_what_does_not_go_together_is_said(place, tmp_path, capsys, method, teacher, said):
    told = ["--teacher", place / teacher] if teacher else []
    assert tool("train", *words(place, method), *told, "--reward", "exact", "--out", tmp_path / "run") == 2
    assert said in " ".join(capsys.readouterr().err.split())
