"""How a run is launched, from the words: one process, or one that learns and others of Ray that draw."""

import pytest

from rlft.tool.again import Cluster, cluster_of, launched
from rlft.types import UserError


@pytest.mark.parametrize(
    ("words", "expected", "left"),
    [
        (["--ray", "--samplers", "3", "--steps", "2"], Cluster(None, 3), ["--steps", "2"]),
        (["--steps", "2", "--ray", "10.0.0.1:6379"], Cluster("10.0.0.1:6379", 2), ["--steps", "2"]),
        (["--sampler-gpus", "0.5", "--ray", "auto"], Cluster("auto", 2, 0.5), []),
        (["--steps", "2"], None, ["--steps", "2"]),
    ],
)
def test_a_cluster_is_taken_from_the_words(words, expected, left):
    assert cluster_of(words) == expected
    assert words == left


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--samplers", "3"], "--samplers is of processes of Ray: give --ray"),
        (["--sampler-gpus", "1"], "--sampler-gpus is of processes of Ray"),
        (["--ray", "a", "b"], "--ray takes one address or none, .* got a b, 2 and 0"),
        (["--ray", "--samplers", "many"], "got none, many and 0"),
        (["--ray", "--sampler-gpus", "half"], "got none, 2 and half"),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        cluster_of(words)


def test_two_launchers_are_one_too_many(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(UserError, match="--ray has one learner, and torchrun starts several"):
        launched(Cluster())
