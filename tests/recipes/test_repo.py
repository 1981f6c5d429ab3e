"""The recipe repo: what its arms are, the change after training, and pictures of a user's own world."""

import gymnasium
import numpy as np
import pytest
import torch

from rlft import recipes
from rlft.methods.dreamer import dreamer
from rlft.methods.repo import repo as repo_method
from rlft.recipes.repo import CLAIM, after_a_change, phases, repo
from rlft.tool.again import arguments_of
from rlft.types import UserError


def built(arm, **more):
    own = CLAIM.arms[arm].arguments
    return repo(**{**CLAIM.smoke, **own, **more})


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))


def test_arms_of_a_seed_begin_alike():
    runs = {arm: built(arm) for arm in ("repo", "dreamer", "unbound", "repo-clean")}
    first = {arm: torch.cat([p.flatten() for p in run.trainer.policy.parameters()]) for arm, run in runs.items()}
    assert all(torch.equal(first[arm], first["repo"]) for arm in first)
    assert runs["repo-clean"].trainer.environment.amplitude == 0


def test_a_bound_takes_the_place_of_the_methods_own():
    assert phases(repo_method(), 2.0)[0].method.settings["eps"] == 2.0
    assert phases(dreamer(), 2.0)[0].method.settings["beta"] == 2.0
    assert phases(repo_method(eps=4.0))[0].method.settings["eps"] == 4.0


def test_after_the_change_it_is_the_policy_that_was_trained():
    run = built("align")
    straight = built("repo")
    list(straight.trainer.run(straight.steps))
    trained = straight.trainer.policy.state_dict()
    for name, value in run.trainer.policy.state_dict().items():
        assert torch.equal(value, trained[name]), name
    assert not torch.equal(run.trainer.environment.rotation, straight.trainer.environment.rotation)
    assert run.trainer.method.name == "repo_align" and run.steps == straight.steps
    assert run.trainer.method.settings["beta"] == pytest.approx(float(straight.trainer.agent.weight("beta")))
    outputs = straight.deploy.sample([straight.held_out.at(i) for i in range(straight.problems)], 1, 0).outputs
    score = straight.measures[0]([], outputs)["score"]
    assert run.measures[-1]([], [])["unchanged"] == pytest.approx(score, abs=1e-5)


def test_what_was_lost_and_what_came_back_by_hand():
    lines = [{"score": 0.1}, {"score": 0.7, "unchanged": 0.9}]
    found = after_a_change([], lines)
    assert found["lost"] == pytest.approx(0.8) and found["recovered"] == pytest.approx(0.2)
    assert after_a_change([], [{"score": 0.1}]) == {}


class Seen(gymnasium.Env):
    """A dot that one pushes, as a picture of 6 x 5 grey pixels."""

    observation_space = gymnasium.spaces.Box(0, 255, (6, 5), np.uint8)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(6))
        return self.drawn(), {}

    def step(self, action):
        self.at = int(np.clip(self.at + round(float(action[0])), 0, 5))
        return self.drawn(), float(-abs(self.at - 3)), False, False, {}

    def drawn(self):
        picture = np.zeros((6, 5), np.uint8)
        picture[self.at] = 200
        return picture


def test_pictures_are_seen_and_stored_as_bytes():
    gymnasium.register("Seen-v0", entry_point=Seen, max_episode_steps=6)
    words = ["--env", "Seen-v0", "--width", "8", "--steps", "1", "--interval", "12", "--batch", "4", "--warmup", "6"]
    words += ["--anything", "6", "--problems", "2", "--updates", "0.5"]
    try:
        recipe, rest = recipes.of_a_method("repo", words)
        run = recipes.named(recipe)(**arguments_of(recipe, rest, "rlft run"))
        metrics = run.trainer.step()
        assert run.trainer.buffer.columns["observation"].dtype == torch.uint8
        assert run.trainer.policy.model.scale == 255 and metrics["kl/latent"] > 0
        recipe, rest = recipes.of_a_method("sac", words)
        with pytest.raises(UserError, match="shows pictures"):
            recipes.named(recipe)(**arguments_of(recipe, rest, "rlft run"))
    finally:
        gymnasium.registry.pop("Seen-v0")
