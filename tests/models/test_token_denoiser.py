"""Small networks for strings: they learn a law, are built once, and leave the global generator alone."""

import pytest
import torch

from rlft.models.token_denoiser import TokenCritic, TokenDenoiser, strings_base, train_tokens


def test_training_finds_the_conditionals(tmp_path):
    """Two letters that are always alike, first A or B with chances .8 and .2, then nothing to guess."""
    data = torch.tensor([[0, 0]] * 80 + [[1, 1]] * 20)
    net = TokenDenoiser(2, 2, width=16, layers=1)
    train_tokens(net, data, torch.zeros(100, dtype=torch.long), mask=2, iterations=150, batch=64, lr=1e-2)
    p = net(torch.tensor([[2, 2], [0, 2], [2, 1]]), torch.zeros(3, dtype=torch.long)).softmax(-1)
    assert p[0, :, 0].tolist() == pytest.approx([0.8, 0.8], abs=0.08)
    assert p[1, 1, 0] > 0.95 and p[2, 0, 1] > 0.95


def test_a_base_is_built_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    data = torch.tensor([[0, 1, 2], [2, 1, 0]])
    before = torch.get_rng_state()
    first = strings_base(data, 3, iterations=2, width=8, layers=1)
    assert len(list(tmp_path.iterdir())) == 1
    again = strings_base(data, 3, iterations=2, width=8, layers=1)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert len(list(tmp_path.iterdir())) == 1
    strings_base(data, 3, iterations=3, width=8, layers=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_come_from_the_seed():
    one, same, other = (TokenDenoiser(3, 2, width=8, layers=1, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.values(), same.values(), strict=True))
    assert not torch.equal(one["leave.weight"], other["leave.weight"])
    tokens, label = torch.tensor([[0, 1, 2]]), torch.zeros(1, dtype=torch.long)
    assert TokenCritic(3, 2)(tokens, torch.ones(1), label).tolist() == [0]
