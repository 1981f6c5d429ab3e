"""Playing: rewards line up with actions, rows end when they end, chunks are open loop. Worlds of one number."""

from dataclasses import dataclass

import pytest
import torch

from rlft.environments.play import play
from rlft.environments.protocol import Box, Discrete, Step
from rlft.types import UserError


@dataclass(frozen=True)
class Countdown:
    """State (count, limit); pays 100·count + action, counts up, ends at the limit; the limit is the start's key."""

    horizon: int = 6
    keeps_time: bool = True

    name = "countdown"
    observation_size = 1
    action = Box((-50.0,), (50.0,))

    def reset(self, keys):
        return torch.stack([torch.zeros(len(keys)).double(), keys.double()], dim=1)

    def observe(self, state):
        return state[:, :1]

    def step(self, state, action, t, keys):
        count, limit = state.unbind(dim=1)
        ended = count + 1 >= limit
        late = torch.full_like(ended, self.keeps_time and t + 1 >= self.horizon) & ~ended
        return Step(torch.stack([count + 1, limit], dim=1), 100 * count + action[:, 0], ended, late)


def act_by_row(seen, rows, decision):
    return (rows + seen[:, 0] / 10)[:, None, None]


@pytest.mark.parametrize("keeps_time", [True, False])
def test_reward_i_follows_action_i_taken_in_observation_i(keeps_time):
    limits = [3, 1, 9, 6]
    played = play(Countdown(keeps_time=keeps_time), torch.tensor(limits), torch.arange(4), act_by_row)
    for row, (episode, limit) in enumerate(zip(played.episodes(), limits, strict=True)):
        steps = min(limit, 6)
        assert len(episode) == steps == len(episode.actions) == len(episode.observations) - 1
        assert episode.observations[:, 0].tolist() == list(range(steps + 1))
        assert episode.actions[:, 0].tolist() == [row + i / 10 for i in range(steps)]
        assert episode.rewards.tolist() == [100 * i + row + i / 10 for i in range(steps)]
        assert (episode.terminated, episode.truncated) == (limit <= 6, limit > 6)
    assert played.rewards.shape == (4, 6)
    assert not played.rewards[1, 1:].any()


def test_t_is_the_longest_row():
    played = play(Countdown(), torch.tensor([2, 3]), torch.arange(2), act_by_row)
    assert (played.actions.shape, played.observations.shape) == ((2, 3, 1), (2, 4, 1))


def test_a_chunk_is_played_open_loop_and_may_be_cut():
    asked = []

    def act(seen, rows, decision):
        asked.append((decision, rows.tolist(), seen[:, 0].tolist()))
        return seen[:, :1, None] + torch.tensor([0.0, 0.25, 0.5]).double()[:, None]

    episodes = play(Countdown(), torch.tensor([4, 2, 8]), torch.arange(3), act, chunk=3).episodes()
    assert asked == [(0, [0, 1, 2], [0, 0, 0]), (1, [0, 2], [3, 3])]
    assert [episode.actions[:, 0].tolist() for episode in episodes] == [
        [0, 0.25, 0.5, 3],
        [0, 0.25],
        [0, 0.25, 0.5, 3, 3.25, 3.5],
    ]
    assert [episode.chunk for episode in episodes] == [3, 3, 3]


def test_episodes_own_their_memory():
    episode = play(Countdown(), torch.tensor([2, 3]), torch.arange(2), act_by_row).episodes()[0]
    assert episode.observations.untyped_storage().nbytes() == 3 * 8


def test_spaces():
    box = Box((-1.0, 0.0), (3.0, 0.5))
    assert box.size == 2
    assert torch.equal(box.clip(torch.tensor([[-2.0, 0.7], [1.0, 0.25]])), torch.tensor([[-1.0, 0.5], [1.0, 0.25]]))
    for low, high in (((0.0,), (0.0,)), ((0.0,), (1.0, 2.0)), ((0.0,), (float("inf"),))):
        with pytest.raises(UserError, match="bounds"):
            Box(low, high)
    with pytest.raises(UserError, match="at least 2"):
        Discrete(1)
