"""Any world of Gymnasium by its id, with networks that fit its spaces; episodes of Minari beside it.

Pictures are read by world models alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from rlft.environments import minari
from rlft.environments.gym import Gymnasium
from rlft.environments.protocol import Discrete, Episode
from rlft.errors import say
from rlft.policies.control.kinds import Kind, of_kind
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.types import Problem, UserError
from rlft.types.acting import Believing
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.environment import Imagined
from rlft.worldmodels.fitting import fitted
from rlft.worlds import Ground, World
from rlft.worlds.believing import believer


def stepped(
    env: str | None = None,
    horizon: int | None = None,
    data: str | None = None,
    policy: Kind = "gaussian",
    chunk: int = 1,
    width: int = 256,
    needs: Sequence[type] = (),
    seed: int = 0,
) -> Ground:
    """A world of Gymnasium, learned from single steps in a buffer.

    Args:
        env: the world's id, Pendulum-v1 for one, or module:id.
        horizon: steps after which an episode is cut off; by default the world's own limit.
        data: episodes of others: a folder of a Minari data set, or the name of one that is here.
        policy: its class: gaussian within the bounds, as SAC has it; flow; or tokens, which are autoregressive. A world
            with a list of actions has their logits.
        chunk: actions that are decided at once.
        width: of the two hidden layers of all networks.
        seed: of everything random.
    """
    if (believes := Believing in needs) and (policy != "gaussian" or chunk != 1):
        raise UserError("a method with a world model makes its own policy: leave out --policy and --chunk")
    world = named(env, horizon, pictures=believes)
    if believes:
        made: Any = believer(world, width, seed)
    elif not isinstance(world.action, Discrete):
        made = of_kind(policy, world, width, seed, chunk=chunk, std=1.0)
    elif policy == "gaussian" and chunk == 1:
        made = Control(world, width=width, activation=torch.relu, seed=seed)
    else:
        raise UserError(f"{env} has a list of actions, whose logits are its policy: leave out --policy and --chunk")
    return Ground(made, world, [] if data is None else minari.read(data, world), [ended])


def played(
    env: str | None = None,
    horizon: int | None = None,
    data: str | None = None,
    imagined: int = 0,
    fits: int = 10_000,
    width: int = 64,
    critic: bool = False,
    seed: int = 0,
) -> World:
    """A world of Gymnasium, learned from whole episodes.

    Args:
        env: the world's id, CartPole-v1 for one, or module:id.
        horizon: steps after which an episode is cut off; by default the world's own limit.
        data: with imagined, episodes of others: a folder of a Minari data set, or the name of one that is here.
        imagined: networks of a model of the world that is learned from the data, in which the policy then learns, from
            where their episodes began; 0 learns in the world. Held-out starts are played in the world either way.
        fits: updates of that model.
        width: of the two hidden layers of all networks.
        seed: of everything random.
    """
    world = named(env, horizon)
    policy = Control(world, width=width, critic=critic, seed=seed)
    told: dict[str, Any] = {"measures": [ended], "problems": 16}
    if imagined:
        told["deploy"] = copy.copy(policy)  # the same networks, in the world
        policy.environment = model_of(world, data, imagined, fits, seed)
    elif data is not None:
        raise UserError("--data is what a model of the world is learned from: give --imagined 5, or leave out --data")
    return World(policy, Starts(world), Starts(world, split="test"), environment_reward, **told)


def model_of(world: Gymnasium, data: str | None, members: int, fits: int, seed: int) -> Imagined:
    """The world as so many networks have it that learned from the data; how far they are off is said."""
    if data is None:
        raise UserError("--imagined learns a model of the world from episodes: give --data")
    if members < 0 or fits < 1:
        raise UserError(f"--imagined is a number of networks, and --fits at least 1; got {members} and {fits}")
    episodes = minari.read(data, world)
    model = BlackBox(world, [200, 200], members, seed)
    off = fitted(model, world, episodes, fits, horizon=min(20, world.horizon), seed=seed)
    say(f"the model of {world.name} is off by " + ", ".join(f"{v:.3g} ({name})" for name, v in off.items()))
    return Imagined(model, world, torch.stack([episode.observations[0] for episode in episodes]), world.horizon)


def ended(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
    """A measure: how long episodes are, and the share of them that the world itself ended."""
    steps, over = sum(map(len, outputs)), sum(episode.terminated for episode in outputs)
    return {"length": steps / len(outputs), "terminated": over / len(outputs)}


def named(env: str | None, horizon: int | None, pictures: bool = False) -> Gymnasium:
    """The world with this id; `UserError` for none, and for one that shows pictures unless these can be read."""
    if env is None:
        raise UserError("say which world of Gymnasium: --env Pendulum-v1")
    if horizon is not None and horizon < 1:
        raise UserError(f"--horizon must be at least 1 step; got {horizon}")
    world = Gymnasium(env, horizon)
    shape: Any = getattr(world.native, "shape", None) or ()
    if len(shape) > 1 and not pictures:
        raise UserError(
            f"{env} shows pictures of {' x '.join(map(str, shape))}, and these networks read vectors: write a recipe "
            "file with a network of your own, or wrap the world"
        )
    return world
