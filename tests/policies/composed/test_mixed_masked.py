"""Mixed denoisers of strings: exact where letters are independent, measurably not elsewhere; what is refused."""

import pytest
import torch
from torch.testing import assert_close

from rlft.models.token_denoiser import TokenDenoiser
from rlft.policies.composed.mixed import OutsideTopP, mixed
from rlft.policies.mix import emulated, guided
from rlft.policies.stepwise.masked import Masked
from rlft.policies.stepwise.reveal_rules import ancestral, in_random_order
from rlft.types import UserError
from tests.policies.stepwise.exact_strings import blanks, every, exact_policy, some_law

STRINGS = every(3, 2)


def law_of(policy):
    """The distribution of whole strings, by both orders of two letters: no estimate."""
    label = torch.zeros(1, dtype=torch.long)
    blank = torch.full((1, 2), 3)
    total = torch.zeros(len(STRINGS), dtype=torch.float64)
    for first in (0, 1):
        ahead = policy.denoiser(blank, label)[0, first].log_softmax(-1)
        for i, string in enumerate(STRINGS):
            begun = blank.clone()
            begun[0, first] = string[first]
            behind = policy.denoiser(begun, label)[0, 1 - first].log_softmax(-1)
            total[i] += 0.5 * (ahead[string[first]] + behind[string[1 - first]]).exp()
    return total


def tilt(law, rewards):
    return (law.log() + rewards).softmax(0)


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0, 2.5])
def test_independent_letters_land_on_the_optimum_at_beta_over_w(weight):
    letters = [some_law(3, seed) for seed in (0, 1)]
    law = letters[0][STRINGS[:, 0]] * letters[1][STRINGS[:, 1]]
    worth = [torch.tensor([0.0, 1.0, -0.5]).double(), torch.tensor([0.7, 0.0, 0.2]).double()]
    rewards = worth[0][STRINGS[:, 0]] + worth[1][STRINGS[:, 1]]
    beta = 0.6
    base, tuned = exact_policy(law=law), exact_policy(law=tilt(law, rewards / beta))
    found = law_of(mixed(guided(base, tuned, weight)))
    assert_close(found, tilt(law, weight * rewards / beta), atol=1e-12, rtol=0)
    assert (law_of(tuned) - law_of(base)).abs().max() > 0.1


def test_letters_that_depend_on_each_other_do_not():
    law = some_law(9, seed=2)
    rewards = torch.linspace(-1, 1, 9, dtype=torch.float64).square()
    base, tuned = exact_policy(law=law), exact_policy(law=tilt(law, 2 * rewards))
    off = [
        float((law_of(mixed(guided(base, tuned, weight))) - tilt(law, 2 * weight * rewards)).abs().max())
        for weight in (0.0, 1.0, 3.0)
    ]
    assert off[0] < 1e-12 and off[1] < 1e-12 and off[2] > 0.01


def trained(seed, **told):
    given = {"alphabet": "ABC", "length": 4, "steps": 2, "rule": in_random_order(), "block": 8}
    return Masked(TokenDenoiser(4, 3, width=16, layers=1, seed=seed), **{**given, **told}).double()


def test_emulation_by_the_same_small_model_is_the_large_model():
    large, small, rows = trained(0), trained(1), trained(0).sample(blanks(3), 2, seed=0)
    assert_close(mixed(emulated(large, small, small)).log_prob(rows), large.log_prob(rows), atol=1e-12, rtol=0)
    other = mixed(emulated(large, trained(2), small)).log_prob(rows)
    assert (other - large.log_prob(rows)).abs().max() > 0.05


def test_it_samples_as_it_scores_and_keeps_the_settings_of_the_first():
    policy = mixed(emulated(trained(0), trained(1, rule=ancestral(), steps=3), trained(2), 0.7))
    assert (policy.steps, policy.rule) == (3, ancestral())  # of the first with a weight: the tuned one
    rows = policy.sample(blanks(4), 3, seed=1)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="of different alphabet do not add: ABD and ABC"):
        mixed(guided(trained(0), trained(1, alphabet="ABD"), 0.5))
    with pytest.raises(UserError, match="no rule for masked strings"):
        mixed(guided(trained(0), trained(1), 0.5), alone=OutsideTopP(0.9))
