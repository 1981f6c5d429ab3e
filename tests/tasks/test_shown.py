"""Paths of pictures and sounds are relative to the data file."""

import json

from rlft.tasks.files import Files


def test_paths_are_relative_to_the_data_file(tmp_path):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.png").write_bytes(b"x")
    here = str(tmp_path / "pics" / "a.png")
    content = [{"type": "text", "text": "pics/a.png"}, {"type": "image", "image": "pics/a.png"}]
    rows = [
        {"prompt": [{"role": "user", "content": content}, {"role": "assistant", "content": "t"}]},
        {"prompt": "t", "image": "pics/a.png", "images": ["pics/a.png", "pics/none.png", here]},
        {"prompt": "t", "audio": {"path": "pics/a.png", "bytes": None}, "other": "pics/a.png"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = Files(tmp_path / "rows.jsonl")
    assert task.at(0).input[0]["content"] == [content[0], {"type": "image", "image": here}]
    assert task.at(0).input[1]["content"] == "t"
    assert task.at(1).columns["image"] == here and task.at(1).columns["images"] == [here, "pics/none.png", here]
    assert task.at(2).columns["audio"] == {"path": here, "bytes": None} and task.at(2).columns["other"] == "pics/a.png"
    given = [{"prompt": "t", "image": "pics/a.png"}]
    assert Files(given).at(0).columns["image"] == "pics/a.png"  # rows without a file lie nowhere
