"""The exact KL between next-token distributions, by hand and against a plain forward."""

import pytest
import torch
from torch.testing import assert_close

from rlft.models.small_language import small_llama
from rlft.policies.language.tokens.distance import distances, entropies, reverse_kl
from rlft.policies.language.tokens.scoring import hidden_states


def test_by_hand():
    """p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2): KL = 1/2 ln 2 + 1/4 ln 1 - 1/4 ln 2, and its slopes are
    p_v (ln p_v/q_v - KL)."""
    logits = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64).log().requires_grad_()
    others = (torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64).log() + 3.0).requires_grad_()
    kl = reverse_kl(logits, others)
    assert_close(kl.item(), 0.17328679514, atol=1e-10, rtol=0)
    kl.sum().backward()
    slopes = [0.5 * (0.69314718056 - 0.17328679514), 0.25 * -0.17328679514, 0.25 * (-0.69314718056 - 0.17328679514)]
    assert_close(logits.grad, torch.tensor([slopes], dtype=torch.float64), atol=1e-10, rtol=0)
    assert others.grad is None
    same = reverse_kl(logits, logits.detach() - 1.0)
    assert_close(same.item(), 0.0, atol=1e-15, rtol=0)


@pytest.mark.parametrize("at_once", [1, 24, 10**6])
def test_of_two_models_a_piece_at_a_time(at_once):
    """Against whole logits and autograd; the other has two tokens more, which padding is."""
    model, other = (small_llama(vocab, 16, 2, 2, seed=seed).double() for vocab, seed in ((12, 0), (14, 1)))
    tokens = torch.tensor([[1, 5, 7, 3], [1, 9, 4, 6]])
    hidden = hidden_states(model, tokens).flatten(0, 1)
    found = distances(model, hidden, other, hidden_states(other, tokens).flatten(0, 1).detach(), at_once)
    p = model(tokens).logits.flatten(0, 1).softmax(-1)
    q = other(tokens).logits.flatten(0, 1)[:, :12].softmax(-1).detach()
    expected = (p * (p / q).log()).sum(-1)
    assert expected.min() > 1e-3
    assert_close(found, expected, atol=1e-12, rtol=0)
    weight = torch.arange(1.0, 9.0, dtype=torch.float64)
    mine = torch.autograd.grad((found * weight).sum(), list(model.parameters()))
    its = torch.autograd.grad((expected * weight).sum(), list(model.parameters()))
    for a, b in zip(mine, its, strict=True):
        assert_close(a, b, atol=1e-12, rtol=0)
    assert max(float(g.abs().max()) for g in mine) > 1e-3


def test_entropies():
    """Of even logits ln V, of a certain one 0, a piece at a time as at once."""
    model = small_llama(12, 16, 1, 2).double()
    hidden = torch.randn(5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logp = model.lm_head(hidden).log_softmax(-1)
    for at_once in (1, 24, 10**6):
        assert_close(entropies(model, hidden, at_once), -(logp.exp() * logp).sum(-1).detach(), atol=1e-12, rtol=0)
    assert_close(entropies(model, 0 * hidden, 24), torch.full((5,), 12, dtype=torch.float64).log(), atol=1e-12, rtol=0)
    with torch.no_grad():
        model.lm_head.weight.zero_()[3] = 1e4
    assert_close(entropies(model, torch.ones_like(hidden), 24), torch.zeros(5, dtype=torch.float64), atol=1e-12, rtol=0)
