"""The recipe of CORY: what is deployed and measured, and that the arms draw alike."""

from dataclasses import replace

import pytest

from rlft import recipes
from rlft.policies.composed.pair import Pair
from rlft.policies.language.policy import Language
from rlft.recipes.cory import CLAIM, answers
from rlft.worlds.reviews import ANSWER


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))


@pytest.mark.slow
def test_arms_draw_alike_and_one_learner_is_deployed():
    spent = {}
    for name in ("ppo", "independent", "cory", "no_transfer"):
        arm = {**CLAIM.arms[name].arguments, **CLAIM.smoke, "seed": 1001}
        run = recipes.named("cory")(**arm)
        deployed = run.deploy or run.trainer.policy
        assert isinstance(deployed, Language)
        assert isinstance(run.trainer.policy, Pair) == (name != "ppo")
        before = run.probes[0](run.trainer.policy)
        assert before["kl"] == pytest.approx(0, abs=1e-4)
        assert before["excess"] >= 0 or before["excess"] == pytest.approx(0, abs=0.05)
        run.trainer.advance()
        assert run.trainer.pending.has("reward_at") == (name == "independent")
        spent[name] = answers([run.trainer.step()], [])
        after = run.probes[0](run.trainer.policy)
        assert after["kl"] != before["kl"]
        assert after["objective"] == pytest.approx(after["reward"] - 0.03 * after["kl"])
        assert ("observer/saves" in after) == (name != "ppo")
        for number in ("reward", "kl", "excess"):  # the pioneer of a pair draws what it would draw alone
            observer = after.get(f"observer/{number}", after[number])
            assert after[f"roles/{number}"] == pytest.approx((after[number] + observer) / 2, abs=1e-6)
        assert name == "ppo" or after["observer/kl"] != pytest.approx(after["kl"], abs=1e-6)
    assert {numbers["cost/answers"] for numbers in spent.values()} == {8.0}
    assert {name: n["cost/answers/learner"] for name, n in spent.items()} == dict.fromkeys(spent, 4.0) | {"ppo": 8.0}


def test_what_an_observer_was_asked():
    """Without transfer its prompt is the question; with it, the review so far."""
    for name, width in (("cory", 1 + 3 + ANSWER + 1 + 3), ("no_transfer", 4)):
        run = recipes.named("cory")(**{**CLAIM.arms[name].arguments, **CLAIM.smoke})
        pair = run.trainer.policy
        rows = pair.sample([replace(run.held_out.at(i)) for i in range(2)], 2, seed=1)
        lengths = pair.own(1, rows).trace["prompt_length"]
        assert int(lengths.max()) <= width
        assert (int(lengths.max()) > 4) == (name == "cory")
