import torch
from torch import nn

from rlft.models.towers import taught_tower


def test_a_tower_learns_what_is_in_each_patch():
    """Two patches of one number each: its sign, and whether it is large, which is not counted of negative ones."""
    torch.manual_seed(0)
    body, between = nn.Sequential(nn.Linear(1, 16), nn.Tanh()), nn.Linear(16, 8)
    before = [weight.detach().clone() for weight in body.parameters()]
    between.requires_grad_(False)

    def lesson(step):
        shown = torch.randn(64, 2, 1, generator=torch.Generator().manual_seed(step))
        sign = (shown[..., 0] > 0).long()
        large = torch.where(sign == 1, (shown[..., 0] > 0.7).long(), -100)
        return shown, torch.stack([sign, large], -1)

    losses = taught_tower(lambda shown: between(body(shown)), (body, between), lesson, (2, 2), steps=120, lr=1e-2)
    assert 1.2 < losses[0] < 1.8 and losses[-1] < 0.35
    assert any((a != b).any() for a, b in zip(before, body.parameters(), strict=True))
    assert all(weight.requires_grad for weight in body.parameters())
    assert not any(weight.requires_grad for weight in between.parameters())


def test_a_head_without_a_class_in_the_batch_teaches_nothing():
    body = nn.Linear(1, 4)

    def lesson(step):
        return torch.ones(2, 1, 1), torch.tensor([[[1, -100]], [[0, -100]]])

    losses = taught_tower(body, (body,), lesson, (2, 3), steps=2)
    assert all(0 < loss < 2 for loss in losses)
