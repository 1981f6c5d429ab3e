"""The ring, its windows and its returns, on numbers written down by hand."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.protocol import Box, Discrete, Episode
from rlft.offpolicy import buffer as module
from rlft.offpolicy.buffer import Buffer, Mixed, to_go
from rlft.offpolicy.values import td_target
from rlft.types import UserError

SPACE = Box((-2.0,), (4.0,))
NONE = torch.tensor([-1])


def buffer(capacity=16, **settings):
    return Buffer(capacity, 1, SPACE, dtype=torch.float64, **settings)


def episode(values, terminated, first=0.0):
    """Rewards are given; the observation of step i is first + i, its action 0.1 i in the box's own units."""
    steps = len(values)
    seen = first + torch.arange(steps + 1, dtype=torch.float64)[:, None]
    actions = 0.1 * torch.arange(steps, dtype=torch.float64)[:, None]
    return Episode(seen, actions, torch.tensor(values, dtype=torch.float64), terminated, not terminated)


def put(held, obs, reward, after, terminated=False):
    """One step of one world, from obs to obs + 1."""
    seen = torch.tensor([[float(obs)]], dtype=torch.float64)
    return held.add(
        seen,
        seen / 100,
        torch.tensor([float(reward)], dtype=torch.float64),
        seen + 1,
        torch.tensor([terminated]),
        torch.as_tensor(after),
    )


def test_windows_end_with_their_episode():
    held = buffer()
    held.extend([episode([1.0, 2.0, 4.0], terminated=True), episode([8.0, 16.0], terminated=False, first=50.0)])
    got = held.windows(torch.arange(5), steps=3, chunk=2)
    assert got.reward.tolist() == [[1, 2, 4], [2, 4, 0], [4, 0, 0], [8, 16, 0], [16, 0, 0]]
    assert got.valid.sum(dim=1).tolist() == [3, 2, 1, 2, 1]
    assert got.next_observation[:, 0].tolist() == [3, 3, 3, 52, 52]
    assert got.terminated.tolist() == [True, True, True, False, False]
    assert got.observation[:, 0].tolist() == [0, 1, 2, 50, 51]
    unit = [-1 / 3, -0.9 / 3, -0.8 / 3]  # 0, 0.1, 0.2 of [-2, 4] as [-1, 1]
    assert_close(got.action[:3, :, 0], torch.tensor([unit[:2], unit[1:], [unit[2], 0]], dtype=torch.float64))


def test_truncation_bootstraps_and_termination_does_not():
    held = buffer()
    held.extend([episode([1.0, 2.0], terminated=True), episode([1.0, 2.0], terminated=False)])
    got = held.windows(torch.tensor([0, 1, 2, 3]), steps=2)
    value = torch.full((4,), 10.0, dtype=torch.float64)
    # 1 + 0.5·2, 2; and with the value of the state after two and after one step
    assert td_target(got, value, 0.5).tolist() == [2.0, 2.0, 2.0 + 2.5, 2.0 + 5.0]


def test_worlds_stepped_side_by_side_are_told_apart():
    held = buffer()
    a, b = put(held, 0, 1, NONE), put(held, 30, 2, NONE)
    a, b = put(held, 1, 3, a), put(held, 31, 4, b)
    put(held, 2, 5, a)
    got = held.windows(torch.arange(5), steps=3)
    assert got.reward.tolist() == [[1, 3, 5], [2, 4, 0], [3, 5, 0], [4, 0, 0], [5, 0, 0]]
    assert got.next_observation[:, 0].tolist() == [3, 32, 3, 32, 3]


def test_windows_do_not_cross_the_place_of_writing():
    """A full ring: the oldest are gone, and nothing leads from the newest into what was there before."""
    held, slot = buffer(4), NONE
    for step in range(6):
        slot = put(held, step, 10 + step, slot)
    got = held.windows(torch.arange(4), steps=3)
    assert held.columns["observation"][:, 0].tolist() == [4, 5, 2, 3]
    assert got.reward.tolist() == [[14, 15, 0], [15, 0, 0], [12, 13, 14], [13, 14, 15]]
    assert len(held) == 4


def test_a_batch_that_overwrites_its_own_predecessors():
    """Worlds a, b, c step twice through a ring of four: c's second step stands where b's first one was."""
    held = buffer(4)
    start = torch.tensor([[0.0], [10.0], [20.0]], dtype=torch.float64)
    over = torch.zeros(3, dtype=torch.bool)

    def go(seen, after):
        return held.add(seen, seen / 100, seen[:, 0], seen + 1, over, after)

    first = go(start, torch.full((3,), -1))
    second = go(start + 1, first)
    assert second.tolist() == [3, 0, 1]
    got = held.windows(torch.arange(4), steps=2)
    assert held.columns["observation"][:, 0].tolist() == [11, 21, 20, 1]
    assert got.reward.tolist() == [[11, 0], [21, 0], [20, 21], [1, 0]]


def test_returns_of_what_ended_are_known():
    held = buffer(gamma=0.5)
    held.extend([episode([1.0, 2.0, 4.0], terminated=True), episode([8.0], terminated=False)])
    got = held.windows(torch.arange(4))
    assert got.returns.tolist() == [3.0, 4.0, 4.0, -torch.inf]
    assert buffer().windows(torch.zeros(0, dtype=torch.int64)).returns.shape == (0,)
    assert to_go(torch.tensor([1.0, -2.0]), 0.25).tolist() == [0.5, -2.0]


def test_discrete_actions_stay_integers():
    held = Buffer(4, 1, Discrete(3))
    seen = torch.zeros(2, 1)
    held.extend([Episode(seen, torch.tensor([[2]]), torch.ones(1), True, False)])
    got = held.windows(torch.tensor([0]), steps=2)
    assert got.action.dtype == torch.int64 and got.action.tolist() == [[[2]]]


def test_mixed_shares():
    given, own = buffer(), buffer()
    given.extend([episode([1.0] * 5, terminated=True)])
    own.extend([episode([2.0] * 5, terminated=True)])
    generator = torch.Generator().manual_seed(0)
    got = Mixed(given, own, 0.3).sample(10, generator)
    assert got.reward[:, 0].tolist() == [1.0] * 3 + [2.0] * 7
    assert Mixed(given, own, 0.0).sample(4, generator).reward.unique().tolist() == [2.0]
    assert Mixed(given, own, 1.0).sample(4, generator).reward.unique().tolist() == [1.0]
    with pytest.raises(UserError, match="needs data"):
        Mixed(None, own, 0.5)


def test_every_start_is_drawn_alike():
    held = buffer()
    held.extend([episode([float(i) for i in range(8)], terminated=True)])
    got = held.sample(8000, torch.Generator().manual_seed(1), steps=2)
    counts = got.reward[:, 0].long().bincount()
    assert len(counts) == 8 and (counts - 1000).abs().max() < 130  # 4.4 standard deviations


def test_state_goes_on():
    held = buffer(4)
    slot = NONE
    for step in range(3):
        slot = put(held, step, step, slot)
    again = buffer(4)
    again.load_state_dict(held.state_dict())
    for each in (held, again):
        put(each, 3, 3, slot), put(each, 4, 4, NONE)
    for name, column in held.columns.items():
        assert torch.equal(column, again.columns[name]), name
    assert held.fingerprint() == again.fingerprint() != buffer(4).fingerprint()


def test_what_is_refused():
    with pytest.raises(UserError, match="empty buffer"):
        buffer().sample(1, torch.Generator())
    with pytest.raises(UserError, match="does not hold a chunk of 3"):
        buffer().windows(torch.tensor([0]), steps=2, chunk=3)
    with pytest.raises(UserError, match="5 steps at once"):
        buffer(4).extend([episode([1.0] * 5, terminated=True)])


def side_by_side(held, worlds, steps):
    """Worlds that pay their number and the step, and end together; each one's slots."""
    after, slots = torch.full((worlds,), -1), []
    for step in range(steps):
        seen = torch.full((worlds, 1), float(step), dtype=torch.float64)
        reward = torch.arange(worlds).double() + step / 10
        after = held.add(seen, seen * 0, reward, seen, torch.full((worlds,), step == steps - 1), after)
        slots.append(after)
    return torch.stack(slots, dim=1)


@pytest.mark.parametrize("capacity", [4, 9, 10, 13, 23, 24, 100])
def test_credit_of_a_small_ring_leaves_the_neighbours_steps_alone(capacity):
    """Worlds share the ring, so an episode's first slots have others' steps in them when it ends."""
    held = buffer(capacity, gamma=0.9)
    slots = side_by_side(held, 4, 6)
    for row in slots:
        held.credit(row)
    for place in range(max(24 - capacity, 0), 24):
        step, world = divmod(place, 4)
        exact = sum(0.9 ** (s - step) * (world + s / 10) for s in range(step, 6))
        assert float(held.columns["returns"][place % capacity]) == pytest.approx(exact)


def test_returns_of_an_episode_longer_than_the_ring():
    held, slot, slots = buffer(3, gamma=0.5), NONE, []
    for step in range(5):
        slot = put(held, step, 2**step, slot, terminated=step == 4)
        slots.append(slot)
    held.credit(torch.cat(slots))
    assert held.columns["returns"].tolist() == [8 + 8, 16, 4 + 8]


def test_returns_of_another_discount():
    held = buffer(8, gamma=0.99)
    held.extend([episode([1.0, 1.0, 1.0], terminated=True), episode([1.0, 1.0], terminated=False)])
    held.discount(0.5)
    assert held.columns["returns"][:5].tolist() == [1.75, 1.5, 1.0, -torch.inf, -torch.inf]
    held.extend([episode([2.0, 4.0], terminated=True)])
    assert held.columns["returns"][5:7].tolist() == [4.0, 4.0]
    # a ring that has been written around, whose newest are in front
    ring = buffer(10, gamma=0.9)
    for row in side_by_side(ring, 4, 6):
        ring.credit(row)
    at_once = buffer(10, gamma=0.3)
    for row in side_by_side(at_once, 4, 6):
        at_once.credit(row)
    ring.discount(0.3)
    assert_close(ring.columns["returns"], at_once.columns["returns"], rtol=0, atol=0)


def test_actions_are_stored_as_they_were_executed():
    held = Buffer(10, 1, Box((-1.0,), (1.0,)), dtype=torch.float64)
    one = Episode(torch.zeros(4, 1), torch.tensor([[3.0], [-2.5], [0.5]]).double(), torch.zeros(3), True, False)
    held.extend([one])
    assert held.columns["action"][:3, 0].tolist() == [1, -1, 0.5]
    choices = Buffer(10, 1, Discrete(3))
    with pytest.raises(UserError, match="outside 0 … 2"):
        choices.extend([Episode(torch.zeros(3, 1), torch.tensor([[0], [3]]), torch.zeros(2), True, False)])


def test_pixels_are_stored_as_bytes():
    held = Buffer(4, 2, SPACE, dtype=torch.float32, observations=torch.uint8)
    seen = torch.tensor([[0.0, 255.0], [3.0, 128.0], [9.0, 1.0]], dtype=torch.float64)
    held.extend([Episode(seen, torch.zeros(2, 1).double(), torch.ones(2), True, False)])
    assert held.columns["observation"].dtype == held.columns["next_observation"].dtype == torch.uint8
    got = held.windows(torch.tensor([0, 1]), steps=2)
    assert got.observation.tolist() == seen[:2].tolist() and got.next_observation.tolist() == [[9, 1], [9, 1]]
    assert got.observation.dtype == got.next_observation.dtype == got.reward.dtype == torch.float32
    for wrong in (0.5, -1.0, 256.0, torch.nan):
        with pytest.raises(UserError, match="whole numbers from 0 to 255"):
            held.extend([Episode(seen * 0 + wrong, torch.zeros(2, 1).double(), torch.ones(2), True, False)])


def test_a_ring_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    """84 x 84 colours, a million steps."""
    monkeypatch.setattr(module, "free_memory", lambda device: 20_000_000_000)
    with pytest.raises(UserError, match=r"169\.4 GB, and 20\.0 GB of cpu are free: lower the capacity to 94,"):
        Buffer(1_000_000, 21_168, SPACE)
    with pytest.raises(UserError, match=r"42\.4 GB"):
        Buffer(1_000_000, 21_168, SPACE, observations=torch.uint8)
    assert len(Buffer(100, 21_168, SPACE).columns["reward"]) == 100
    monkeypatch.undo()
    free = module.free_memory(torch.device("cpu"))
    assert free is None or free > 10_000_000
    assert module.free_memory(torch.device("meta")) is None
