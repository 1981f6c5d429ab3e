"""Entries behind a mask stay bit for bit under AdamW, also with masters; the others go where they would have gone."""

from __future__ import annotations

import pytest
import torch

from rlft.training.masked import only
from rlft.training.optimizing import Masters, adamw
from rlft.types import UserError


def trained(dtype, mask=None, steps=5):
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2, bias=False).to(dtype)
    start = layer.weight.detach().clone()
    if mask is not None:
        only(dict(layer.named_parameters()), {"weight": mask})
    masters = Masters([layer.weight])
    optimizer = adamw(masters.of([layer.weight]), lr=0.1)
    for step in range(steps):
        (layer(torch.full((4, 3), 1.0 + step, dtype=dtype)) - 7).square().mean().backward()
        masters.gather()
        optimizer.step()
        optimizer.zero_grad()
        masters.write()
    return start, layer.weight.detach()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_masked_stays(dtype):
    mask = torch.tensor([[True, False, True], [False, True, False]])
    start, weight = trained(dtype, mask)
    assert torch.equal(weight[~mask], start[~mask]) and (weight != start)[mask].all()
    whole = torch.ones_like(mask)
    assert torch.equal(trained(dtype, whole)[1], trained(dtype)[1])


def test_one_step_is_that_of_training_all():
    """The first step of AdamW is lr in the gradient's direction, in each entry by itself."""
    mask = torch.tensor([[True, False, True], [False, True, False]])
    start, weight = trained(torch.float32, mask, steps=1)
    assert torch.equal(weight[mask], trained(torch.float32, steps=1)[1][mask])
    assert torch.allclose((weight - start).abs()[mask], torch.tensor(0.1), atol=1e-5)


def test_masks_of_nothing():
    weights = dict(torch.nn.Linear(3, 2).named_parameters())
    with pytest.raises(UserError, match="no such weight"):
        only(weights, {"wieght": torch.ones(2, 3, dtype=torch.bool)})
    with pytest.raises(UserError, match=r"is \(3, 2\), the weight \(2, 3\)"):
        only(weights, {"weight": torch.ones(3, 2, dtype=torch.bool)})
