"""What a trained model remembers, and what a command line makes of it; problems that do not fit."""

import json

import pytest

from rlft.machine import here
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.arguments import parse
from rlft.options.tools import ToolUse
from rlft.options.trained import as_trained, draws
from rlft.policies.language.policy import Language
from rlft.policies.language.remembered import maker, remembered
from rlft.policies.language.text import Prompting
from rlft.recipes.train import train
from rlft.tool.again import built
from rlft.tool.main import main
from rlft.tool.sample import sample
from rlft.types import UserError
from tests.environments import calculator

TEMPLATE = "{% for m in messages %}({{ m['role'][0] }}:{{ m['content'] }}){% endfor %}(a:"


def speaker(**told):
    tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz ().:")
    tokenizer.chat_template = TEMPLATE
    return Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=40), tokenizer, **told)


@pytest.fixture
def folder(tmp_path):
    speaker(max_new_tokens=5, chat=True, system="be brief", stop=(")",)).save(tmp_path / "model")
    return tmp_path / "model"


def test_the_folder_says_how_the_model_was_used(folder, capsys):
    told = {"system": "be brief", "chat": True, "stop": (")",), "max_new_tokens": 5}
    assert remembered(folder) == told
    words = ["--model", str(folder), "--prompt", "hi", "--max-new-tokens", "7"]
    assert as_trained(words) == {name: value for name, value in told.items() if name != "max_new_tokens"}
    assert capsys.readouterr().err == "rlft: as it was trained: --system 'be brief' --chat --stop )\n"
    given = parse(sample, words, "rlft sample", defaults=told)
    assert given["prompting"] == Prompting(chat=True, system="be brief", stop=(")",))
    assert given["sampling"].max_new_tokens == 7
    again = Language.load(folder, device="cpu", **remembered(folder))
    assert again.codec.prompting == given["prompting"] and again.sampling.max_new_tokens == 5
    assert as_trained(["--model", str(folder)]) == {} == as_trained(["--prompt", "hi"])  # nothing to be asked
    assert as_trained(["--model", "owner/name", "--prompt", "hi"]) == {}
    assert "chat" not in as_trained([*words, "--no-chat"])
    (folder / "rlft.json").write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        remembered(folder)


def test_commands_use_it(folder, capsys):
    def said(*words):
        with pytest.raises(SystemExit) as stopped:
            main(["sample", "--model", str(folder), "--prompt", "hi", "--json", *words])
        assert not stopped.value.code
        return json.loads(capsys.readouterr().out)

    first = said("--device", "cpu")
    assert first == said("--device", "cpu", "--chat", "--system", "be brief", "--stop", ")", "--max-new-tokens", "5")
    assert first["tokens"] <= 5
    assert first != said("--device", "cpu", "--no-chat", "--system", "None")


def test_a_conversation_remembers_its_tools_and_turns(tmp_path):
    spoken = ToolUse(tools=(f"{calculator.__file__}:add",), turns=3).given_to(speaker(max_new_tokens=5))
    spoken.save(tmp_path)
    told = remembered(tmp_path)
    assert (told["tools"], told["turns"]) == ((f"{calculator.__file__}:add",), 3)
    assert ToolUse(**{name: told[name] for name in told if name in vars(ToolUse())}).turns == 3


def made_by_others(folder):
    """As if somebody else had made it."""
    name = "run.json" if (folder / "run.json").exists() else "rlft.json"
    facts = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**facts, "made": {"host": "elsewhere", "user": "eve"}}))


def exited(*words):
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, words)))
    return stopped.value.code


@pytest.fixture
def calling(tmp_path):
    """A model that remembers a tool whose import leaves a trace."""
    trace = tmp_path / "imported"
    said = f"open({str(trace)!r}, 'a').write('x')\n\n\n"
    said += 'def twice(a: int) -> int:\n    """2 a."""\n    return 2 * a\n'
    (tmp_path / "twice.py").write_text(said)
    spoken = ToolUse(tools=(f"{tmp_path}/twice.py:twice",), turns=2).given_to(speaker(max_new_tokens=3, chat=True))
    spoken.save(tmp_path / "run" / "model")
    trace.unlink()
    return tmp_path


def test_tools_of_others_are_asked_for_before_they_are_imported(calling, capsys):
    model, trace = calling / "run" / "model", calling / "imported"
    sampled = ["sample", "--model", model, "--prompt", "hi", "--device", "cpu"]
    assert maker(model) == here() and "made" not in remembered(model)
    assert exited(*sampled) == 0 and f"runs {calling / 'twice.py'}" in " ".join(capsys.readouterr().err.split())
    made_by_others(model)
    trace.unlink(missing_ok=True)
    (calling / "twice.py").touch()  # so that it would be imported anew
    for words in (sampled, ["train", "--model", model, "--data", "arithmetic", "--out", calling / "new"]):
        assert exited(*words) == 2
        assert "remembers tools, and was not made by you on this machine" in capsys.readouterr().err
        assert not trace.exists()
    assert exited(*sampled, "--tools") == 0 and not trace.exists()  # none are to be used
    assert exited(*sampled, "--trust-run") == 0 and trace.exists()
    facts = json.loads((model / "rlft.json").read_text())
    (model / "rlft.json").write_text(json.dumps({n: v for n, v in facts.items() if n != "made"}))
    assert exited(*sampled) == 2  # it does not say who has made it


def test_a_run_folders_tools_are_trusted_once(calling, capsys):
    (calling / "run" / "run.json").write_text("{}")
    made_by_others(calling / "run")
    sampled = ["sample", "--model", calling / "run", "--prompt", "hi", "--device", "cpu"]
    assert exited(*sampled) == 2 and "made by eve on elsewhere and runs code of theirs" in capsys.readouterr().err
    assert not (calling / "imported").exists()
    assert exited(*sampled, "--trust-run") == 0
    assert exited(*sampled) == 0
    assert exited("sample", "--model", calling / "run" / "model", *sampled[3:]) == 0


def test_training_goes_on_as_it_was_trained(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rlft.report.write", lambda folder, out=None: None)
    (tmp_path / "data.jsonl").write_text('{"prompt": "hi", "answer": "b"}\n')
    words = ["--model", folder, "--data", tmp_path / "data.jsonl", "--reward", "similarity", "--device", "cpu"]
    words += ["--prompts", 1, "--group", 2, "--steps", 1, "--stop", "."]
    assert exited("train", *words, "--out", tmp_path / "run") == 0
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    told = {name: facts["arguments"][name] for name in ("system", "chat", "stop", "max_new_tokens")}
    assert told == {"system": "be brief", "chat": True, "stop": ["."], "max_new_tokens": 5}
    assert "as it was trained: --system 'be brief' --chat --max-new-tokens 5" in capsys.readouterr().err
    assert facts["remembered"] == {"system": "be brief", "chat": True, "max_new_tokens": 5}
    (folder / "rlft.json").write_text("{}")  # what the run was started with is the run's own
    assert built(tmp_path / "run").trainer.policy.codec.prompting.system == "be brief"


def test_problems_that_do_not_fit_are_refused_left_out_or_cut(folder, tmp_path, capsys):
    rows = [{"prompt": "a" * count, "answer": "b"} for count in (3, 60, 4)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--model", str(folder), "--data", str(tmp_path / "data.jsonl"), "--reward", "exact", "--device", "cpu"]
    words += ["--max-new-tokens", "5", "--prompts", "2", "--group", "2"]
    with pytest.raises(UserError, match="prompt of 61 tokens and 5 new ones do not fit"):
        train(**parse(train, words, "rlft train"))
    run = train(**parse(train, [*words, "--overlong", "drop"], "rlft train"))
    assert "rlft: 1 of 3 problems of data do not fit" in capsys.readouterr().err
    assert [len(run.trainer.task.at(i).input) for i in range(2)] == [3, 4] and run.trainer.task.size == 2
    assert [run.trainer.task.at(i).index for i in range(2)] == [0, 1]
    run = train(**parse(train, [*words, "--overlong", "cut"], "rlft train"))
    assert run.trainer.task.size == 3
    (tmp_path / "data.jsonl").write_text(json.dumps(rows[1]) + "\n")
    with pytest.raises(UserError, match="no problem of data fits"):
        train(**parse(train, [*words, "--overlong", "drop"], "rlft train"))


def test_a_pipeline_is_told_from_a_language_model(folder, tmp_path):
    (tmp_path / "pipe").mkdir()
    (tmp_path / "pipe" / "model_index.json").write_text("{}")
    assert draws(["--model", str(tmp_path / "pipe")]) and draws([f"--model={tmp_path / 'pipe'}", "--lora", "2"])
    assert not draws(["--model", str(folder)]) and not draws(["--data", "x"])
