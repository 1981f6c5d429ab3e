"""Problems from files: every format gives the same problems, and every fault its own words."""

import csv
import json
import sys
import types

import pytest

from rlft.tasks.files import Files
from rlft.types import UserError

ROWS = [{"question": "1+1?", "gold": "2", "level": "easy"}, {"question": "17*3?", "gold": "51", "level": "hard"}]


def write(path, rows):
    if path.suffix in (".jsonl", ".ndjson"):
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".json", ".csv", ".parquet"])
def test_every_format_gives_the_same(ending, tmp_path):
    task = Files(write(tmp_path / f"sums{ending}", ROWS), prompt="question", answer="gold", split="dev")
    assert (task.size, task.name, task.split) == (2, "sums", "dev")
    problem = task.at(1)
    assert (problem.index, problem.input, problem.answer) == (1, "17*3?", "51")
    assert (problem.task, problem.split, problem.visit) == ("sums", "dev", 0)
    assert dict(problem.columns) == ROWS[1]
    with pytest.raises(IndexError):
        task.at(2)


def test_paragraphs_of_a_text(tmp_path):
    (tmp_path / "book.txt").write_text("\ufeffOne line\nand another.\n\n  \n\n  Two.\n", encoding="utf-8")
    task = Files(tmp_path / "book.txt")
    assert [task.at(index).input for index in range(task.size)] == ["One line\nand another.", "Two."]
    assert task.at(0).answer is None and task.name == "book"
    (tmp_path / "empty.md").write_text("\n \n")
    with pytest.raises(UserError, match=r"empty\.md has no rows"):
        Files(tmp_path / "empty.md")


def test_the_answer_is_there_or_not(tmp_path):
    with_answer = write(tmp_path / "a.jsonl", [{"prompt": "p", "answer": 3}, {"prompt": "q"}])
    assert [Files(with_answer).at(i).answer for i in range(2)] == [3, None]
    without = write(tmp_path / "b.jsonl", [{"prompt": "p"}])
    assert Files(without, name="mine").at(0).answer is None
    assert Files(without, name="mine").at(0).task == "mine"
    with pytest.raises(UserError, match="no column 'answer'; there are prompt"):
        Files(without, answer="answer")


def test_a_demonstration_beside_the_answer(tmp_path):
    rows = [{"prompt": "p", "answer": 3, "worked": "1+2=3", "demonstration": "3!"}, {"prompt": "q", "answer": 4}]
    file = write(tmp_path / "a.jsonl", rows)
    usual, other = Files(file), Files(file, demonstration="worked")
    assert [(p.answer, p.demonstration, p.lesson) for p in map(usual.at, range(2))] == [(3, "3!", "3!"), (4, None, 4)]
    assert [p.lesson for p in map(other.at, range(2))] == ["1+2=3", 4]
    with pytest.raises(UserError, match="no column 'workd'; did you mean worked"):
        Files(file, demonstration="workd")


def test_chat_messages_are_kept(tmp_path):
    turns = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "1+1?"}]
    for ending in (".jsonl", ".parquet"):
        task = Files(write(tmp_path / f"chat{ending}", [{"prompt": turns}]))
        assert task.at(0).input == turns


VERL = [
    {
        "data_source": "gsm8k",
        "prompt": [{"role": "user", "content": "3+4?"}],
        "reward_model": {"ground_truth": "7", "style": "rule"},
        "extra_info": {"question": "3+4?", "deep": {"er": 1}},
    }
]


def test_the_layout_of_verl(tmp_path):
    file = write(tmp_path / "gsm.parquet", VERL)
    problem = Files(file).at(0)
    assert (problem.answer, problem.input, problem.columns["data_source"]) == ("7", VERL[0]["prompt"], "gsm8k")
    inside = Files(file, prompt="extra_info.question", answer="extra_info.deep.er", demonstration="reward_model.style")
    assert (inside.at(0).input, inside.at(0).answer, inside.at(0).demonstration) == ("3+4?", 1, "rule")
    flat = Files([{"prompt": "3+4?", "reward_model.ground_truth": "7", "answer.unit": "m"}])
    assert flat.at(0).answer == "7"
    with pytest.raises(UserError, match=r"objects, not texts .* reward_model.ground_truth, reward_model.style \("):
        Files(file, answer="reward_model")
    with pytest.raises(UserError, match=r"no column 'extra_info.qestion'; did you mean extra_info.question"):
        Files(file, prompt="extra_info.qestion")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "there is no file"),
        ("empty.jsonl", "", "is empty"),
        ("blank.jsonl", "\n\n", "has no rows"),
        ("empty.json", "[]", "has no rows"),
        ("bad.jsonl", '{"prompt": "a"}\n\n{"prompt": "b"\n', r"bad.jsonl:3 is not JSON: Expecting ',' delimiter"),
        ("list.jsonl", '["a"]\n', r"list.jsonl:1 is a list; expected an object"),
        ("bad.json", '[{"prompt": "a"},\n]', r"bad.json:2 is not JSON"),
        ("one.json", '{"prompt": "a"}', r"should be a list of objects"),
        ("short.csv", "prompt,answer\na,1\nb\n", r"short.csv:3 does not have the header's 2 columns"),
        ("long.csv", "prompt,answer\na,1,2\n", r"long.csv:2 does not have"),
        ("not.parquet", "PAR0", "is not Parquet"),
        ("odd.docx", "hello", r"should be one of .jsonl, .ndjson, .json, .csv, .parquet"),
        ("latin.jsonl", b'{"prompt": "\xe9"}', "is not UTF-8"),
        ("other.jsonl", '{"promt": "a", "x": 1}', r"no column 'prompt'; did you mean promt\? There are promt, x"),
        ("hole.jsonl", '{"prompt": "a"}\n{"prompt": " \\n"}', r"row 2: the prompt \(column 'prompt'\) is empty"),
        ("gap.jsonl", '{"prompt": "a"}\n{"x": 1}\n{"prompt": ""}', r"row 2: the prompt \(column 'prompt'\) is empty"),
        ("chat.jsonl", '{"prompt": []}', r"row 1: .* is empty"),
        ("number.jsonl", '{"prompt": 3}', r"row 1: .* is the number 3; expected text or a list of chat messages"),
        ("turn.jsonl", '{"prompt": [{"content": "a"}]}', r"row 1: .* has a message that is not"),
    ],
)
def test_faults(name, content, message, tmp_path):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        Files(file)


class Fake(types.ModuleType):
    """As much of the `datasets` package as is used: what was asked for, and rows behind `[]` and `len`."""

    class DatasetDict(dict):
        pass

    def __init__(self):
        super().__init__("datasets")
        self.asked = []

    def load_dataset(self, name, configuration):
        self.asked.append((name, configuration))
        if name == "no/such":
            raise FileNotFoundError("nothing there")
        return self.DatasetDict(train=ROWS, test=ROWS[1:])

    def load_from_disk(self, path):
        self.asked.append(path)
        return ROWS


def test_hugging_face_data_sets(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", fake := Fake())
    task = Files("owner/name:main", prompt="question", answer="gold", split="test")
    assert (task.size, task.at(0).input, task.name, task.split) == (1, "17*3?", "name:main", "test")
    assert Files("owner/name", prompt="question").size == 2
    assert Files(tmp_path, prompt="question").size == 2
    assert fake.asked == [("owner/name", "main"), ("owner/name", None), str(tmp_path)]
    with pytest.raises(UserError, match="no split 'dev'; there are test, train"):
        Files("owner/name", split="dev")
    with pytest.raises(UserError, match="cannot load the data set no/such: nothing there"):
        Files("no/such")


def test_hugging_face_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"to look for it on the hub needs datasets: pip install 'rlft\[hub\]'"):
        Files("owner/name")
    with pytest.raises(UserError, match="is a folder"):
        Files(tmp_path)
