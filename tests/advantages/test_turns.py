"""Credit of rows that sum up: exact numbers over rows and over segments, and who is left out."""

import math

import torch
from torch.testing import assert_close

from rlft.advantages import per_group, zscore
from rlft.advantages.turns import per_segment, segments, without_summaries, without_unfinished
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts


def rollouts(summary, rewards, group, **columns):
    """Rows of five decisions, of which these are a summary's."""
    summary = torch.tensor(summary, dtype=torch.bool).reshape(-1, 5)
    problems = tuple(Problem(i // group, "") for i in range(len(rewards)))
    made = Rollouts(problems, group, [""] * len(rewards), {}, torch.ones_like(summary), torch.zeros(summary.shape))
    return made.fill(rewards=torch.tensor(rewards), summary=summary, **columns)


def population(rewards):
    return zscore(rewards, correction=0)


TWICE, ONCE = [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]  # two summaries, none


def test_a_row_counts_once_or_as_often_as_it_has_segments():
    """Rewards 1 and 0 of rows with one and three segments: means 1/2 and 1/4, deviations 1/2 and √3/4."""
    rows = rollouts([ONCE, TWICE], [1.0, 0.0], group=2)
    assert segments(rows).tolist() == [1, 3]
    assert_close(per_group(population)(rows, Local()), torch.tensor([1.0, -1.0]))
    assert_close(per_segment(population)(rows, Local()), torch.tensor([math.sqrt(3), -1 / math.sqrt(3)]))


def test_groups_are_apart():
    rows = rollouts([TWICE, ONCE, ONCE, ONCE, TWICE, ONCE], [3.0, 1.0, 0.0, 2.0, 5.0, 2.0], group=3)
    found = per_segment(population)(rows, Local())
    for g, counts in ((0, [3, 1, 1]), (1, [1, 3, 1])):
        rewards = rows.rewards[3 * g : 3 * g + 3]
        every = torch.cat([r.repeat(n) for r, n in zip(rewards, counts, strict=True)])
        assert_close(found[3 * g : 3 * g + 3], (rewards - every.mean()) / every.std(correction=0))
    alike = rollouts([ONCE] * 4, [1.0, 4.0, 2.0, 2.0], group=2)
    assert_close(per_segment(zscore)(alike, Local()), per_group(zscore)(alike, Local()))
    assert len(per_segment(zscore)(alike[:0], Local())) == 0  # a process may have no rows


def test_summaries_are_left_out():
    rows = rollouts([TWICE, ONCE], [1.0, 0.0], group=2)
    found = without_summaries(per_group(population))(rows, Local())["advantages"]
    assert found.isnan().long().tolist() == [TWICE, ONCE]
    assert_close(found[~found.isnan()].unique(), torch.tensor([-1.0, 1.0]))


def test_unfinished_rows_are_left_out_and_counted():
    rows = rollouts([ONCE] * 3, [0.0, 1.0, 5.0], group=3, unfinished=torch.tensor([True, False, False]))
    found = without_unfinished(per_group(population))(rows, Local())["advantages"]
    assert found.isnan().all(1).tolist() == found.isnan().any(1).tolist() == [True, False, False]
    assert_close(found[1:, 0], population(rows.rewards[None])[0, 1:])


def test_rows_without_these_columns_are_judged_as_they_are():
    rows = rollouts([TWICE, ONCE], [1.0, 0.0], group=2)
    bare = Rollouts(rows.problems, 2, rows.outputs, {}, rows.mask, rows.logp_old, {"rewards": rows.rewards})
    credit = without_unfinished(without_summaries(per_segment(population)))
    assert torch.equal(credit(bare, Local()), per_group(population)(bare, Local()))
    assert segments(bare).tolist() == [1, 1]
