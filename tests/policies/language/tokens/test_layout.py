"""Rows of tokens without padding: by hand, and their gradients."""

import torch
from torch.testing import assert_close

from rlft.policies.language.tokens.layout import Layout, Ragged, runs


def test_runs_by_hand():
    """A prompt that ends in token 0 is not the shorter one that is padded with it; equal ones apart are two."""
    prompt = torch.tensor([[3, 4, 0], [3, 4, 0], [3, 4, 0], [5, 0, 0], [3, 4, 0]])
    assert runs(prompt, torch.tensor([2, 2, 3, 1, 3])).tolist() == [0, 0, 1, 2, 3]
    assert runs(prompt[:1], torch.tensor([2])).tolist() == [0]
    assert runs(prompt[:0], torch.tensor([], dtype=torch.long)).tolist() == []


def test_ragged_by_hand():
    ragged = Ragged(torch.tensor([[True, True, False], [False, False, False], [True, True, True]]))
    flat = torch.arange(1.0, 6.0)[:, None].requires_grad_()
    padded = ragged.spread(flat)
    assert padded[..., 0][torch.tensor([0, 0, 2, 2, 2]), torch.tensor([0, 1, 0, 1, 2])].tolist() == [1, 2, 3, 4, 5]
    assert_close(ragged.pack(padded), flat)
    weight = torch.arange(9.0).view(3, 3, 1)
    (padded * weight).sum().backward()
    assert flat.grad[:, 0].tolist() == [0, 1, 6, 7, 8]  # nothing comes from the gaps
    padded = padded.detach().requires_grad_()
    (ragged.pack(padded) * torch.arange(1.0, 6.0)[:, None]).sum().backward()
    assert padded.grad[..., 0].tolist() == [[1, 2, 0], [0, 0, 0], [3, 4, 5]]


def test_layout_by_hand():
    """Two prompts of 2 and 1 tokens, three completions of which 1, 0 and 2 tokens are read."""
    layout = Layout(
        torch.tensor([[11, 12], [21, 0]]),
        torch.tensor([2, 1]),
        torch.tensor([[31, 32, 33], [41, 42, 43], [51, 52, 53]]),
        torch.tensor([0, 0, 1]),
        torch.tensor([1, 0, 2]),
    )
    assert layout.tokens.tolist() == [11, 12, 21, 31, 51, 52]
    assert layout.position.tolist() == [0, 1, 0, 2, 1, 2]
    assert layout.before(torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 1, 0, 0, 1, 2])).tolist() == [
        1,
        3,
        1,
        2,
        4,
        5,
    ]
    assert not layout.even
    assert layout.seen is not None
    assert layout.seen[:, 0].int().tolist() == [
        [[1, 1, 1, 0], [1, 1, 1, 1]],
        [[1, 1, 1, 0], [1, 1, 1, 1]],
        [[1, 0, 1, 0], [1, 0, 1, 1]],
    ]
