"""What two rankings agree on, what is demonstrated of it, and to what it degenerates."""

import io
import json
import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.agreed import DEMONSTRATIONS, Agreed, _of_all, longest_agreement
from rlft.collect.sources import one_batch
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts, UserError
from tests.fakes import Cards

nan = math.nan


def agreed(first, second):
    return longest_agreement(torch.tensor(first), torch.tensor(second)).nonzero()[:, 0].tolist()


def test_all_of_equal_orders_and_one_of_reversed_ones():
    assert agreed([4.0, 3.0, 2.0, 1.0], [0.9, 0.5, 0.2, -3.0]) == [0, 1, 2, 3]
    assert agreed([4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]) == [0]
    assert agreed([1.0], [1.0]) == [0]
    assert agreed([nan, nan], [1.0, 2.0]) == []


def test_by_hand():
    # best to worst 2 0 3 1 and 0 2 1 3: 2 and 1, or 2 and 3, 0 and 1, 0 and 3; the first by the first, and so on
    assert agreed([3.0, 1.0, 4.0, 2.0], [4.0, 2.0, 3.0, 1.0]) == [2, 3]
    # of rows that are tied in either there is one, and none of a row without a number
    assert agreed([3.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 2.0]) == [0, 2]
    assert agreed([3.0, nan, 2.0, 1.0], [4.0, 5.0, nan, 1.0]) == [0, 3]


def test_there_is_no_longer_one():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        one, two = (torch.randint(0, 6, (6,), generator=generator).double() for _ in range(2))
        rows = longest_agreement(one, two).nonzero()[:, 0].tolist()

        def chain(rows, one=one, two=two):
            return all((one[a] - one[b]) * (two[a] - two[b]) > 0 for a, b in combinations(rows, 2))

        assert chain(rows)
        assert not any(chain(more) for more in combinations(range(6), len(rows) + 1))


class Asked:
    """A source of two groups of three rows, whose outputs and rewards it was given; it remembers what it was shown."""

    def __init__(self, outputs, logp, rewards):
        self.outputs, self.logp, self.rewards = outputs, torch.tensor(logp), torch.tensor(rewards)
        self.prompts, self.group, self.seed, self.steps_done, self.policy, self.task = 2, 3, 0, 0, None, Cards()
        self.runtime, self.notes, self.seen = Local(), {}, []

    def take(self, count):
        return [Problem(place, f"q{place}", columns={"own": place}) for place in range(count)]

    def rows_of(self, problems):
        rows = tuple(problem for problem in problems for _ in range(3))
        mask = torch.ones(6, 1, dtype=torch.bool)
        return Rollouts(rows, 3, self.outputs, {}, mask, self.logp[:, None]).fill(position=torch.arange(6))

    def rewarded(self, rollouts):
        self.seen.append([problem.columns.get(DEMONSTRATIONS, []) for problem in rollouts.problems])
        assert [problem.columns["own"] for problem in rollouts.problems] == [0, 0, 0, 1, 1, 1]
        return rollouts.fill(rewards=self.rewards)

    def draw(self, count):
        return self.rewarded(self.rows_of(self.take(count)))

    def unused(self, *_):
        raise AssertionError("it draws anew, and nothing else")

    ask = judged = demonstrate = teach = resume = unused


def source(**other):
    """Of the first group a and c are agreed on, c before a; of the second all."""
    told = {"outputs": list("abcdef"), "logp": [-2.0, -1.0, -1.5, -1.0, -2.0, -3.0]}
    return Asked(**{**told, "rewards": [0.5, 0.0, 1.0, 1.0, 0.5, 0.0], **other})


def test_what_is_agreed_on_is_kept_and_shown_next():
    collect, first = Agreed(least=2), source()
    rows = collect(first)
    assert_close(rows.rewards, torch.tensor([0.5, nan, 1.0, 1.0, 0.5, 0.0]), equal_nan=True)
    assert first.seen == [[[]] * 6] and first.notes == {"ranked/shown": 0, "ranked/agreed": pytest.approx(5 / 6)}
    again = source(rewards=[nan] * 6)
    rows = collect(again)
    told = [{"prompt": "q0", "answers": ["c", "a"]}, {"prompt": "q1", "answers": ["d", "e", "f"]}]
    assert again.seen == [[told] * 6] and again.notes["ranked/shown"] == 2 and again.notes["ranked/agreed"] == 0
    assert all(DEMONSTRATIONS not in problem.columns for problem in rows.problems) and bool(rows.rewards.isnan().all())
    # nothing was ranked, so nothing is new
    assert list(collect.held) == told


def test_at_least_so_many_rows_and_the_newest():
    collect = Agreed(least=3, keep=1)
    collect(source())
    assert list(collect.held) == [{"prompt": "q1", "answers": ["d", "e", "f"]}]
    collect(source(outputs=list("uvwxyz")))
    assert list(collect.held) == [{"prompt": "q1", "answers": ["x", "y", "z"]}]


def test_the_judges_own_ranking_can_be_shown_but_no_ties():
    collect = Agreed(teaches="judge", shown="judge", least=2)
    rows = collect(source(rewards=[0.5, 0.5, 1.0, 0.75, 0.75, 0.0]))
    assert rows.rewards.tolist() == [0.5, 0.5, 1.0, 0.75, 0.75, 0.0]
    assert list(collect.held) == []
    collect(source())
    assert [one["answers"] for one in collect.held] == [["c", "a", "b"], ["d", "e", "f"]]


def test_the_judges_ranking_with_nothing_shown_is_one_batch():
    rows, plain = Agreed(teaches="judge", shown=None)(source()), one_batch(source())
    assert rows.rewards.equal(plain.rewards) and rows.problems == plain.problems and rows.outputs == plain.outputs


def test_it_goes_on_from_its_state():
    straight, resumed = Agreed(least=2), Agreed(least=2)
    straight(source())
    file = io.BytesIO()
    torch.save(straight.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    one, other = source(), source()
    assert_close(straight(one).rewards, resumed(other).rewards, equal_nan=True, rtol=0, atol=0)
    assert one.seen[0][0] and one.seen == other.seen and straight.state_dict() == resumed.state_dict()


def test_several_processes_remember_in_the_order_of_the_batch():
    """Each finds every other group; bytes are padded to the longest."""

    class Two(Local):
        def __init__(self, others):
            super().__init__()
            self.others = list(others)

        def gather(self, column):
            return torch.cat([column, self.others.pop(0)])

    mine, theirs = [(0, {"prompt": "é", "answers": ["b", "a"]})], [(3, {"prompt": "q", "answers": ["c" * 9, "d"]})]
    data = json.dumps(theirs).encode()
    padded = torch.frombuffer(bytearray(data), dtype=torch.uint8)[None]
    assert len(data) > len(json.dumps(mine).encode())
    assert _of_all(mine, Two([torch.tensor([len(data)]), padded])) == [*mine, *theirs]


def test_what_is_refused():
    for wrong in ({"keep": 0}, {"least": 1}):
        with pytest.raises(UserError, match="keep counts demonstrations"):
            Agreed(**wrong)


def test_rows_share_a_groups_problem():
    """Made once for each group, not for each row."""
    collect = Agreed(least=2)
    collect(source())
    asked = collect._asked(source().rows_of(source().take(2)))
    assert len({id(problem) for problem in asked.problems}) == 2
    assert asked.problems[0] == replace(source().take(1)[0], columns={"own": 0, DEMONSTRATIONS: list(collect.held)})
