"""The recipe of CORY: its language, what is deployed and measured, and that the arms draw alike."""

import math
from dataclasses import replace

import pytest
import torch

from rlft import recipes
from rlft.policies.composed.pair import Pair
from rlft.policies.language.policy import Language
from rlft.recipes.cory import ANSWER, BAD, CLAIM, GOOD, PLAIN, Reviews, answers, asked, goodness, review, second_line
from rlft.types import Problem


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))


def test_the_second_line_keeps_the_mood_and_repeats():
    def lines(keeps):
        pairs = []
        for draw in range(2000):
            problem = review(keeps, draw)
            first, rest = problem.answer.split("/")
            assert rest.startswith(problem.input) and len(first) == len(rest) - 3 == ANSWER
            pairs.append((first, rest[3:]))
        return pairs

    def share(text, letters):
        return sum(letter in letters for letter in text) / len(text)

    for keeps, same, linked in ((0.9, 0.53, True), (0.0, 0.13, False)):
        pairs = lines(keeps)
        repeated = sum(a == b for one, two in pairs for a, b in zip(one, two, strict=True)) / (2000 * ANSWER)
        assert repeated == pytest.approx(same, abs=0.04)
        first, second = (torch.tensor([share(line, GOOD) for line in side]) for side in zip(*pairs, strict=True))
        assert (float(torch.corrcoef(torch.stack([first, second]))[0, 1]) > 0.5) == linked
        assert float(first.mean()) == pytest.approx(0.3 * 0.45 + 0.7 * 0.1, abs=0.02)
    assert set(asked(5)) <= set(PLAIN) and not set(PLAIN) & set(GOOD + BAD)


def test_the_reward_is_the_root_of_the_share():
    found = goodness([Problem(0, "ijk")] * 3, ["aaaaaaaa", "abijefgh", "ijklijkl"])
    assert found.tolist() == pytest.approx([1.0, math.sqrt(2 / 8), 0.0])


def test_the_observer_is_asked_again():
    assert second_line(Problem(3, "ijk"), "abcdefgh").input == "ijkabcdefgh/ijk"


def test_questions_of_the_splits_have_noise_of_their_own():
    train, test = Reviews("train", 8), Reviews("test", 8)
    assert [train.at(i).input for i in range(8)] != [test.at(i).input for i in range(8)]
    with pytest.raises(IndexError):
        test.at(8)


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
