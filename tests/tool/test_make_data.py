"""`rlft make-data`: models behind servers and on this machine, a folder that goes on, and what is refused."""

import json
import re
import string

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.tasks.files import Files
from tests.rewards.judging.stand_in import StandIn
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]


def says(text, times):
    """A writer whose every third answer is wrong, a checker that sees that, a solver that adds up."""
    if "List" in text:
        return '["ones", "tens"]'
    if found := re.search(r"problem about (\w+) .*the (\d+)\. of", text):
        one, number = {"ones": 1, "tens": 10}[found[1]], int(found[2])
        right = one * number + one
        return json.dumps({"problem": f"{one * number} + {one}", "answer": str(right + (number % 3 == 0))})
    if found := re.search(r"(\d+) \+ (\d+)\n\nAnswer given:\n(\d+)", text):
        a, b, given = map(int, found.groups())
        return json.dumps({"valid": True, "correct": a + b == given})
    a, b = re.match(r"(\d+) \+ (\d+)", text).groups()
    return f"{a} and {b} is \\boxed{{{int(a) + int(b)}}}"


@pytest.fixture
def server():
    made = StandIn(says)
    yield made
    made.stop()


def words(server, out, *more):
    spec = f"served(url='{server.url}', model='big', patience=5.0)"
    named = ["--writer", spec, "--check", spec, "--solver", spec, "--out", out]
    return ["make-data", "--taxonomy", "sums", "--topics", 2, "--problems", 4, "--tries", 1, *named, *more]


def test_a_folder_that_trains(server, tmp_path, capsys):
    (tmp_path / "bench.jsonl").write_text('{"prompt": "2 + 1", "answer": "3"}\n')
    assert tool(*words(server, tmp_path / "made", "--unseen", tmp_path / "bench.jsonl", "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["topics"], said["written"], said["kept"]) == (2, 8, 5)
    assert (said["dropped/incorrect"], said["dropped/unseen"]) == (2, 1)
    task = Files(tmp_path / "made" / "train.jsonl")
    assert task.size == 5
    first = task.at(0)
    assert (first.input, first.answer, first.demonstration) == ("1 + 1", "2", "1 and 1 is \\boxed{2}")
    assert first.columns["topic"] == "ones" and first.columns["subject"] == "sums"
    dropped = [json.loads(line) for line in (tmp_path / "made" / "dropped.jsonl").read_text().splitlines()]
    assert [row["why"] for row in dropped] == ["unseen", "incorrect", "incorrect"]
    assert "| tens (sums) | 4 | 3 |" in (tmp_path / "made" / "README.md").read_text()


def test_what_was_paid_for_is_not_asked_again(server, tmp_path, capsys):
    """The server dies in the middle; the same command goes on, another is refused."""
    server.dies_at, told = 7, words(server, tmp_path / "made")
    told = [str(word).replace("patience=5.0", "patience=0.1") for word in told]
    assert tool(*told) == 2
    assert "does not answer" in capsys.readouterr().err
    assert len((tmp_path / "made" / "replies.jsonl").read_text().splitlines()) == 7
    server.dies_at = None
    assert tool(*told) == 0
    assert tool(*told) == 0
    assert max(server.asked.values()) == 1
    assert tool(*[4 if word == "4" else word for word in told], "--most", 1) == 2
    assert "was begun with another most" in capsys.readouterr().err


def test_a_model_of_this_machine_and_one_that_says_nothing_useful(server, tmp_path, capsys):
    letters = character_tokenizer(string.printable)
    Language(small_llama(len(letters), width=16, layers=1, heads=2, context=512), letters).save(tmp_path / "model")
    told = words(server, tmp_path / "made", "--max-new-tokens", 4, "--no-chat", "--json")
    told[told.index("--check") + 1] = tmp_path / "model"
    assert tool(*told) == 0
    assert json.loads(capsys.readouterr().out)["dropped/unread verdict"] == 8


def test_what_is_refused(server, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    for out, more, match in (
        ("full", (), "holds something else"),
        ("a", ("--tries", 0), "--tries must be at least 1"),
        ("a", ("--check-prompt", tmp_path / "none.txt"), "a prompt cannot be read"),
        ("a", ("--unseen", tmp_path / "none.jsonl"), "none.jsonl"),
    ):
        assert tool(*words(server, tmp_path / out, *more)) == 2
        assert match in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
