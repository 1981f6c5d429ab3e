"""Averages of folders of weights."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.testing import assert_close

from rlft.models.soup import average, soup
from rlft.types import UserError


def folder(place, weights, file="model.safetensors"):
    place.mkdir(parents=True)
    (place / file).parent.mkdir(exist_ok=True)
    save_file(weights, place / file, {"format": "pt"})
    (place / "config.json").write_text(place.name)
    return place


def test_linear_models_average_to_the_mean_of_what_they_say(tmp_path):
    models = [nn.Linear(3, 2) for _ in range(3)]
    places = [folder(tmp_path / str(i), model.state_dict(), "part/a.safetensors") for i, model in enumerate(models)]
    assert soup(places, tmp_path / "out") == 2
    mean = nn.Linear(3, 2)
    mean.load_state_dict(load_file(tmp_path / "out/part/a.safetensors"))
    x = torch.randn(5, 3)
    assert_close(mean(x), sum(model(x) for model in models) / 3)
    assert (tmp_path / "out/config.json").read_text() == "0"
    with safe_open(tmp_path / "out/part/a.safetensors", "pt") as held:
        assert held.metadata() == {"format": "pt"}


def test_of_equal_folders_it_is_the_folder(tmp_path):
    weights = {"w": torch.randn(4, 4).bfloat16(), "n": torch.tensor(7), "h": torch.randn(3).double()}
    places = [folder(tmp_path / name, weights) for name in "ab"]
    soup(places, tmp_path / "out")
    made = load_file(tmp_path / "out/model.safetensors")
    assert made.keys() == weights.keys() and all(torch.equal(made[name], weights[name]) for name in weights)


def test_what_cannot_be_averaged(tmp_path):
    one = folder(tmp_path / "one", {"w": torch.zeros(2)})
    with pytest.raises(UserError, match="at least two folders, not 1"):
        soup([one], tmp_path / "out")
    other = folder(tmp_path / "other", {"w": torch.zeros(2)}, "shard.safetensors")
    with pytest.raises(UserError, match=r"other has the weights shard.safetensors, and .*one has model.safetensors"):
        soup([one, other], tmp_path / "out")
    with pytest.raises(UserError, match="w has the shapes"):
        soup([one, folder(tmp_path / "wide", {"w": torch.zeros(1)})], tmp_path / "out2")
    with pytest.raises(UserError, match="weights of other names"):
        average([({"w": torch.zeros(2)}, 0.5), ({"v": torch.zeros(2)}, 0.5)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no \.safetensors file"):
        soup([one, tmp_path / "empty"], tmp_path / "out")
    lora = folder(tmp_path / "lora", {"w": torch.zeros(2)}, "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"holds an adapter.*rlft merge"):
        soup([lora, lora], tmp_path / "out")
