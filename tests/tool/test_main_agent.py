"""An agent of a file trains the model that it asks, from the command line."""

import json

import pytest

from rlft.models.small_language import small_llama, word_tokenizer
from rlft.policies.language.policy import Language
from tests.environments.guessing import Guessing
from tests.environments.posing import Posing, put_in
from tests.tool.test_main import tool

pytest.importorskip("openai")

AGENT = '''"""Is it seven?"""


def solve(problem, endpoint):
    """Half a point for a digit, one for a seven."""
    ask = [{"role": "user", "content": problem["input"]}]
    said = endpoint.client().chat.completions.create(model="m", messages=ask).choices[0].message.content
    return (said.isdigit() + (said == "7")) / 2


def name(problem, endpoint):
    """No number."""
    endpoint.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "1"}])
    return "Ada"
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent")
    tokenizer = word_tokenizer([*"0123456789!\n"])
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}!"
    Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=32), tokenizer).save(folder / "model")
    (folder / "data.jsonl").write_text("".join(json.dumps({"prompt": str(i)}) + "\n" for i in range(8)))
    (folder / "agent.py").write_text(AGENT)
    return folder


def words(place, command, model, *more):
    told = ("--model", model, "--data", place / "data.jsonl", "--reward", "result", "--max-new-tokens", 4)
    return (command, *told, "--agent", f"{place}/agent.py:solve", *more)


def test_trained_resumed_evaluated_and_remembered(place, capsys):
    size = ("--prompts", 4, "--group", 8, "--lr", 1e-2)
    train = words(place, "train", place / "model", *size, "--save-every", 2)
    assert tool(*train, "--steps", 4, "--out", place / "whole") == 0
    assert tool(*train, "--steps", 2, "--out", place / "run") == 0
    assert tool("train", "--resume", place / "run", "--steps", 4) == 0
    whole, again = (
        [json.loads(line) for line in (place / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "run")
    )
    assert [line["reward"] for line in again] == [line["reward"] for line in whole]
    assert [line["grad_norm"] for line in again] == [line["grad_norm"] for line in whole]
    assert all(line["ratio/first"] <= 5e-5 and line["measure/turns"] == 1 for line in whole)
    rows = json.loads((place / "run" / "samples.jsonl").read_text().splitlines()[-1])["rows"]
    assert {message["role"] for row in rows for message in row["messages"]} == {"assistant", "result"}
    capsys.readouterr()
    told = ("eval", "--model", place / "run", "--data", place / "data.jsonl", "--reward", "result", "--json")
    assert tool(*told) == 0  # by the agent that the model remembers
    assert 0 <= json.loads(capsys.readouterr().out)["reward"] <= 1


def test_an_environment_that_is_served_trains_and_is_remembered(place, capsys):
    """Stopped and resumed it is the same run: the problem decides what an episode is."""
    pytest.importorskip("websockets")
    guessing = Guessing(words=("7", "3"))
    agent = f"openenv('{guessing.url}', action='guess')"
    told = ("--data", place / "data.jsonl", "--reward", "result", "--max-new-tokens", 4, "--turns", 3)
    train = ("train", "--model", place / "model", *told, "--agent", agent, "--prompts", 2, "--group", 4, "--lr", 1e-2)
    assert tool(*train, "--steps", 3, "--out", place / "played") == 0
    assert tool(*train, "--steps", 1, "--out", place / "halved") == 0
    assert tool("train", "--resume", place / "halved", "--steps", 3) == 0
    whole, again = (
        [json.loads(line) for line in (place / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("played", "halved")
    )
    assert [(line["reward"], line["loss"]) for line in again] == [(line["reward"], line["loss"]) for line in whole]
    assert any(line["reward"] > 0 for line in whole) and all(line["ratio/first"] <= 5e-5 for line in whole)
    capsys.readouterr()
    assert (
        tool("eval", "--model", place / "played", "--data", place / "data.jsonl", "--reward", "result", "--json") == 0
    )
    assert 0 <= json.loads(capsys.readouterr().out)["reward"] <= 1
    guessing.server.shutdown()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--tools", "tools.py:add"), "give one of --tools, --agent and --record"),
        (("--agent", "agent.py"), "--agent 'agent.py' is not file.py:function"),
        (("--agent", "PLACE/agent.py:solve,name"), "names 2 functions; a row has one agent"),
        (("--agent", "PLACE/agent.py:name"), "'Ada', no number"),
        (("--agent", "openenv('127.0.0.1')"), "is at an address"),
        (("--agent", "openenv(port=1)"), "it is openenv(url"),
    ],
)
def test_what_is_refused(place, capsys, more, said):
    more = [str(word).replace("PLACE", str(place)) for word in more]
    assert tool(*words(place, "eval", place / "model"), *more) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_an_environment_of_verifiers_trains_on_its_own_data(place, monkeypatch):
    put_in(monkeypatch, pose=Posing)
    told = ("--agent", "verifiers('pose', count=4)", "--data", "verifiers:pose(count=4)", "--reward", "result")
    size = ("--max-new-tokens", 4, "--turns", 3, "--prompts", 4, "--group", 4, "--lr", 1e-2)
    assert tool("train", "--model", place / "model", *told, *size, "--steps", 2, "--out", place / "posed") == 0
    log = [json.loads(line) for line in (place / "posed" / "metrics.jsonl").read_text().splitlines()]
    assert all(line["ratio/first"] <= 5e-5 and 1 < line["measure/turns"] <= 2 for line in log)
    assert all(0 < line["reward"] <= 1 for line in log)  # a turn that is cut off ends its row, which then has 0
