"""Sampled chains beside annotated ones: what is common, what is pooled, what is paid, and whose gradient it is."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity
from torch.testing import assert_close

from rlft.collect.contrast import Chains, Partial, common, contrasted, pooled
from rlft.losses.contrastive import Contrast
from rlft.methods.carft import carft
from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.policies.language.tokens.scoring import new_value_head
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError
from rlft.worlds.characters import blank
from tests.collect.test_hardest import trainer, weights


@pytest.mark.parametrize(
    ("one", "two", "places"),
    [
        ([1, 2, 3, 1, 4], [2, 5, 3, 5, 1, 6], ([1, 2, 3], [0, 2, 4])),
        ([1, 2], [1, 2], ([0, 1], [0, 1])),
        ([1, 2], [3], ([], [])),
        ([], [3], ([], [])),
        ([7, 7, 8], [8, 7], ([2], [0])),
    ],
)
def test_what_two_chains_have_in_common(one, two, places):
    assert common(one, two) == places


def test_the_longest_against_all_subsequences():
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        one, two = (torch.randint(3, (6,), generator=generator).tolist() for _ in range(2))
        subsets = [[x for i, x in enumerate(one) if mask >> i & 1] for mask in range(64)]

        def inside(part, of=two):
            rest = iter(of)
            return all(token in rest for token in part)

        first, second = common(one, two)
        assert len(first) == max(len(part) for part in subsets if inside(part))
        assert [one[i] for i in first] == [two[j] for j in second]
        assert first == sorted(set(first)) and second == sorted(set(second))


def test_pooled():
    """A token's state is that of the place after it; the last has none."""
    weight = torch.tensor([9.0, 1.0, 3.0, 4.0, 5.0])
    assert pooled(weight, {0, 1}, 4).tolist() == [0, 0.25, 0.75, 0, 0]
    assert pooled(weight, {1, 3}, 4).tolist() == [0, 0, 1, 0, 0]
    assert pooled(weight, {3}, 4).tolist() == [0] * 5


class Chained:
    """Two questions with an annotated chain and one without."""

    name, split, size = "chained", "train", 3

    def at(self, index):
        lesson = (None, "abcd", "bcbd")[index]
        return Problem(index, "q" + "ab"[index % 2], "d", demonstration=lesson, task=self.name)


def paid(problems, outputs):
    """1 to even rows, and to odd ones 0.1 or nothing in turns."""
    return [(1.0, 0.1, 1.0, 0.0)[row % 4] for row in range(len(outputs))]


@pytest.fixture(scope="module")
def policy():
    made = blank("abcdq", 7, width=16, layers=1, context=16).double()
    with torch.no_grad():
        made.causal.lm_head.weight.mul_(3)
    return made


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


class Unanswered(Chained):
    def at(self, index):
        problem = super().at(index)
        return problem if index else replace(problem, answer=None)


def by_hand(policy, rows, contrast):
    """The loss of the whole batch from the definition, with gradient in the sampled chains' states."""
    states = policy.states(rows)
    parts = {name: [] for name in Chains._fields}
    for row, problem in enumerate(rows.problems):
        mine = list(rows.outputs[row].tokens)
        shown = policy.demonstrate([problem], 0)
        its = list(shown.outputs[0].tokens)
        first, second = common(mine, its)
        with torch.no_grad():
            of_lesson = policy.states(shown)[0]

        def mean(of, tokens, places):
            here = [of[place + 1] for place in places if place + 1 < len(tokens)]
            return torch.stack(here).mean(0) if here else torch.zeros(16, dtype=torch.float64)

        parts["whole"].append(mean(states[row], mine, range(len(mine))))
        parts["common"].append(mean(states[row], mine, first))
        parts["wrong"].append(mean(states[row], mine, [i for i in range(len(mine)) if i not in first]))
        parts["annotated"].append(mean(of_lesson, its, range(len(its))))
        parts["missing"].append(mean(of_lesson, its, [i for i in range(len(its)) if i not in second]))
    some = {name: torch.stack(rows) for name, rows in parts.items() if rows}
    there = {name: rows.any(1) for name, rows in some.items()}
    known = there["whole"] & there["annotated"]
    apart = there["common"] & there["wrong"] & there["missing"]
    return contrast(Chains(**some, right=rows.rewards >= 1, known=known, apart=apart)), apart


class Taught(Chained):
    """Those with a chain, twice."""

    size = 4

    def at(self, index):
        return replace(super().at(1 + index % 2), index=index)


@pytest.mark.parametrize("style", ["ppo", "grpo"])
@pytest.mark.parametrize("signal", ["both", "right", "wrong"])
def test_the_gradient_is_that_of_the_whole_batch(policy, signal, style):
    """One step of plain gradient descent, in passes of three rows, against that of the definition."""
    settings = {"beta": 0.0, "epochs": 1}
    told = {**settings, "dropped": 0.0, "partial": 0.0, "weight": 0.7, "signal": signal, "style": style}
    mixed, plain = (
        Trainer(
            with_critic(policy),
            method,
            Taught(),
            paid,
            prompts=4,
            group=4,
            lr=0.05,
            seed=2,
            rows=rows,
            max_grad_norm=1e9,
            optimizer=sgd,
        )
        for method, rows in ((carft(**told), 3), ((ppo if style == "ppo" else grpo)(**settings), None))
    )
    plain.advance()
    total, apart = by_hand(policy, plain.pending, Contrast(signal))
    gradient = torch.autograd.grad(total, list(policy.model.parameters()), allow_unused=True)
    metrics = mixed.step()
    assert metrics["contrast"] == pytest.approx(float(total.detach()), abs=1e-9) and apart.any()
    while plain.advance() is None:
        pass
    for one, two, its in zip(mixed.policy.model.parameters(), plain.policy.model.parameters(), gradient, strict=True):
        moved = torch.zeros_like(one) if its is None else -0.05 * 0.7 * its
        assert_close(one - two, moved, atol=1e-10, rtol=1e-7)
    assert max(float(g.abs().max()) for g in gradient if g is not None) > 1e-3


def with_critic(policy):
    made = deepcopy(policy)
    made.value_head = new_value_head(made.causal)
    return made


def test_what_is_paid(policy):
    """0.2 + 0.1 cos to wrong rows of at least 0.1 whose question has a chain, and to no others."""
    reward = {}
    t = Trainer(policy, grpo(beta=0.0), Unanswered(), paid, prompts=3, group=4, seed=2)
    plain = t.draw(3)
    t = Trainer(policy, grpo(beta=0.0), Unanswered(), paid, prompts=3, group=4, seed=2)
    rows = contrasted(Contrast(), dropped=0.0, partial=Partial())(t)
    assert plain.problems == rows.problems
    for row, problem in enumerate(rows.problems):
        before, now = float(plain.rewards[row]), float(rows.rewards[row])
        if abs(before - 0.1) > 1e-6 or problem.lesson is None:
            assert now == before
            continue
        shown = policy.demonstrate([problem], 0)
        tokens, lesson = len(rows.outputs[row].tokens), len(shown.outputs[0].tokens)
        with torch.no_grad():
            one = policy.states(rows)[row, 1:tokens].mean(0)
            two = policy.states(shown)[0, 1:lesson].mean(0)
        similar = float(cosine_similarity(one, two, dim=0)) if tokens > 1 else 0.0
        assert now == pytest.approx(0.2 + 0.1 * similar, abs=1e-6)
        reward[row] = now
    assert len(reward) == 2 and not rows.column("toward")[:4][[p.index == 0 for p in rows.problems[:4]]].any()


def test_tokens_are_left_out(policy):
    """Of the annotated chain alone, other ones at each visit; the sampled chains' pools stay."""
    found = []
    for dropped in (0.0, 0.5):
        t = Trainer(policy, grpo(beta=0.0), Taught(), paid, prompts=4, group=2, seed=2)
        found.append(contrasted(Contrast(), dropped=dropped)(t))
    assert torch.equal(found[0].column("pools"), found[1].column("pools"))
    assert not torch.equal(found[0].column("toward"), found[1].column("toward"))
    with pytest.raises(UserError, match="dropped"):
        contrasted(Contrast(), dropped=1.0)


@pytest.mark.parametrize("style", ["ppo", "grpo"])
def test_without_weight_and_pay_it_is_the_method_itself_draw_for_draw(style):
    told = {"beta": 0.1, "epochs": 2}
    plain, both = (
        trainer((ppo if style == "ppo" else grpo)(**told)),
        trainer(carft(weight=0.0, partial=0.0, style=style, **told)),
    )
    for _ in range(3):
        plain.step(), both.step()
        assert torch.equal(weights(plain), weights(both))
