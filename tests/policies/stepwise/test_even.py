"""A Gaussian with one deviation a row against the one with a deviation in every place."""

import torch

from rlft.policies.stepwise.even import Even
from rlft.policies.stepwise.stepwise import Gaussian


def both(seed, scale=0.25):
    draws = torch.Generator().manual_seed(seed)
    mean = torch.randn(3, 2, 4, dtype=torch.float64, generator=draws).requires_grad_()
    s = torch.tensor([0.3, 0.0, 1.7], dtype=torch.float64)
    return Even(mean, s, scale), Gaussian(mean, s[:, None, None].expand(3, 2, 4), scale), mean


def test_it_is_the_gaussian_with_the_same_noise_everywhere():
    (even, plain, mean), (other, theirs, _) = both(0), both(1)
    x = torch.randn(3, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    keys = torch.tensor([5, 6, 7])
    assert even.stochastic.tolist() == plain.stochastic.tolist() == [True, False, True]
    assert torch.equal(even.draw(even.noise(keys, 3)), plain.draw(plain.noise(keys, 3)))
    for one, two in ((even.log_prob(x), plain.log_prob(x)), (even.kl(other), plain.kl(theirs))):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)
        assert float(one[1].detach()) == 0 and float(one[0].detach()) != 0
    gradients = [torch.autograd.grad(g.log_prob(x).sum(), mean)[0] for g in (even, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert not gradients[0][1].any()
    assert torch.equal(even[torch.tensor([2])].log_prob(x[2:]), even.log_prob(x)[2:])
