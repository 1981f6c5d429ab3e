"""`rlft check-reward`: lazy answers, what it warns of, and that it takes what training takes."""

import json

import pytest

from rlft.options.arguments import parse
from rlft.recipes.train import train
from rlft.tasks.files import Files
from rlft.tool.check_reward import check_reward, lazy_answers, repeated
from rlft.types import Problem

VERL = [
    {
        "prompt": [{"role": "user", "content": f"What is {n} + 4?"}],
        "reward_model": {"ground_truth": str(n + 4), "style": "rule"},
        "extra_info": {"index": n // 2},
    }
    for n in range(3)
]


@pytest.fixture
def checked(tmp_path, capsys):
    """Run the command on rows, by the words of a command line."""

    def run(rows, *words):
        (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        given = parse(check_reward, ["--data", str(tmp_path / "data.jsonl"), *words], "rlft check-reward")
        assert check_reward(**given) == 0
        said = capsys.readouterr()
        return said.out, said.err

    return run


def test_lazy_answers():
    assert lazy_answers(Problem(0, "What is -3 + 4.5, or 2?", answer="7")) == {
        "nothing": "",
        "the problem itself": "What is -3 + 4.5, or 2?",
        "all numbers of it": "-3, 4.5, 2",
        "the gold answer in a list": "0, 1, 2, 3, 7, 4, 5, 6, 8, 9",
        "an expression, not worked out": "-3 + 4.5",
    }
    said = lazy_answers(Problem(0, [{"role": "user", "content": "why?"}]))
    assert (said["the problem itself"], set(list(said.values())[2:])) == ("why?", {""})


def test_a_lazy_answer_that_is_paid_is_warned_of(checked, tmp_path):
    (tmp_path / "reward.py").write_text(
        "def within(completions, answer, **kwargs):\n"
        "    return [float(a in text[0]['content']) for text, a in zip(completions, answer)]\n"
    )
    said, noted = checked(VERL, "--reward", f"{tmp_path}/reward.py:within")
    assert "gold answer" in said and "warning: the gold answer in a list is paid like the gold answer in 3 of 3" in said
    assert "all numbers of it is paid like the gold answer in 1 of 3 rows" in said  # 0 + 4 is 4
    assert "1 values of the column extra_info.index are those of several rows, 0 first" in noted
    assert "warning" not in checked(VERL, "--reward", "exact")[0]


def test_it_takes_what_training_takes(checked):
    words = ["--reward", "exact", "length(target=4, unit='tokens')", "--reward-weights", "1", "-0.5", "--rows", "2"]
    said = " ".join(checked(VERL, *words)[0].split())
    assert "exact 1" in said and "-0.25" in said  # one word and its end are two tokens of four


def test_what_repeats_is_said():
    rows = [{"prompt": p, "id": i} for p, i in (("a", 1), ("b", 2), ("a", 2))]
    assert repeated(Files(rows)) == [
        "1 values of the column id are those of several rows, 2 first",
        "1 of 3 prompts are there already",
    ]


def test_what_trains_nothing_is_said(capsys):
    for words, said in ((["--steps", "0"], "evaluates and trains nothing"), (["--lr", "0"], "moves no weight")):
        given = parse(train, ["--model", "nowhere/at/all", "--data", "arithmetic", *words], "rlft train")
        with pytest.raises(Exception, match="nowhere"):
            train(**given)
        assert said in capsys.readouterr().err
