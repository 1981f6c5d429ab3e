import torch
from torch import nn

from rlft.models.towers import even_out, taught_tower


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


def test_states_are_evened_out():
    """One direction is a thousand times the others, and far from 0; afterwards all are alike, and still in place."""
    torch.manual_seed(0)
    last, given = nn.Linear(4, 3), torch.randn(400, 4)
    with torch.no_grad():
        last.weight[0] *= 30
        last.bias[0] += 50
        before = last(given)
        even_out(last, before, least=1e-9)
        after = last(given)
    assert torch.allclose(after.mean(0), torch.zeros(3), atol=1e-3)
    assert torch.allclose(after.T @ after / 400, torch.eye(3), atol=0.02)
    # ZCA turns nothing that need not be turned: what was first is first.
    assert torch.corrcoef(torch.stack([before[:, 0], after[:, 0]]))[0, 1] > 0.7
