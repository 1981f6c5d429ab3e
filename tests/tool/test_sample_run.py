"""Runs of networks that are no language models, used again: sampled, evaluated, exported, loaded in one line."""

import json
import shutil

import numpy as np
import pytest
import torch
from matplotlib.image import imread

import rlft
from rlft.environments.point_mass import PointMass
from rlft.report.pictures import png_file
from rlft.tool.again import trained
from rlft.types import UserError
from tests.tool import kinds
from tests.tool.test_main import tool

KINDS = ("pictures", "control", "buffer")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run of each kind."""
    place = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlft.report.write", lambda folder, out=None: None)
        for kind in KINDS:
            assert tool("run", kinds.__file__, "--kind", kind, "--out", place / kind) == 0
    return place


def rows(folder):
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def test_pictures_are_what_the_deployed_policy_draws(runs, tmp_path, capsys):
    assert tool("sample", "--model", runs / "pictures", "--problems", 2, "-n", 2, "--out", tmp_path / "drawn") == 0
    run = trained(runs / "pictures")
    drawn = run.deploy.sample([run.held_out.at(i) for i in range(2)], 2, 0).outputs.numpy()
    for row, line in enumerate(rows(tmp_path / "drawn")):
        assert line["files"] == [f"{row:04d}.png", f"{row:04d}.npy"]
        assert (line["index"], line["row"], line["shape"]) == (row // 2, row % 2, [8, 8])
        assert line["reward"] == pytest.approx(drawn[row].clip(-1, 1).mean(), abs=1e-6)
        assert np.array_equal(np.load(tmp_path / "drawn" / f"{row:04d}.npy"), drawn[row])
        levels = imread(tmp_path / "drawn" / f"{row:04d}.png")[:, :, 0] * 255
        assert np.abs(levels - np.clip((drawn[row] + 1) * 127.5, 0, 255)).max() <= 0.51
    assert "0003.png 0003.npy" in capsys.readouterr().out
    assert tool("sample", "--model", runs / "pictures", "--out", tmp_path / "drawn") == 2
    assert "exists already" in capsys.readouterr().err


def test_a_picture_keeps_its_size(tmp_path):
    (tmp_path / "wide.png").write_bytes(png_file(np.zeros((3, 300))))
    assert imread(tmp_path / "wide.png").shape[:2] == (3, 300)


@pytest.mark.parametrize("kind", ["control", "buffer"])
def test_episodes_are_arrays(runs, tmp_path, kind, capsys):
    assert tool("sample", "--model", runs / kind, "--problems", 2, "--out", tmp_path / "seen", "--json") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said == rows(tmp_path / "seen")
    run = trained(runs / kind)
    episode = (run.deploy or run.trainer.policy).sample([run.held_out.at(1)], 1, 0).outputs[0]
    for part in ("observations", "actions", "rewards"):
        assert np.array_equal(np.load(tmp_path / "seen" / f"0001.{part}.npy"), getattr(episode, part).numpy())
    assert said[1]["return"] == pytest.approx(float(episode.rewards.sum())) == pytest.approx(said[1]["reward"])
    assert said[1]["length"] == len(episode)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_evaluated_as_it_was(runs, kind, capsys):
    assert tool("eval", "--model", runs / kind, "--json") == 0
    before, after = [json.loads(line) for line in (runs / kind / "evaluations.jsonl").read_text().splitlines()]
    assert json.loads(capsys.readouterr().out)["reward"] == after["reward"] != before["reward"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_line_loads_the_weights(runs, kind):
    policy, run = rlft.load(runs / kind), trained(runs / kind)
    weights = run.trainer.policy.state_dict()
    assert policy.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in policy.state_dict().items())
    fresh = kinds.kinds(kind).trainer.policy.state_dict()
    assert any(not torch.equal(fresh[name], value) for name, value in weights.items())


def test_into_a_policy_of_ones_own(runs, tmp_path):
    policy = kinds.painter()
    assert rlft.load(runs / "pictures", into=policy) is policy
    weights = trained(runs / "pictures").trainer.policy.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in policy.state_dict().items())
    alone = kinds.painter()
    rlft.load(runs / "pictures" / "model", into=alone)
    assert all(torch.equal(value, weights[name]) for name, value in alone.state_dict().items())
    with pytest.raises(UserError, match=r"weights.safetensors does not fit this policy"):
        rlft.load(runs / "pictures", into=kinds.actor(PointMass()))
    with pytest.raises(UserError, match=r"holds no model/weights.safetensors"):
        rlft.load(tmp_path, into=policy)


def test_without_checkpoints_the_model_is_taken(runs, tmp_path):
    folder = shutil.copytree(runs / "control", tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    weights = trained(runs / "control").trainer.policy.state_dict()
    assert all(torch.equal(v, weights[n]) for n, v in trained(folder).trainer.policy.state_dict().items())


def test_what_is_no_language_model_says_so(runs, tmp_path, capsys):
    assert tool("sample", "--model", runs / "control", "--prompt", "hi") == 2
    assert "has trained no language model: `rlft sample` without --prompt" in capsys.readouterr().err
    assert tool("eval", "--model", runs / "control", "--data", "arithmetic") == 2
    assert tool("sample", "--model", tmp_path) == 2
    assert "--prompt is needed" in capsys.readouterr().err
    assert tool("sample", "--model", runs / "control", "--mix", "a:1") == 2
    assert "--mix, --tools, --agent, --record, --image and --audio are for --prompt" in capsys.readouterr().err
    assert tool("sample", "--model", runs / "control", "-n", 0) == 2
