"""Tensors of a model's folder by name, whichever files they lie in; and folders that are no model before and after."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from rlft.runs.matrices import Matrices, shared
from rlft.types import UserError


def written(folder, *files, **more):
    folder.mkdir(parents=True)
    for number, tensors in enumerate(files):
        save_file(tensors, folder / f"model-{number}.safetensors")
    for name, text in more.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_tensors_of_all_parts(tmp_path):
    folder = written(tmp_path / "m", {"b": torch.ones(2, 3)}, {"a": torch.arange(4)})
    save_file({"critic": torch.ones(1)}, folder / "value_head.safetensors")
    found = Matrices(folder)
    assert found.names() == ["a", "b"] and "critic" not in found and "b" in found
    assert found.shape("b") == (2, 3) and torch.equal(found["a"], torch.arange(4))


def test_a_run_folder_is_its_model(tmp_path):
    written(tmp_path / "run" / "model" / "one", {"a": torch.ones(1)})
    written(tmp_path / "run" / "model" / "two", {"b": torch.ones(1)})
    (tmp_path / "run" / "run.json").write_text("{}")
    assert Matrices(tmp_path / "run").names() == ["a"]
    unfinished = written(tmp_path / "other", run__json="{}")
    with pytest.raises(UserError, match="without a trained model: finish it"):
        Matrices(unfinished)


def test_what_is_shared(tmp_path):
    one = Matrices(written(tmp_path / "1", {"a": torch.ones(2), "b": torch.ones(3)}))
    other = Matrices(written(tmp_path / "2", {"b": torch.ones(3), "c": torch.ones(4)}))
    assert list(shared([one, other])) == ["b"]
    with pytest.raises(UserError, match="share no tensor"):
        list(shared([one, Matrices(written(tmp_path / "3", {"d": torch.ones(2)}))]))
    with pytest.raises(UserError, match=r"a is 2 in .*1 and 2 × 1 in .*4: they are not one model"):
        list(shared([one, Matrices(written(tmp_path / "4", {"a": torch.ones(2, 1)}))]))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"adapter_config__json": "{}"}, "holds an adapter: add it to its base first, rlft merge"),
        ({"pytorch_model__bin": "x"}, "pickled: save them as safetensors"),
        ({"config__json": "{}"}, r"no \*\.safetensors"),
        ({"model__safetensors": "x"}, "cannot be read"),
    ],
)
def test_folders_without_weights(tmp_path, files, said):
    with pytest.raises(UserError, match=said):
        Matrices(written(tmp_path / "m", **files))
    with pytest.raises(UserError, match="there is no folder"):
        Matrices(tmp_path / "nothing")
