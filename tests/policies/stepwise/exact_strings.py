"""A law over all strings of L letters, given whole: its denoiser, its values, its policy. All sums, no estimates."""

import itertools

import torch
from torch import nn

from rlft.policies.stepwise.masked import Masked
from rlft.policies.stepwise.reveal_rules import in_random_order
from rlft.types import Problem


class ExactDenoiser(nn.Module):
    """log p(letter | the letters that are not masked) under a joint law of all V^L strings."""

    def __init__(self, strings, law):
        super().__init__()
        self.register_buffer("strings", strings)
        self.register_buffer("law", law)

    def fits(self, tokens):
        letters = int(self.strings.max()) + 1
        shown = tokens[:, None] < letters
        return ((tokens[:, None] == self.strings) | ~shown).all(dim=2)

    def forward(self, tokens, label):
        letters = int(self.strings.max()) + 1
        weight = self.fits(tokens) * self.law
        one_hot = nn.functional.one_hot(self.strings, letters).to(weight)
        return (torch.einsum("ns,slv->nlv", weight, one_hot) / weight.sum(1)[:, None, None]).log()


def every(letters, length):
    return torch.tensor(list(itertools.product(range(letters), repeat=length)))


def some_law(count, seed=0, sharp=1.2):
    draws = torch.Generator().manual_seed(seed)
    return (sharp * torch.randn(count, generator=draws, dtype=torch.float64)).softmax(0)


def exact_policy(letters=3, length=2, steps=None, rule=None, law=None, block=512):
    strings = every(letters, length)
    denoiser = ExactDenoiser(strings, some_law(len(strings)) if law is None else law)
    return Masked(
        denoiser,
        alphabet="ABCDEFG"[:letters],
        length=length,
        steps=steps or length,
        rule=rule or in_random_order(),
        block=block,
    )


class ExactValue:
    """α·log E[exp(r/α) | x] of strings with masks, for rewards of all strings."""

    def __init__(self, policy, rewards, alpha):
        self.denoiser, self.rewards, self.alpha = policy.denoiser, rewards, alpha

    def of(self, tokens):
        weight = self.denoiser.fits(tokens) * self.denoiser.law
        return self.alpha * ((weight * (self.rewards / self.alpha).exp()).sum(1) / weight.sum(1)).log()

    def __call__(self, states):
        return self.of(states.x), None


def rewards_by(policy, rewards):
    """The rewards of strings, as a reward function."""
    table = dict(zip(map(str, policy.decode(policy.denoiser.strings)), rewards.tolist(), strict=True))
    return lambda problems, outputs: [table[str(output)] for output in outputs]


def blanks(count, first=3):
    return [Problem(index=first + i, input=None, task="blank") for i in range(count)]


def frequencies(policy, tokens):
    """How often each of all strings was drawn."""
    return torch.stack([(tokens == string).all(1).double().mean() for string in policy.denoiser.strings])


def apart(p, q):
    return float((p - q).abs().sum() / 2)
