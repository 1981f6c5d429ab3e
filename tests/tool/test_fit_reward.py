"""`rlft fit-reward`: from a file to a folder that `--reward` takes."""

import json
import re

import pytest

from rlft.errors import UserError
from rlft.options.reward import load_reward
from rlft.rewards.learned.fitting import Demonstrated, Labelled, Preference
from rlft.tool.fit_reward import demonstrations, examples_of, rows_of
from rlft.types import Message, Problem
from tests.models.small_readers import small_reader
from tests.tool.test_main import tool


def file(folder, *rows):
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def examples(data):
    return examples_of(rows_of(data), data)


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def test_preferences_in_the_forms_that_there_are(tmp_path):
    data = file(
        tmp_path,
        {"prompt": "p", "chosen": "c", "rejected": "r"},
        {"prompt": [user("p")], "chosen": [assistant("c")], "rejected": [assistant("r")]},
        {"chosen": [user("p"), assistant("c")], "rejected": [user("p"), assistant("r")]},
        {"prompt": [user("p")], "chosen": [user("p"), assistant("c")], "rejected": [user("p"), assistant("r")]},
        {"chosen": "c", "rejected": "r"},
    )
    chat = Preference([user("p")], "c", "r")
    assert examples(data) == ([Preference("p", "c", "r"), chat, chat, chat, Preference("", "c", "r")], [])


def test_labels_are_named(tmp_path):
    data = file(
        tmp_path,
        {"prompt": "p", "completion": "a", "label": "good"},
        {"prompt": "p", "completion": "b", "label": "bad"},
    )
    assert examples(data) == ([Labelled("p", "a", 1), Labelled("p", "b", 0)], ["bad", "good"])


def test_a_conversation_behind_a_prompt(tmp_path):
    """All messages, of which the last alone would be the completion."""
    talk = [assistant("ask"), user("told"), assistant("so")]
    data = file(
        tmp_path,
        {"prompt": [user("p")], "completion": talk, "label": "good"},
        {"prompt": [user("p")], "completion": [user("p"), *talk[:1]], "label": "bad"},
    )
    said = [Message("assistant", "ask"), Message("user", "told"), Message("assistant", "so")]
    found, _ = examples(data)
    assert found == [Labelled([user("p")], said, 1), Labelled([user("p")], "ask", 0)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"prompt": "p"}], "neither `chosen`"),
        ([{"prompt": "p", "chosen": "c"}], "row 1 has no 'rejected'"),
        ([{"completion": "c"}], "row 1: its label is NoneType"),
        ([{"completion": "c", "label": 1}, {"completion": "d", "label": 1}], "nothing to tell apart"),
        ([{"prompt": "p", "chosen": "c", "rejected": []}], "a text or messages"),
    ],
)
def test_other_files_are_refused(tmp_path, rows, words):
    with pytest.raises(UserError, match=words):
        examples(file(tmp_path, *rows))


def test_a_folder_is_made_that_scores(tmp_path, capsys):
    small_reader(chat=True).save(tmp_path / "base")
    rows = [{"prompt": f"{n}", "chosen": "ab", "rejected": "ba"} for n in range(40)]
    words = ["--model", tmp_path / "base", "--data", file(tmp_path, *rows), "--lr", "0.03", "--epochs", "3"]
    assert tool("fit-reward", *words, "--out", tmp_path / "fitted", "--device", "cpu") == 0
    said = capsys.readouterr().out
    assert "accuracy 1.000" in said
    assert re.search(r"on \d+ \(held out\).*\(found on \d+\)", said, re.DOTALL)
    facts = json.loads((tmp_path / "fitted" / "fit.json").read_text())
    assert facts["accuracy"] == 1.0
    assert facts["loss"] < 0.3
    reward = load_reward(f"scorer({str(tmp_path / 'fitted')!r}, device='cpu')")
    good, bad = reward([Problem(0, "7")] * 2, ["ab", "ba"])["score"]
    assert good > bad + 1
    assert tool("fit-reward", *words, "--out", tmp_path / "fitted") == 2


def test_a_classifier_keeps_its_names(tmp_path):
    small_reader().save(tmp_path / "base")
    rows = [{"prompt": f"{n}", "completion": "ab" if n % 2 else "b", "label": bool(n % 2)} for n in range(60)]
    words = ["--model", tmp_path / "base", "--data", file(tmp_path, *rows), "--lr", "0.03", "--epochs", "3"]
    assert tool("fit-reward", *words, "--out", tmp_path / "fitted", "--device", "cpu") == 0
    reward = load_reward(f"classifier({str(tmp_path / 'fitted')!r}, label='True', device='cpu')")
    good, bad = reward([Problem(0, "77"), Problem(1, "88")], ["ab", "b"])["probability"]
    assert good > 0.8 > 0.2 > bad


def drawn_file(folder, *rows):
    path = folder / "drawn.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def written(prompt, *texts):
    return [{"prompt": prompt, "completion": text, "reward": 0.0} for text in texts]


def test_demonstrations_and_what_was_drawn_for_their_prompts(tmp_path):
    data = file(
        tmp_path,
        {"prompt": "p", "completion": "c", "category": "one"},
        {"prompt": [user("q")], "completion": [assistant("d")], "category": "two"},
    )
    drawn = drawn_file(tmp_path, *written("p", "x", "y", "z"), *written([user("q")], "v", "w"))
    one, two = Demonstrated("p", "c", ("x", "y")), Demonstrated([user("q")], "d", ("v", "w"))
    assert demonstrations(rows_of(data), data, drawn) == [one, two]  # as many of each as there are of every one
    assert demonstrations(rows_of(data, ["category=one"]), data, drawn) == [Demonstrated("p", "c", ("x", "y", "z"))]
    nothing = drawn_file(tmp_path, *written("p", "", "y"), *written([user("q")], "v", ""))
    assert demonstrations(rows_of(data), data, nothing)[0] == Demonstrated("p", "c", ("", "y"))
    less = drawn_file(tmp_path, *written("p", "x"))
    with pytest.raises(UserError, match="nothing that was written for the prompt of row 2"):
        demonstrations(rows_of(data), data, less)
    with pytest.raises(UserError, match="it has category: one, two"):
        rows_of(data, ["category=three"])


def test_a_scorer_of_demonstrations(tmp_path, capsys):
    """Of one category; what was demonstrated is worth more than what was drawn, with prompts that were held out too."""
    small_reader(chat=True).save(tmp_path / "base")
    rows = [{"prompt": f"{n}", "completion": "ab", "category": "cb"[n % 2]} for n in range(60)]
    drawn = drawn_file(tmp_path, *(row for n in range(60) for row in written(f"{n}", "ba", "aa", "bb")))
    words = ["--model", tmp_path / "base", "--data", file(tmp_path, *rows), "--drawn", drawn, "--where", "category=c"]
    assert tool("fit-reward", *words, "--out", tmp_path / "fitted", "--lr", "0.03", "--epochs", "4") == 0
    assert "accuracy 1.000" in capsys.readouterr().out
    reward = load_reward(f"scorer({str(tmp_path / 'fitted')!r}, device='cpu')")
    scores = reward([Problem(0, "7")] * 4, ["ba", "ab", "aa", "bb"])["score"]
    assert scores.argmax() == 1
