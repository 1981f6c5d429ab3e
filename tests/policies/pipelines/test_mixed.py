"""Networks of one pipeline whose predictions are added: by hand, at the ends, where one speaks alone, and refused."""

import copy

import pytest
import torch
from torch.testing import assert_close

from rlft.policies.composed.mixed import Early, OutsideTopP, mixed
from rlft.policies.mix import guided
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.load import load
from rlft.types import Problem, UserError
from tests import pipelines

PROBLEMS = [Problem(0, "a red cat", task="prompt", split="sample"), Problem(1, "a dog", task="prompt", split="sample")]
DRAWING = Drawing(denoising_steps=4, guidance=3.0, height=16, width=16, block=3)


@pytest.fixture(scope="module", params=["StableDiffusion", "StableDiffusion3"])
def two(request):
    """A pipeline, and one whose network is a little further on."""
    base = load(pipelines.folder(request.param), DRAWING)
    tuned = base._like(copy.deepcopy(base.core), base.window)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in tuned.core.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return base, tuned


def test_what_it_says_is_the_sum(two):
    """Of predictions that are guided already, at every step of its own rows; scored as drawn."""
    base, tuned = two
    policy = mixed(guided(base, tuned, 1.6))
    rows = policy.sample(PROBLEMS, 2, seed=3)
    for k in range(4):
        told = (rows.trace["states"][:, k], torch.full((4,), k), rows.trace["condition"])
        by_hand = 1.6 * tuned.says(*told) - 0.6 * base.says(*told)
        assert_close(policy.says(*told), by_hand, atol=1e-5, rtol=1e-5)
        assert (by_hand - tuned.says(*told)).abs().max() > 1e-2
    assert torch.equal(policy.log_prob(rows).detach(), rows.logp_old)
    assert not any(weight.requires_grad for weight in policy.parameters())


def test_the_ends_are_the_members(two):
    base, tuned = two
    all_of_it = mixed(guided(base, tuned, 1.0), like=base).sample(PROBLEMS, 1, 0)
    assert torch.equal(all_of_it.outputs, tuned.sample(PROBLEMS, 1, 0).outputs)
    drawn = {u: mixed(guided(base, tuned, 1.6), alone=Early(u)).deployed().sample(PROBLEMS, 1, 0) for u in (0.0, 1.0)}
    plain = mixed(guided(base, tuned, 1.6)).deployed().sample(PROBLEMS, 1, 0)
    assert torch.equal(drawn[1.0].outputs, plain.outputs)
    assert torch.equal(drawn[0.0].outputs, tuned.deployed().sample(PROBLEMS, 1, 0).outputs)
    assert not plain.mask.any()


def test_where_one_speaks_alone_the_others_are_not_asked(two):
    base, tuned = two
    policy = mixed([(base, -0.6), (tuned, 1.6)], alone=Early(0.6))
    asked = []
    policy.others[0].register_forward_hook(lambda *_: asked.append(1))
    rows = policy.deployed().sample(PROBLEMS, 1, 0)
    shares = [float(sigma / (alpha + sigma)) for alpha, sigma in map(base.levels, range(4))]
    early = sum(share > 0.6 for share in shares)
    assert 0 < early < 4 and shares == sorted(shares, reverse=True)
    alone = base.deployed().sample(PROBLEMS, 1, 0).trace["states"]
    assert torch.equal(rows.trace["states"][:, : early + 1], alone[:, : early + 1])
    assert not torch.equal(rows.trace["states"][:, early + 1], alone[:, early + 1])
    assert len(asked) == 4 - early


def test_what_is_refused(two, tmp_path):
    base, tuned = two
    with pytest.raises(UserError, match="add up to 1"):
        mixed([(base, 1.0), (tuned, 1.0)])
    with pytest.raises(UserError, match="rule for tokens"):
        mixed(guided(base, tuned, 2.0), alone=OutsideTopP(0.5))
    with pytest.raises(UserError, match="not trained"):
        mixed(guided(base, tuned, 2.0), trained=[tuned])
    with pytest.raises(UserError, match="a mix of pipelines"):
        mixed(guided(base, tuned, 2.0)).save(tmp_path)
    other = load(pipelines.folder("StableDiffusion3"), Drawing(denoising_steps=5, height=16, width=16))
    with pytest.raises(UserError, match="different"):
        mixed([(base, 0.5), (other, 0.5)])
