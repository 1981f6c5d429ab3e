"""What goes to a hub, against one in a thread: files as they are, private, a card, a sentence for all that fails."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from rlft.errors import UserError
from rlft.runs.push import push, staged
from tests.runs.hub import serving

FACTS = {"method": "grpo", "directory": "/home/me", "recipe": "train", "versions": {"rlft": "0.1.0"}}
FACTS |= {"arguments": {"model": "/home/me/base", "data": "/home/me/sums.jsonl", "reward": ["math"], "lora": 4}}
AFTER = {"when": "after", "reward": 0.75, "interval": [0.7, 0.8], "problems": 8, "samples": 1}


@pytest.fixture
def run(tmp_path):
    """A run folder with an adapter that remembers tools."""
    folder, model = tmp_path / "run", tmp_path / "run" / "model"
    model.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(FACTS))
    (folder / "evaluations.jsonl").write_text(json.dumps(AFTER) + "\n")
    save_file({"a": torch.arange(6.0)}, model / "adapter_model.safetensors")
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/home/me/base", "r": 4}))
    remembered = {"tools": ["/home/me/tools.py:add"], "chat": True, "made": {"user": "me", "host": "here"}}
    (model / "rlft.json").write_text(json.dumps(remembered))
    return folder


@pytest.fixture
def hub(monkeypatch):
    """Spoken to as any client without `hf_xet` does, whose own protocol is not one for a fake."""
    with serving() as (kind, address):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield kind


def private(asked):
    """What was asked for, as clients of either age say it."""
    return asked.get("visibility") == "private" or asked.get("private") is True


def test_what_is_uploaded_holds_no_path_of_this_machine(run, tmp_path, capsys):
    staged(run, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "adapter_config.json", "adapter_model.safetensors", "rlft.json"}
    page = (tmp_path / "out" / "README.md").read_text()
    assert "| reward | – | 0.75 |" in page and "LoRA adapters of rank 4 of base" in page and "on `sums.jsonl`" in page
    assert json.loads((tmp_path / "out" / "rlft.json").read_text()) == {"tools": ["tools.py:add"], "chat": True}
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == "base"
    assert "/home" not in "".join(f.read_text() for f in (tmp_path / "out").iterdir() if f.suffix != ".safetensors")
    assert "the base of this adapter is 'base', a folder of this machine" in capsys.readouterr().err
    assert "/home/me/base" in (run / "model" / "adapter_config.json").read_text()  # the run's own is as it was


def test_an_upload(run, tmp_path, hub):
    staged(run, tmp_path / "out")
    address = push(tmp_path / "out", "team/sums")
    assert address == f"{os.environ['HF_ENDPOINT']}/team/sums"
    assert private(hub.repos["team/sums"])
    sent = {name.removeprefix("team/sums/"): data for name, data in hub.files.items()}
    assert sent == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {token for path, token in hub.asked if path.startswith("/api/repos")} == {"Bearer hf_secret"}


def test_one_that_is_there_is_left_alone_unless_it_is_to_be_added_to(run, tmp_path, hub):
    staged(run, tmp_path / "out")
    push(tmp_path / "out", "sums", public=True)
    assert not private(hub.repos["me/sums"])
    hub.files.clear()
    with pytest.raises(UserError, match="sums exists already, and was left as it is; choose another name, or add"):
        push(tmp_path / "out", "sums")
    assert not hub.files
    push(tmp_path / "out", "sums", update=True)
    assert "me/sums/README.md" in hub.files


@pytest.mark.parametrize(
    ("status", "at", "said"),
    [
        (401, "/", "the hub does not know the token: .*; nothing was uploaded"),
        (403, "/", "the token may not write to team/sums.*; nothing was uploaded"),
        (400, "/api/models", r"the hub refused \(400\): .*No room at all.*team/sums is there now, and push again with"),
    ],
)
def test_what_the_hub_refuses_is_said(run, tmp_path, hub, status, at, said):
    staged(run, tmp_path / "out")
    hub.refused, hub.refused_at = status, at
    with pytest.raises(UserError, match=said):
        push(tmp_path / "out", "team/sums")


def test_no_token_no_network_no_name(run, tmp_path, hub, monkeypatch):
    staged(run, tmp_path / "out")
    with pytest.raises(UserError, match="'a/b/c' cannot be the name of a model"):
        push(tmp_path / "out", "a/b/c")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(UserError, match=r"the hub cannot be reached .*; nothing was uploaded"):
            push(tmp_path / "out", "team/sums")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        push(tmp_path / "out", "team/sums")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match="there is no token of the hub: log in with"):
        push(tmp_path / "out", "team/sums")


def test_what_is_no_model(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(UserError, match="holds no trained model; give a run folder"):
        staged(tmp_path / "run", tmp_path / "out")
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(UserError, match="holds no trained model: finish it with rlft train --resume"):
        staged(tmp_path / "run", tmp_path / "out")


@pytest.mark.slow
def test_the_command(run, tmp_path):
    """In a process of its own, for the library reads where the hub is when it is imported."""
    with serving() as (hub, address):
        told = {
            **os.environ,
            "HF_ENDPOINT": address,
            "HF_TOKEN": "hf_secret",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }
        words = [sys.executable, "-m", "rlft", "push", str(run), "team/sums"]
        done = subprocess.run(words, env=told, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{address}/team/sums: README.md, adapter_config.json, adapter_model.safe")
        assert done.stdout.endswith(" MB), private\n")
        assert len(hub.files) == 4
