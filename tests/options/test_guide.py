"""`--guide`: what the words mean, what they are refused for, and run folders of recipes with their trained weights."""

import json
from pathlib import Path

import pytest
import torch

from rlft.guidance import Predicted, SparseToDense, svdd
from rlft.guidance.samplers import BestOf, Guided
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.guide import guided
from rlft.policies.language.policy import Language
from rlft.tool.again import trained
from rlft.tool.evaluate_run import evaluated
from rlft.tool.main import main
from rlft.types import Problem, UserError
from tests.policies.stepwise.toy_diffusion import problems, small

LITTLE = Path(__file__).parents[1] / "tool" / "little.py"


def ink(asked, images):
    return images.flatten(1).mean(1)


def test_no_words_are_the_policy_itself():
    policy = small()
    assert guided(policy, None) is policy


def test_words_and_their_numbers():
    policy = small()
    found = guided(policy, "svdd(alpha=1, candidates=3)", own=ink)
    assert isinstance(found, Guided)
    assert (found.alpha, found.candidates, found.particles, found.below) == (1.0, 3, 1, 0.0)
    assert found.value == Predicted(ink) and found.policy is policy
    found = guided(policy, "smc(alpha=0.5, particles=4, below=0.25)", own=ink)
    assert isinstance(found, Guided)
    assert (found.alpha, found.candidates, found.particles, found.below) == (0.5, 1, 4, 0.25)
    found = guided(policy, "svdd_r(alpha=0.5)", own=ink)
    assert isinstance(found, Guided) and (found.candidates, found.below) == (10, 1.0)
    found = guided(policy, "best_of(8)", own=ink)
    assert isinstance(found, BestOf) and (found.count, found.reward) == (8, ink)


def test_a_step_wise_policy_is_led_as_from_python():
    policy = small()
    said = guided(policy, "svdd(alpha=0.01, candidates=4)", own=ink).sample(problems(0, 1), 2, seed=3)
    written = svdd(policy, Predicted(ink), alpha=0.01, candidates=4).sample(problems(0, 1), 2, seed=3)
    assert torch.equal(said.outputs, written.outputs)
    assert not torch.equal(said.outputs, policy.sample(problems(0, 1), 2, seed=3).outputs)


def test_the_best_texts_by_rewards_of_these_names():
    tokenizer = character_tokenizer("abcdef .")
    policy = Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer, max_new_tokens=8)
    asked = [Problem(i, "ab", task="prompt") for i in range(6)]
    specs = ["regex(pattern='a')", "length(target=4, unit='characters')"]
    own = lambda problems, outputs: [0.0] * len(outputs)  # noqa: E731
    best = guided(policy, "best_of(12)", specs[:1], own).sample(asked, 2, seed=0).outputs
    plain = policy.sample(asked, 2, seed=0).outputs
    assert sum("a" in text for text in best) > sum("a" in text for text in plain)
    both = guided(policy, "best_of(12)", specs, own).sample(asked, 2, seed=0).outputs
    assert [str(text) for text in both] != [str(text) for text in best]
    with pytest.raises(UserError, match="Language predicts no sample on its way, so nothing can lead it: use best_of"):
        guided(policy, "svdd(alpha=0.1)", own=own)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("best(8)", "there is no 'best'; did you mean best_of"),
        ("svdd(0.1)", r"it is svdd\(alpha: float, candidates: int = 10\)"),
        ("svdd(candidates=4)", "missing a required argument: 'alpha'"),
        ("best_of", r"it is best_of\(count: int\)"),
        ("best_of(2.5)", "count=2.5 is not a whole number"),
        ("svdd(alpha='hot')", "alpha='hot' is not a number"),
        ("svdd(alpha=True)", "alpha=True is not a number"),
        ("best_of(8", "expected name"),
        ("best_of(0)", "draw at least one rollout"),
    ],
)
def test_other_words_are_explained(words, said):
    with pytest.raises(UserError, match=said):
        guided(small(), words, own=ink)


def test_without_a_reward_nothing_leads():
    with pytest.raises(UserError, match="--guide needs a reward to be led by"):
        guided(small(), "best_of(2)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("little") / "run"
    with pytest.raises(SystemExit) as stopped:
        main(["run", str(LITTLE), "--steps", "2", "--out", str(folder)])
    assert not stopped.value.code
    return folder


def test_a_run_folder_has_its_trained_weights(folder):
    after = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()][-1]
    assert after["when"] == "after"
    found = evaluated(folder)
    assert found["reward"] == after["reward"] and found["guide"] is None
    assert trained(folder).trainer.steps_done == 2


def test_a_run_folder_is_guided(folder):
    plain, best = evaluated(folder, samples=2), evaluated(folder, "best_of(5)", samples=2)
    assert best["reward"] > plain["reward"]
    assert (best["samples"], best["problems"], best["calls/reward"], best["guide"]) == (2, 4, 5, "best_of(5)")
    assert "calls" not in plain
    with pytest.raises(UserError, match="Control predicts no sample on its way"):
        evaluated(folder, "svdd(alpha=1.0)")


def test_looking_again_needs_no_reward():
    tokenizer = character_tokenizer("ab")
    policy = Language(small_llama(len(tokenizer), width=8, layers=1, heads=2), tokenizer)
    found = guided(policy, "sparse_to_dense(frames=8, most=64)")
    assert isinstance(found, SparseToDense) and (found.frames, found.most) == (8, 64)
    assert guided(policy, "sparse_to_dense").most == 128
    for words, specs, message in (
        ("sparse_to_dense(frames=8, most=4)", (), "first view of 8 frames, at most 4"),
        ("sparse_to_dense(frames=0.5)", (), "frames=0.5 is not a whole number"),
        ("sparse_to_dense", ("brightness",), "led by its own votes"),
        ("sparse_to_dance", (), "did you mean sparse_to_dense"),
    ):
        with pytest.raises(UserError, match=message):
            guided(policy, words, specs)
    with pytest.raises(UserError, match="a language model that is shown films"):
        guided(small(), "sparse_to_dense")
