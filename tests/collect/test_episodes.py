"""What is remembered and what rows earn for it: numbers by hand, in both orders, with state."""

import io
from dataclasses import replace
from math import sqrt

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.episodes import (
    Episodes,
    Episodic,
    Remembered,
    Window,
    by_ngrams,
    by_states,
    by_texts,
    worded,
)
from rlft.types import Problem, Rollouts, UserError
from tests.collect.test_augment import Script

nan = float("nan")
# Directions of the plane, by a letter: east, north, west, and what lies a (3, 4) triangle above east.
PLANE = {"e": (1.0, 0.0), "n": (0.0, 1.0), "w": (-1.0, 0.0), "t": (0.6, 0.8)}


def vectors(letters):
    return torch.tensor([PLANE[letter] for letter in letters])


def embed(policy, rollouts):
    """Questions and outputs are letters; embedded longer than they are to be, each otherwise."""
    longer = 2 + torch.arange(len(rollouts))[:, None]
    return 3 * vectors(p.input for p in rollouts.problems), longer * vectors(rollouts.outputs)


class Written(Script):
    """Steps of rewards, questions by their letters, and two outputs for each."""

    def draw(self, count):
        (rewards, letters, outputs), *self.steps = self.steps
        self.steps.insert(0, (rewards, [Problem(place, letter) for place, letter in enumerate(letters)]))
        return replace(super().draw(count), outputs=list(outputs))


def memory(**told):
    return Episodic(embed, Remembered(**{"warmup": 0, **told}))


def earned(kept, source):
    return kept(source).rewards.tolist()


def test_the_nearest_questions_and_what_falls_out():
    kept = Episodes(questions=2, responses=2)
    assert kept.near(torch.tensor(PLANE["e"]), 1) is None
    for key, (question, response) in enumerate([("e", "e"), ("n", "n")]):
        kept.write(key, *vectors(question + response).unbind())
    assert kept.near(torch.tensor([2.0, 1.0]), 1).tolist() == [[1.0, 0.0]]
    assert len(kept.near(torch.tensor([2.0, 1.0]), 2)) == 2
    # The third response to the first question: the oldest of its falls out.
    kept.write(0, *vectors("ew").unbind())
    kept.write(0, *vectors("en").unbind())
    assert kept.near(torch.tensor([2.0, 1.0]), 1).tolist() == [[-1.0, 0.0], [0.0, 1.0]]
    # A third question: the first one falls out, though it was written to last.
    kept.write(2, *vectors("we").unbind())
    assert list(kept.held) == [1, 2]


def test_the_scale():
    scale = Window(3)
    assert scale.scaled(torch.tensor([4.0, 4.0])).tolist() == [0, 0]
    assert scale.scaled(torch.tensor([6.0, nan])).nan_to_num(-1).tolist() == [1, -1]
    # 4, 6 and this one are the last three.
    assert scale.scaled(torch.tensor([5.5])).tolist() == [0.75]
    # More than fit: their own least and largest.
    assert scale.scaled(torch.tensor([10.0, 20.0, 15.0, 12.0])).tolist() == pytest.approx([0, 1, 0.5, 0.2])
    assert list(scale.last) == [20, 15, 12]


def test_compared_first_by_hand():
    kept = memory(exploit=2.0, explore=10.0)
    first = Written(([1.0, 0.0, 0.0, nan], "en", "enwe"))
    # Nothing is remembered: every row has the same of both.
    assert earned(kept, first)[:3] == [1, 0, 0] and set(first.notes) >= {"memory/exploit", "memory/apart"}
    assert first.notes["memory/right"] == 1 and first.notes["memory/wrong"] == 2
    # Right of e is e alone, wrong of e is n, and of n it is w.
    again = Written(([0.0, 0.0, 1.0, 0.0], "en", "tenw"))
    # exploit: distances to e of t, e, n, w, on the scale of 0 (thrice, before) and these: sqrt .8, 0, sqrt 2, 2.
    exploit = [1 - sqrt(0.8) / 2, 1, 1 - sqrt(2) / 2, 0]
    # explore: 1 - .8 and 1 - 0 beside n, 1 - 0 and 1 - 1 beside w, on the scale of 1 (thrice, before) and these.
    explore = [0.2, 1, 1, 0]
    expected = [r + 2 * a + 10 * b for r, a, b in zip([0, 0, 1, 0], exploit, explore, strict=True)]
    assert earned(kept, again) == pytest.approx(expected)
    assert again.notes["memory/exploit"] == pytest.approx(sum(exploit) / 4)
    assert again.notes["memory/explore"] == pytest.approx(2.2 / 4)
    paid = [2 * a + 10 * b for a, b in zip(exploit, explore, strict=True)]
    assert again.notes["memory/apart"] == pytest.approx(paid[2] - (paid[0] + paid[1] + paid[3]) / 3)


def test_of_several_right_ones_the_mean_and_of_wrong_ones_the_nearest():
    kept = memory()
    kept(Written(([1.0, 1.0, 0.0, 0.0, nan, nan], "eee", "enwnww")))
    assert [len(scale.last) for scale in kept.scales.values()] == [4, 4]
    source = Written(([0.0, nan], "e", "tw"))
    kept(source)
    # To the mean of e and n, (.5, .5), from t; t is .8 like n and -.6 like w.
    assert kept.scales["exploit"].last[-1] == pytest.approx(-sqrt(0.1**2 + 0.3**2))
    assert kept.scales["explore"].last[-1] == pytest.approx(0.2)
    assert [len(scale.last) for scale in kept.scales.values()] == [5, 5]


def test_written_first_a_wrong_row_finds_itself():
    """Novelty is 0 of every wrong row, and above it of a right one: it says which are right."""
    kept = memory(order="write_first", exploit=0.0)
    assert earned(kept, Written(([1.0, 0.0, 0.0, 0.0], "en", "ewnt"))) == pytest.approx([2, 0, 0, 0], abs=1e-6)
    first = memory(exploit=0.0)
    assert earned(first, Written(([1.0, 0.0, 0.0, 0.0], "en", "ewnt"))) == [1, 0, 0, 0]


def test_until_it_is_warm_exploring_earns_nothing():
    kept = memory(exploit=0.0, warmup=3)
    kept(Written(([0.0, 0.0], "e", "en")))
    source = Written(([0.0, 0.0], "e", "en"))
    source.steps_done = 2
    assert earned(kept, source) == [0, 0] and not kept.scales["explore"].last
    source = Written(([0.0, 0.0], "e", "tw"))
    source.steps_done = 3
    assert earned(kept, source) == pytest.approx([0, 1])  # t is .8 like n, and w at most 0 like anything


def test_by_chance_the_same_is_given_to_others():
    steps = ([1.0, 0.0, 0.0, nan], "en", "enwe"), ([0.0, nan, 1.0, 0.0], "en", "tenw")
    own, lots = memory(), memory(given="chance")
    for kept in (own, lots):
        kept(Written(steps[0]))
    one, other = (earned(kept, Written(steps[1])) for kept in (own, lots))
    paid, drawn = ([a - b for a, b in zip(r, steps[1][0], strict=True)] for r in (one, other))
    assert drawn[1] != drawn[1] and paid[1] != paid[1]
    assert sorted(drawn[:1] + drawn[2:]) == pytest.approx(sorted(paid[:1] + paid[2:]))
    assert drawn[0] != pytest.approx(paid[0])


def test_it_goes_on_from_its_state():
    steps = [([1.0, 0.0, 0.0, nan], "en", "enwe"), ([0.0, 0.0, 1.0, 0.0], "en", "tenw"), ([0.0] * 4, "ne", "wten")]
    straight, resumed = memory(responses=2), memory(responses=2)
    for step in steps[:2]:
        straight(Written(step))
    file = io.BytesIO()
    torch.save(straight.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert earned(straight, Written(steps[2])) == earned(resumed, Written(steps[2]))
    assert_close(straight.state_dict(), resumed.state_dict(), rtol=0, atol=0)
    assert all(len(kept) <= 2 for _, kept in resumed.wrong.held.values())


def test_what_is_refused():
    for wrong in ({"nearest": 0}, {"window": 0}, {"responses": 0}, {"questions": 0}, {"warmup": -1}):
        with pytest.raises(UserError):
            Remembered(**wrong)


def rows(inputs, outputs, mask):
    problems = tuple(Problem(place, said) for place, said in enumerate(inputs))
    mask = torch.tensor(mask)
    return Rollouts(problems, 1, outputs, {}, mask, torch.zeros(mask.shape))


def test_embedded_by_states():
    class Known:
        def states(self, rollouts):
            return torch.tensor([[[1.0, 2.0], [3.0, 6.0], [0, 0]], [[0, 0], [5.0, 7.0], [7.0, 9.0]]])

    asked, said = by_states(Known(), rows("ab", "cd", [[True, True, False], [False, True, True]]))
    assert asked.tolist() == [[1, 2], [5, 7]]
    assert said.tolist() == [[2, 4], [6, 8]]


def test_embedded_by_ngrams():
    messages = [{"role": "user", "content": "ab"}]
    asked, said = by_ngrams(None, rows([messages, "abab", 7], ["abab", "", "7"], [[True]] * 3))
    # a, b, ab of the first; a a b b ab ab ba, aba bab of the second, which is the first's answer.
    assert sorted(asked[0][asked[0] > 0].tolist()) == [1, 1, 1]
    assert sorted(asked[1][asked[1] > 0].tolist()) == [1, 1, 1, 2, 2, 2]
    assert said[0].equal(asked[1]) and said[2].equal(asked[2]) and not said[1].any()
    assert asked[0] @ asked[1] == 6


def test_embedded_as_texts_each_once():
    seen = []

    def encode(texts):
        seen.append(list(texts))
        return torch.tensor([[len(text), 1.0] for text in texts])

    asked, said = by_texts(encode)(None, rows(["a", "bb", "a"], ["bb", "ccc", "a"], [[True]] * 3))
    assert seen == [["a", "bb", "ccc"]]
    assert asked.tolist() == [[1, 1], [2, 1], [1, 1]] and said.tolist() == [[2, 1], [3, 1], [1, 1]]


def test_worded():
    assert worded([{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]) == "x\ny"
    assert worded([1, 2]) == "[1, 2]"
