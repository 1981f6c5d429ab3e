"""CycleAlign's loss: what teaches, what does not, and what it degenerates into."""

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.agreed import Agreed
from rlft.collect.sources import one_batch
from rlft.methods.cyclealign import cyclealign
from rlft.training.trainer import Trainer
from tests.fakes import Cards, Table, gradients, share

ONE_WAY = {"teaches": "judge", "shown": "none"}


def worth(problems, outputs):
    """Of the problem's decisions, and a little for their sum, so that few rows are tied."""
    return [part + 0.01 * sum(row) for part, row in zip(share(problems, outputs), outputs, strict=True)]


def trainer(method, reward=worth, **settings):
    told = {"prompts": 4, "group": 6, "lr": 0.05, "seed": 3, "max_grad_norm": 1e9, **settings}
    return Trainer(Table(), method, Cards(), reward, **told)


def first_gradient(method, **settings):
    t = trainer(method, **settings)
    held = gradients(t.policy.logits)
    t.step()
    return held[0]


def test_an_agreed_order_gives_rrhf_nothing_to_do_at_first():
    """Its pairs are in the policy's own order: the gradient is that of imitation, whatever the weight."""
    heavy, none = (first_gradient(cyclealign(weight=weight, least=2)) for weight in (100.0, 0.0))
    assert heavy.abs().max() > 1e-3
    assert_close(heavy, none, atol=1e-12, rtol=0)
    assert trainer(cyclealign()).step()["violated"] == 0


def test_elsewhere_it_has():
    one_way = [first_gradient(cyclealign(weight=weight, **ONE_WAY)) for weight in (1.0, 0.0)]
    assert (one_way[0] - one_way[1]).abs().max() > 0.01
    assert trainer(cyclealign(**ONE_WAY)).step()["violated"] > 0
    pro = [first_gradient(cyclealign(form="pro", weight=weight, least=2)) for weight in (1.0, 0.0)]
    assert (pro[0] - pro[1]).abs().max() > 0.01


def test_one_way_remembers_nothing():
    assert cyclealign(**ONE_WAY).collect is one_batch
    assert isinstance(cyclealign().collect, Agreed) and isinstance(cyclealign(shown="none").collect, Agreed)


def test_imitation_of_the_best_alone():
    """weight=0: minus the mean over problems of the best row's mean log-likelihood."""
    t = trainer(cyclealign(weight=0.0, **ONE_WAY))
    t.advance()
    rows = t.pending
    assert rows is not None
    best = rows.rewards.reshape(4, 6).argmax(1) + 6 * torch.arange(4)
    means = rows.logp_old.sum(1) / rows.mask.sum(1)
    expected = -means[best].mean()
    metrics = t.advance()
    assert metrics is not None and metrics["loss"] == pytest.approx(float(expected), abs=1e-12)


def test_rows_that_are_all_tied_teach_nothing():
    t = trainer(cyclealign(**ONE_WAY), lambda problems, outputs: [0.5] * len(problems))
    before = t.policy.logits.detach().clone()
    t.step()
    assert t.policy.logits.equal(before)


def test_by_hand():
    """One problem, three rows; the loss of the method on what is pending."""
    t = trainer(cyclealign(weight=2.0, imitation=3.0, **ONE_WAY), prompts=1, group=3)
    t.advance()
    rows = t.pending
    assert rows is not None
    (a, b, c), ranks = (rows.logp_old.sum(1) / rows.mask.sum(1)).tolist(), rows.rewards.tolist()
    scores = [a, b, c]
    pairs = [(i, j) for i in range(3) for j in range(3) if ranks[i] < ranks[j]]
    wrong = sum(max(0.0, scores[i] - scores[j]) for i, j in pairs)
    metrics = t.advance()
    expected = 2 * wrong - 3 * scores[ranks.index(max(ranks))]
    assert metrics is not None and metrics["loss"] == pytest.approx(expected, abs=1e-12)
    assert metrics["violated"] == pytest.approx(wrong, abs=1e-12) and wrong > 0
