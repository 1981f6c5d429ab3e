"""`rlft push --dry-run`: what would be uploaded, and no network."""

from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool


def test_a_dry_run_writes_a_folder_and_asks_nobody(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("rlft.runs.push.push", lambda *words: 1 / 0)
    model_and_rows(tmp_path)
    assert tool("push", tmp_path / "model", "team/letters", "--dry-run", tmp_path / "out") == 0
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (
        tmp_path / "model" / "model.safetensors"
    ).read_bytes()
    said = capsys.readouterr().out
    assert "model.safetensors" in said and "nothing was uploaded" in said
    assert tool("push", tmp_path / "model", "team/letters", "--dry-run", tmp_path / "out") == 2
    assert "exists already and will not be overwritten" in capsys.readouterr().err
    assert tool("push", tmp_path / "model", "team/letters", "--dry-run", tmp_path / "out", "--public") == 2
