"""The entropy bonus against the exact entropy of a categorical, by enumeration."""

import torch
from torch.testing import assert_close

from rlft.losses.entropy import negative_entropy


def test_value_and_gradient_are_the_entropys_also_off_policy():
    logits = torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64, requires_grad=True)
    logp = logits.log_softmax(-1)
    exact = (logp.exp() * logp).sum()
    slope = torch.autograd.grad(exact, logits, retain_graph=True)[0]
    for old in (logp.detach(), torch.tensor([0.2, 0.5, 0.3]).double().log()):
        loss = negative_entropy((logp - old).exp()[None], logp[None])[0]
        expected = (old.exp() * loss).sum()
        assert_close(expected, exact)
        assert_close(torch.autograd.grad(expected, logits, retain_graph=True)[0], slope)
    assert slope.abs().max() > 0.05
    assert exact < -0.5


def test_minimising_it_makes_a_bandit_uniform():
    logits = torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64)
    for _ in range(300):
        logits.requires_grad_()
        logp = logits.log_softmax(-1)
        loss = (logp.detach().exp() * negative_entropy((logp - logp.detach()).exp()[None], logp[None])[0]).sum()
        logits = (logits - torch.autograd.grad(loss, logits)[0]).detach()
    assert_close(logits.softmax(-1), torch.full((3,), 1 / 3, dtype=torch.float64), atol=1e-6, rtol=0)
