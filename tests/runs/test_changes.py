"""The measures of whole folders: of all tensors that they share, or of those that are asked for."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file

from rlft.measure.moved import Looking
from rlft.runs.changes import changes
from rlft.types import UserError


def written(folder, **tensors):
    folder.mkdir()
    save_file({name.replace("__", "."): value for name, value in tensors.items()}, folder / "model.safetensors")
    return folder


def test_folders(tmp_path):
    words, layer = torch.randn(5, 3), torch.randn(4, 3)
    before = written(
        tmp_path / "0", model__embed_tokens__weight=words, x__layers__0__q__weight=layer, steps=torch.arange(2)
    )
    after = written(tmp_path / "1", model__embed_tokens__weight=words, x__layers__0__q__weight=2 * layer)
    found = {one.name: one for one in changes(before, after)}
    assert list(found) == ["model.embed_tokens.weight", "x.layers.0.q.weight"]
    assert found["model.embed_tokens.weight"].unchanged == 1 and math.isnan(found["model.embed_tokens.weight"].drift)
    assert found["x.layers.0.q.weight"].drift == pytest.approx(1) and found["x.layers.0.q.weight"].unchanged == 0
    only = list(changes(before, after, after, Looking(only=r"\.q\.")))
    assert [one.name for one in only] == ["x.layers.0.q.weight"] and only[0].jaccard == 1
    with pytest.raises(UserError, match="no tensor of floating numbers matches"):
        list(changes(before, after, looking=Looking(only="k_proj")))
