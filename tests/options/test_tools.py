"""A generator that a model prompts: what is earned, what is refused, and that it stays as it was."""

import json

import pytest

from rlft.environments.generated import Generated
from rlft.environments.records import Records
from rlft.models.fingerprint import fingerprint
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.learning import Learning
from rlft.options.reward import Rewards
from rlft.options.tools import ToolUse
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.recipes.train import train
from rlft.tool.main import main
from rlft.types import UserError

LETTERS = "abcdefghijklmnopqrstuvwxyz ()?:\n"
REWARD = """
def much(problems, outputs):
    return [len(set(output) & set("abcdefghij")) / 10 for output in outputs]
"""


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("prompter", "coder")):
        tokenizer = character_tokenizer(LETTERS)
        model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=96, seed=seed)
        Language(model, tokenizer, max_new_tokens=6).save(tmp_path / name)
    (tmp_path / "data.jsonl").write_text('{"prompt": "abc?", "answer": "a"}\n{"prompt": "cab?", "answer": "b"}\n')
    (tmp_path / "reward.py").write_text(REWARD)
    return tmp_path


def arguments(folder, **told):
    use = {"generator": str(folder / "coder"), "generator_tokens": 8, "turns": 2, "enough": 0.4, **told}
    return {
        "model": str(folder / "prompter"),
        "data": str(folder / "data.jsonl"),
        "rewards": Rewards((f"{folder}/reward.py:much",)),
        "learning": Learning(steps=1, prompts=2, group=4, kl=False),
        "sampling": Sampling(max_new_tokens=12),
        "prompting": Prompting(stop=tuple("klmnopqrstuvwxyz")),
        "loading": Loading(device="cpu"),
        "tools": ToolUse(**use),
    }


def test_what_a_prompter_earns(folder):
    """The reward of what the generator answered last, in two turns unless the first was enough."""
    run = train(**arguments(folder))
    policy = run.trainer.policy
    assert isinstance(policy, Conversation) and isinstance(policy.dialogue, Generated)
    before = fingerprint(policy.dialogue.generator.state_dict())
    metrics = run.trainer.step()
    assert fingerprint(policy.dialogue.generator.state_dict()) == before
    rows = policy.sample([run.trainer.task.at(0)], 6, 5)
    attempts = policy.dialogue.attempts(rows.problems, [output.messages for output in rows.outputs])
    expected = [len(set(each[-1].output) & set("abcdefghij")) / 10 for each in attempts]
    assert run.reward(rows.problems, rows.outputs).tolist() == pytest.approx(expected)
    assert {len(each) for each in attempts} == {1, 2} and metrics["reward"] == metrics["reward"]
    assert all((len(each) == 1) == (each[0].judged.score >= 0.4) for each in attempts)
    assert policy.dialogue.generator.sampling.max_new_tokens == 8
    assert not policy.dialogue.generator.codec.stop
    told = policy.language.used_with
    assert "generator" not in told


def test_what_is_refused(folder):
    with pytest.raises(UserError, match="one of them"):
        train(**arguments(folder, tools=("tools.py:add",)))
    with pytest.raises(UserError, match="in it; got"):
        train(**arguments(folder, generator_asked="{prompt}"))
    with pytest.raises(UserError, match="a reward that judges"):
        ToolUse(generator="x").given_to(Language.load(folder / "prompter", device="cpu"))


def test_eval(folder, capsys):
    words = ["--model", f"{folder}/prompter", "--data", f"{folder}/data.jsonl", "--reward", f"{folder}/reward.py:much"]
    more = [
        "--generator",
        f"{folder}/coder",
        "--turns",
        "2",
        "--enough",
        "2",
        "--stop",
        *"klmnopqrstuvwxyz",
        "--generator-tokens",
        "8",
        "--json",
    ]
    with pytest.raises(SystemExit) as stopped:
        main(["eval", *words, *more, "--device", "cpu"])
    assert not stopped.value.code
    assert json.loads(capsys.readouterr().out)["turns"] == 2


def test_a_record_is_asked(folder):
    """`--record` makes a conversation with the problem's record; one of the options is given."""
    rows = '{"prompt": "abc?", "answer": "a", "file": {"a": "b"}}\n'
    (folder / "data.jsonl").write_text(rows)
    policy = train(**arguments(folder, generator=None, record="file")).trainer.policy
    assert isinstance(policy, Conversation) and isinstance(policy.dialogue, Records)
    assert policy.dialogue.column == "file" and policy.language.used_with["record"] == "file"
    with pytest.raises(UserError, match="give one of --tools, --agent and --record, not --agent and --record"):
        train(**arguments(folder, generator=None, record="file", agent="a.py:b"))
    with pytest.raises(UserError, match="asks a --record or prompts a --generator; give one of them"):
        train(**arguments(folder, record="file"))
