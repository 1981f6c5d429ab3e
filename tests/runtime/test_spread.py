"""Who gets which piece, and what is done again: workers of a fake world that are slow, die, or raise."""

import heapq

import pytest

from rlft.runtime.spread import Lost, spread
from rlft.types import UserError


class Fake:
    """Workers on a clock of their own. Worker w takes `pace[w]` for a piece, whose result is its square.

    `deadly` are (worker, how many pieces it has begun) at which it dies; one that is replaced begins anew.
    """

    def __init__(self, pace, deadly=(), bad=None):
        self.pace, self.deadly, self.bad, self.count = list(pace), set(deadly), bad, len(pace)
        self.clock, self.running, self.log, self.replaced = 0.0, [], [], []
        self.begun = [0] * self.count

    def submit(self, worker, piece):
        assert worker not in [w for _, _, w, _ in self.running], "one piece at a time"
        self.begun[worker] += 1
        handle = (len(self.log), worker, self.begun[worker], piece)
        self.log.append((worker, piece))
        heapq.heappush(self.running, (self.clock + self.pace[worker], len(self.log), worker, handle))
        return handle

    def finished(self, pieces):
        if not self.running or self.running[0][0] == float("inf"):
            return []
        self.clock, _, _, handle = heapq.heappop(self.running)
        return [handle]

    def result(self, handle):
        _, worker, begun, piece = handle
        if (worker, begun) in self.deadly:
            raise Lost(f"worker {worker} is dead")
        if piece == self.bad:
            raise ValueError("a bad piece")
        return piece**2

    def replace(self, worker, handle):
        self.replaced.append((worker, handle[-1]))


def test_results_stand_in_the_order_of_the_pieces():
    fake = Fake([1.0, 0.3])
    assert spread([7, 1, 5, 3], fake) == [49, 1, 25, 9]
    assert fake.log == [(0, 7), (1, 1), (1, 5), (1, 3)]
    assert spread([], fake) == []


def test_one_that_is_three_times_slower_does_a_third_as_much():
    fake = Fake([3.0, 1.0])
    assert spread(range(8), fake) == [n**2 for n in range(8)]
    done = [sum(worker == w for w, _ in fake.log) for worker in (0, 1)]
    assert done == [2, 6] and fake.clock == 6.0  # four pieces each would take 12


def test_what_a_dead_worker_had_is_done_again_first():
    fake = Fake([1.0, 1.5], deadly={(0, 2)})
    assert spread([4, 5, 6, 7, 8], fake) == [16, 25, 36, 49, 64]
    assert fake.log == [(0, 4), (1, 5), (0, 6), (1, 7), (0, 6), (1, 8)]
    assert fake.replaced == [(0, 6)]


def test_workers_that_die_again_and_again_end_it():
    fake = Fake([1.0], deadly={(0, n) for n in range(1, 9)})
    with pytest.raises(UserError, match="3 samplers died over one batch, the last of them: worker 0 is dead"):
        spread([1, 2], fake, most=2)
    assert len(fake.replaced) == 2


def test_what_the_work_raises_is_raised():
    with pytest.raises(ValueError, match="a bad piece"):
        spread([1, 2, 3], Fake([1.0, 1.0], bad=2))


def test_nobody_answers():
    with pytest.raises(UserError, match="none of 2 samplers answered in time"):
        spread([1, 2, 3], Fake([float("inf")] * 2))
