"""Commands of claims at full size, run as they stand on a tiny model: its files and sizes are all that is exchanged."""

import json
import shlex
import string

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.recipes import (
    alphamed,
    carft,
    cory,
    deepvideo_r1,
    dr_po,
    eft,
    grpo_family,
    human_written_cot,
    kg_reward,
    kl_bayes,
    lite_ppo,
    mdagent2,
    multicritique,
    open_rs,
    polychromic,
    relift,
    rlvr_domains,
    supo,
    tensorbleu,
    wingpt3,
)
from tests.jails import needs_jail, needs_lammps
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

RECIPES = {
    "carft": carft.CLAIM.real,
    "cory": cory.CLAIM.real,
    "deepvideo_r1": deepvideo_r1.CLAIM.real,
    "dr_po": dr_po.CLAIM.real,
    "grpo_family": grpo_family.CLAIM.real,
    "human_written_cot": human_written_cot.CLAIM.real,
    "kg_reward": kg_reward.CLAIM.real,
    "kl_bayes": kl_bayes.CLAIM.real,
    "lite_ppo": lite_ppo.CLAIM.real,
    "open_rs": open_rs.CLAIM.real,
    "polychromic": polychromic.CLAIM.real,
    "relift": relift.CLAIM.real,
    "supo": supo.CLAIM.real,
    "tensorbleu": tensorbleu.CLAIM.real,
}
FILES = {"REWARD.py": "REWARD.py", "SCORE.py": "REWARD.py", "TOOLS.py": "TOOLS.py"}
# What the claims ask of a large model, as a tiny one can be asked it.
SIZES = {"--steps": 1, "--prompts": 2, "--group": 8, "--max-new-tokens": 6, "--lr": 1e-3, "--turns": 2, "--window": 60}
SIZES |= {"--summaries": 1, "--lora": 2, "--method.minibatches": 2, "--each": 1}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A chat model of one layer, rows with every column that a claim names, a reward and a tool."""
    folder = tmp_path_factory.mktemp("claims")
    tokenizer = character_tokenizer(string.ascii_letters + string.digits + string.punctuation + " \n")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}?"
    Language(small_llama(len(tokenizer), width=32, layers=1, heads=2, context=256), tokenizer).save(folder / "model")
    rows = [
        {"prompt": f"say {n}", "answer": str(n), "solution": f"{n}.", "path": "a b", "demonstration": f"{n}"}
        for n in range(8)
    ]
    rows = [{**row, "expected": {"units": "lj"}, "record": {"a": "b"}, "evidence": ["a"]} for row in rows]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"question": "who?", "options": dict(zip("ABCDE", "vwxyz", strict=True)), "answer_idx": "B"}
    asked = [{**options, "level": f"L{n + 1}"} for n in range(6)]
    (folder / "options.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (folder / "REWARD.py").write_text("def score(problems, outputs):\n    return [len(set(t)) / 6 for t in outputs]\n")
    (folder / "TOOLS.py").write_text('def search(query: str) -> str:\n    """Looks it up."""\n    return query\n')
    return folder


def train(command, place, out, data="data.jsonl"):
    """A step of a claim's words, with files and sizes of ours."""
    values = SIZES | dict.fromkeys(("--model", "--observer"), place / "model")
    values |= dict.fromkeys(("--data", "--eval-data"), place / data)
    words = exchanged(command, values, ("--steps", "--prompts", "--max-new-tokens", "--group"))
    assert words[0] == "train"
    for at, (name, colon, rest) in enumerate(str(word).partition(":") for word in words):
        if name in FILES:
            words[at] = f"{place}/{FILES[name]}{colon}{rest}"
    assert tool(*words, "--out", out / "run") == 0
    (metrics,) = [json.loads(line) for line in (out / "run/metrics.jsonl").read_text().splitlines()]
    assert metrics["step"] == 1
    assert metrics["updates"] >= 1 or metrics["groups/flat"] == 1  # rows that all earn the same teach nothing


@pytest.mark.parametrize("key", RECIPES)
def test_the_command_trains(key, place, tmp_path):
    train(RECIPES[key], place, tmp_path)


def test_the_command_on_questions_of_all_levels_trains(place, tmp_path):
    """Rows as MedQA has them, one of each level, reported apart."""
    train(alphamed.CLAIM.real, place, tmp_path, "options.jsonl")
    last = json.loads((tmp_path / "run/evaluations.jsonl").read_text().splitlines()[-1])
    assert [name for name in last if name.startswith("level/")] == [f"level/L{n}" for n in range(1, 7)]


def test_the_command_of_three_models_samples(place, capsys):
    words = shlex.split(eft.CLAIM.real)
    assert words[:2] == ["rlft", "sample"]
    model = str(place / "model")
    words = [word.replace("SMALL-CHAT", model).replace("SMALL", model).replace("LARGE", model) for word in words]
    assert tool(*words[1:], "--max-new-tokens", 6) == 0
    assert "6 tokens" in capsys.readouterr().out


def test_the_command_with_a_verifier_trains(place, tmp_path):
    """The verifier's words are letters here, as its tokens are."""
    (place / "verify.txt").write_text("{prompt}{completion} is {answer}?")
    command = rlvr_domains.CLAIM.real
    others = {"VERIFIER": str(place / "model"), "verify.txt": str(place / "verify.txt"), "YES": "Y", "NO": "N"}
    for name, other in others.items():
        command = command.replace(f"'{name}'", f"'{other}'")
    train(command, place, tmp_path)


def test_the_command_with_a_reward_model_trains(place, tmp_path):
    """One that was fitted to preferences before."""
    pairs = [{"prompt": f"say {n}", "chosen": str(n), "rejected": "no"} for n in range(8)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    told = ("--model", place / "model", "--data", tmp_path / "pairs.jsonl", "--out", tmp_path / "fitted")
    assert tool("fit-reward", *told, "--focal", 2, "--held-out", 0) == 0
    train(multicritique.CLAIM.real.replace("'CRITIQUE-REWARD'", f"'{tmp_path / 'fitted'}'"), place, tmp_path)


def test_the_command_with_a_classifier_of_conversations_trains(place, tmp_path):
    """One that was fitted to conversations with verdicts before."""
    talk = [{"role": "assistant", "content": "<ask>a</ask>"}, {"role": "user", "content": "b"}]
    ends = [{"role": "assistant", "content": f"<evidence>{name}</evidence>"} for name in "ab"]
    rows = [
        {"prompt": [{"role": "user", "content": f"say {n}"}], "completion": [*talk, end], "label": label}
        for n in range(4)
        for end, label in zip(ends, ("sound", "not"), strict=True)
    ]
    (tmp_path / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = ("--model", place / "model", "--data", tmp_path / "verdicts.jsonl", "--out", tmp_path / "fitted")
    assert tool("fit-reward", *told, "--held-out", 0) == 0
    train(wingpt3.CLAIM.real.replace("'SOUND_MODEL'", f"'{tmp_path / 'fitted'}'"), place, tmp_path)


@needs_jail
@needs_lammps
def test_the_command_with_a_simulator_trains(place, tmp_path):
    train(mdagent2.CLAIM.real, place, tmp_path)
