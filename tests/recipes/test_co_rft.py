"""The recipe co_rft: what its arms share, and where the imitation ends."""

import pytest
import torch

from rlft.recipes.co_rft import CLAIM, co_rft, phases
from rlft.types import UserError

SMALL = {**CLAIM.smoke, "problems": 1}


def built(arm, seed=0, **more):
    return co_rft(**{**SMALL, **CLAIM.arms[arm].arguments, **more}, seed=seed)


def weights(run, part="policy"):
    return torch.cat([p.detach().flatten() for p in getattr(run.trainer.agent, part).parameters()])


def test_chunks_and_their_imitation_learn_the_same_until_the_imitation_ends():
    ours, plain = built("chunked"), built("bc")
    assert torch.equal(weights(ours), weights(plain)) and ours.steps == plain.steps == 2
    for run in (ours, plain):
        run.trainer.step()
    assert torch.equal(weights(ours), weights(plain)) and torch.equal(weights(ours, "q"), weights(plain, "q"))
    for run in (ours, plain):
        run.trainer.step()
    assert not torch.equal(weights(ours), weights(plain))
    assert ours.trainer.updated == plain.trainer.updated == 4 and not ours.trainer.buffer.added


def test_arms_of_a_seed_have_the_same_demonstrations():
    data = {arm: built(arm).trainer.offline.columns["action"] for arm in CLAIM.arms}
    for arm in ("bc", "single", "bc/single"):
        assert torch.equal(data[arm], data["chunked"])
    assert torch.equal(data["perfect/bc"], data["perfect/chunked"])
    assert data["perfect/bc"].shape != data["bc"].shape or not torch.equal(data["perfect/bc"], data["bc"])
    assert {built(arm).trainer.policy.chunk for arm in ("single", "bc/single")} == {1}


def test_how_long_it_imitates():
    method = CLAIM.arms["bc"].arguments["method"]
    assert [phase.steps for phase in phases(method)] == [1, None]
    assert [phase.steps for phase in phases(method, imitation=0)] == [None]
    for imitation, updates in ((5, 4), (-1, 4), (0, 0)):
        with pytest.raises(UserError, match="--imitation takes between 0 and all of --updates"):
            phases(method, imitation, updates)
