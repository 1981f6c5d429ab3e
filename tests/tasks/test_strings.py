"""Strings from a Markov chain: exact likelihoods, disjoint splits, the same everywhere."""

import math

import pytest
import torch

from rlft.options.task import generator
from rlft.tasks.strings import ALPHABET, Strings, split_of, tokens_of
from rlft.types import Task, UserError


def test_the_likelihood_by_hand():
    # A first: 1/4.  A>C .6, C>G .6, G>G .1, G>A .2, A>T .1
    expected = math.log(0.25 * 0.6 * 0.6 * 0.1 * 0.2 * 0.1)
    assert Strings(length=6).log_prob(["ACGGAT", "TTTTTT"]).tolist() == pytest.approx(
        [expected, math.log(0.25 * 0.1**5)], abs=1e-12
    )


def test_likelihoods_add_up_to_one():
    every = ["".join(ALPHABET[i] for i in row) for row in torch.cartesian_prod(*[torch.arange(4)] * 4).tolist()]
    assert len(set(every)) == 256
    assert float(Strings(length=4).log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-12)


def test_answers_come_from_the_chain():
    task = Strings(length=12)
    strings = [task.at(i).answer for i in range(40)] + ["".join(ALPHABET[t] for t in row) for row in task.data(3000)]
    pairs = [string[i : i + 2] for string in strings for i in range(11)]
    for pair, chance in (("AC", 0.6), ("AA", 0.1), ("GT", 0.6), ("TG", 0.1), ("CT", 0.2)):
        share = pairs.count(pair) / sum(p[0] == pair[0] for p in pairs)
        assert share == pytest.approx(chance, abs=0.02)


def test_splits_share_no_string():
    train, test = Strings("train", length=6), Strings("test", length=6)
    ours, theirs = ({str(task.at(i).answer) for i in range(150)} for task in (train, test))
    assert len(ours) > 50 and len(theirs) > 50 and not ours & theirs
    assert {split_of(string) for string in theirs} == {"test"}


def test_problems_are_the_same_everywhere():
    task = Strings(length=8)
    assert isinstance(task, Task) and generator("strings") is Strings
    assert task.at(5) == Strings(length=8).at(5)
    assert torch.equal(task.data(7), tokens_of([task.at(i).answer for i in range(7)]))
    assert task.at(5).input is None and task.at(5).task == "strings"


def test_naturalness_is_a_measure():
    task = Strings(length=4)
    found = task.naturalness([], ["ACGT", "ACGT", "AAAA", "CGTA"])
    each = task.log_prob(["ACGT", "ACGT", "AAAA", "CGTA"])
    assert found == {"source/log_prob": pytest.approx(float(each.mean())), "distinct": 0.75}


def test_mistakes_are_explained():
    with pytest.raises(UserError, match="splits 'train' and 'test', not 'dev'"):
        Strings("dev")
    with pytest.raises(UserError, match="4 letters or more"):
        Strings(length=3)
    for wrong in (["ACGT", "ACG"], ["ACGX"]):
        with pytest.raises(UserError, match="is no string of 4 letters of ACGT"):
            tokens_of(wrong)
