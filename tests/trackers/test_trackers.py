"""Which trackers there are."""

import importlib.util

import pytest

from rlft import trackers
from rlft.errors import UserError


def test_every_tracker_has_an_extra():
    assert trackers.names() == sorted(trackers.EXTRAS) == ["mlflow", "tensorboard", "trackio", "wandb"]


def test_names_are_checked_before_anything_runs(monkeypatch):
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'; did you mean tensorboard"):
        trackers.checked(["tensorbord"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"--track mlflow needs the library mlflow: pip install 'rlft\[mlflow\]'"):
        trackers.checked(["mlflow"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert trackers.checked(["wandb", "trackio", "wandb"]) == ("wandb", "trackio")
