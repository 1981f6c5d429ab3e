"""What a trained model remembers, and what a command line makes of it; problems that do not fit."""

import json

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.arguments import parse
from rlft.options.tools import ToolUse
from rlft.options.trained import as_trained
from rlft.policies.language.policy import Language
from rlft.policies.language.remembered import remembered
from rlft.policies.language.text import Prompting
from rlft.recipes.train import train
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
    assert as_trained(words) == told
    assert capsys.readouterr().err == "rlft: as it was trained: --system 'be brief' --chat --stop )\n"
    given = parse(sample, words, "rlft sample", defaults=told)
    assert given["prompting"] == Prompting(chat=True, system="be brief", stop=(")",))
    assert given["sampling"].max_new_tokens == 7
    again = Language.load(folder, device="cpu", **remembered(folder))
    assert again.codec.prompting == given["prompting"] and again.sampling.max_new_tokens == 5
    assert as_trained(["--model", str(folder)]) == {} == as_trained(["--prompt", "hi"])  # nothing to be asked
    assert as_trained(["--model", "owner/name", "--prompt", "hi"]) == {}
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
