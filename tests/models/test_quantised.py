"""Codes and scales by hand; bytes counted; no weight moves by more than half a step."""

import torch
from torch import nn
from torch.testing import assert_close

from rlft.models.quantised import Footprint, footprint, quantised, restored


def test_codes_by_hand():
    codes, scale = quantised(torch.tensor([[2.54, -1.0, 0.011], [0.0, 0.0, 0.0], [-0.127, 0.0634, 0.0636]]))
    assert_close(scale, torch.tensor([0.02, 1.0, 0.001]))
    assert codes.tolist() == [[127, -50, 1], [0, 0, 0], [-127, 63, 64]]
    assert_close(restored(codes, scale)[0], torch.tensor([2.54, -1.0, 0.02]))


def test_no_weight_moves_by_more_than_half_a_step():
    weight = torch.randn(7, 3, 5, generator=torch.Generator().manual_seed(0)) * torch.logspace(-6, 6, 7)[:, None, None]
    codes, scale = quantised(weight)
    apart = (weight - restored(codes, scale)).abs() / scale[:, None, None]
    assert 0.45 < apart.max() <= 0.5 + 1e-5 and codes.dtype == torch.int8 and codes.shape == weight.shape
    assert int(codes.abs().amax(-1).amax(-1).min()) == 127


def test_bytes():
    model = nn.Sequential(nn.Linear(10, 6), nn.LayerNorm(6), nn.Embedding(4, 10))
    model.append(nn.Linear(10, 4, bias=False))
    model[3].weight = model[2].weight  # tied: counted once
    found = footprint(model.to(torch.float64))
    assert (found.held, found.fp16) == (8 * 118, 2 * 118)  # 60 + 6, 12, 40
    assert found.int8 == 100 + 4 * (6 + 4) + 2 * (6 + 12)
    assert 0.4 < found.error <= 0.5 + 1e-5
    assert footprint(nn.LayerNorm(3)) == Footprint(24, 12, 12, 0.0)
