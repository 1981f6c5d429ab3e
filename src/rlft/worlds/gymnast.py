"""A stone to be let go so that it stops at a goal, by a policy that saw a few shaky throws.

It goes on learning in one of four places: the world itself, a simulator whose friction is off, a model that was learned
from what the policy did in the world, or such a model fitted again on the way.

What is paid is what a judge says of the last thing that is seen: a small network that learned from some outcomes what a
success is, five votes of which each is turned round one time in ten. Success itself is never paid, and is what counts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from rlft.cache import cached
from rlft.environments.play import play
from rlft.environments.protocol import Environment, Episode
from rlft.environments.sliding import Sliding, aimed
from rlft.models.mlp import MLP
from rlft.noise import ACTION, hashed, normal, uniform
from rlft.policies.control.policy import Control, TanhGaussian
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.training.trainer import Trainer
from rlft.types import Measure, Method, Problem, Reward, UserError
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.environment import Imagined
from rlft.worldmodels.fitting import fitted
from rlft.worlds import World
from rlft.worlds.flowing import imitate, windows

# Raised when a base, a model or a judge would come out otherwise.
VERSION = 1
Where = Literal["truth", "near", "simulator", "far", "model", "refitted"]
TRUTH = Sliding()
# Simulators whose friction is off by a tenth, a fifth and two: their stones slide 10/9, 5/4 and 5/3 as far.
_FRICTIONS = {"near": 0.0036, "simulator": 0.0032, "far": 0.0024}
_PLACES = {"truth": TRUTH, **{name: replace(TRUTH, friction=friction) for name, friction in _FRICTIONS.items()}}
CHUNK, WIDTH, _STD = 4, 64, 0.15
# The teacher's tremble, in half-ranges of an action, and a bound that no tanh reaches.
_TREMBLE, _INSIDE = 0.3, 0.95
VOTES, TURNED = 5, 0.1


def gymnast(
    where: Where = "model",
    shown: int = 40,
    imitation: int = 1000,
    logged: int = 40,
    fits: int = 4000,
    members: int = 5,
    before: int = 0,
    rate: float = 3e-4,
    method: Method | None = None,
    labels: int = 2000,
    problems: int = 512,
    seed: int = 0,
) -> World:
    """A policy that throws a stone so that it stops at a goal.

    Args:
        where: it learns in the world (truth), in a simulator whose friction is off by a tenth (near), a fifth or two
            fifths (far), in a model of the world that is learned from its own first episodes, or in one that is fitted
            anew after some updates (refitted).
        shown: shaky throws that were imitated.
        imitation: supervised steps of the base, 128 chunks each.
        logged: episodes of the base in the world that the model is learned from.
        fits: updates of the model.
        members: networks of the model.
        before: updates by the method in the first model, of 32 starts with 8 episodes each, after which as many
            episodes again are logged by the policy that came of them, and the model is fitted to all.
        rate: learning rate of these.
        labels: outcomes that the judge has learned from.
        problems: held-out starts.
        seed: of everything random.
    """
    made = base(shown, imitation, seed)
    judge = judged(made, labels, seed)
    reward = voted(judge)
    if where in _PLACES:
        made.environment = _PLACES[where]
    else:
        episodes = log(made, logged, seed)
        made.environment = Imagined(learned(episodes, fits, members, seed), TRUTH, certain=True)
        if where == "refitted":
            if method is None:
                raise UserError("a model is refitted between updates: give the method that makes them")
            first = Trainer(made, method, Starts(TRUTH), reward, prompts=32, group=8, lr=rate, seed=seed)
            list(first.run(before))
            episodes = [*episodes, *log(made, logged, seed, "again")]
            made.environment = Imagined(learned(episodes, fits, members, seed), TRUTH, certain=True)
    deploy = elsewhere(made, TRUTH).deterministic()
    starts = Starts(TRUTH), Starts(TRUTH, split="test")
    return World(
        made,
        *starts,
        reward,
        judged=stopped,
        deploy=deploy,
        measures=[outcomes(judge)],
        watched=[outcomes(judge)],
        probes=[believed(reward, problems)],
        problems=problems,
    )


def learned(episodes: Sequence[Episode], fits: int, members: int, seed: int) -> BlackBox:
    """The cached model of what these episodes show."""
    model = BlackBox(TRUTH, [64, 64], members, seed)

    def build() -> dict[str, Tensor]:
        fitted(model, TRUTH, episodes, fits, lr=2e-3, seed=seed)
        return model.state_dict()

    ends = [one.observations[-1].tolist() for one in episodes]
    settings = (VERSION, TRUTH, len(ends), hashed(str(ends)), fits, members, seed)
    model.load_state_dict(cached(f"gymnast/model-{hashed(*settings):x}.safetensors", build, save_file, load_file))
    return model


def elsewhere(policy: Control, place: Environment) -> Control:
    """The same weights, which act there."""
    there = copy.copy(policy)
    there.environment = place
    return there


def base(shown: int, imitation: int, seed: int) -> Control:
    """The cached policy that has imitated a shaky teacher's throws in the world."""
    policy = Control(TRUTH, head=partial(TanhGaussian, std=_STD), width=WIDTH, seed=seed, chunk=CHUNK)

    def build() -> dict[str, Tensor]:
        imitate(policy, *windows(throws(shown, seed)), imitation, seed)
        with torch.no_grad():
            policy.head.log_std.fill_(torch.tensor(_STD).log())
        return policy.state_dict()

    settings = (VERSION, TRUTH, shown, imitation, seed, CHUNK, WIDTH, _STD, _TREMBLE)
    policy.load_state_dict(cached(f"gymnast/base-{hashed(*settings):x}.safetensors", build, save_file, load_file))
    return policy


def throws(count: int, seed: int) -> list[Episode]:
    """The teacher's episodes, from starts that no task has."""
    keys = torch.tensor([hashed("demonstration", TRUTH.name, seed, i) for i in range(count)])

    def act(observation: Tensor, rows: Tensor, decision: int) -> Tensor:
        tremble = normal(keys[rows], torch.tensor([decision]), (2,), ACTION)[:, 0]
        return (aimed(TRUTH, observation) + _TREMBLE * tremble).clamp(-_INSIDE, _INSIDE)[:, None]

    return play(TRUTH, keys, keys, act).episodes()


def log(policy: Control, episodes: int, seed: int, split: str = "logged") -> list[Episode]:
    """What the policy did in the world, from starts that no task has."""
    starts = Starts(TRUTH, split=f"{split}-{seed}")
    return list(elsewhere(policy, TRUTH).sample([starts.at(index) for index in range(episodes)], 1, seed).outputs)


class Judge:
    """A network's belief in a success, from the last thing that is seen."""

    def __init__(self, seed: int) -> None:
        self.net = MLP([TRUTH.observation_size, 32, 32, 1], seed, 1.0)

    def believes(self, seen: Float[Tensor, "N O"]) -> Bool[Tensor, "N"]:
        """Whether it takes what is seen for a success."""
        with torch.no_grad():
            return self.net(seen.float())[:, 0] > 0


def judged(policy: Control, labels: int, seed: int) -> Judge:
    """The cached judge of this seed: fitted to outcomes of shaky throws and of the policy, with what they were."""
    judge = Judge(seed)

    def build() -> dict[str, Tensor]:
        half = labels // 2
        episodes = [*throws(half, hashed("judge", seed) % 2**31), *log(policy, half, seed, "judged")]
        seen, right = last(episodes).float(), torch.tensor(stopped([], episodes))
        chance, optimizer = torch.Generator().manual_seed(seed), torch.optim.Adam(judge.net.parameters(), lr=3e-3)
        for _ in range(3 * labels // 4):
            rows = torch.randint(len(seen), (128,), generator=chance)
            optimizer.zero_grad()
            functional.binary_cross_entropy_with_logits(judge.net(seen[rows])[:, 0], right[rows]).backward()
            optimizer.step()
        return judge.net.state_dict()

    settings = (VERSION, TRUTH, labels, seed, {n: float(p.detach().sum()) for n, p in policy.named_parameters()})
    judge.net.load_state_dict(cached(f"gymnast/judge-{hashed(*settings):x}.safetensors", build, save_file, load_file))
    return judge


def last(episodes: Sequence[Episode]) -> Float[Tensor, "N O"]:
    """What is seen at the end."""
    return torch.stack([episode.observations[-1] for episode in episodes])


def stopped(problems: Sequence[Problem], outputs: Sequence[Episode]) -> list[float]:
    """A reward of 1 for each episode whose stone is at the goal in the end."""
    return (TRUTH.distance(last(outputs)) <= TRUTH.tolerance).float().tolist()


def voted(judge: Judge) -> Reward:
    """The majority of five votes, of which each is the judge's belief, turned round one time in ten.

    Which votes are turned hangs on the row alone, on what is seen at its end.
    """

    def reward(problems: Sequence[Problem], outputs: Sequence[Episode]) -> list[float]:
        seen = last(outputs)
        keys = torch.tensor([hashed("votes", *one) for one in seen.tolist()])
        turned = uniform(keys, VOTES) < TURNED
        votes = judge.believes(seen)[:, None] ^ turned
        return (votes.sum(1) > VOTES // 2).float().tolist()

    return reward


def outcomes(judge: Judge) -> Measure:
    """What comes of episodes, in the place where they were played.

    success       share whose stone stops at the goal
    believed      share of which the judge believes it
    false         share of those that fail of which he does
    distance      mean of the stone's from the goal
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        right = torch.tensor(stopped(problems, outputs)).bool()
        taken = judge.believes(last(outputs))
        failed = ~right
        return {
            "success": float(right.float().mean()),
            "believed": float(taken.float().mean()),
            "false": float((taken & failed).sum() / failed.sum().clamp(min=1)),
            "distance": float(TRUTH.distance(last(outputs)).mean()),
        }

    return measure


def believed(reward: Reward, problems: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe, without noise: `inside`, the share of held-out starts that succeed where the policy learns, and `paid`
    of them there."""

    def probe(policy: Control) -> Mapping[str, float]:
        starts, calm = Starts(TRUTH, split="test"), policy.deterministic()
        inside = evaluate(calm, starts, stopped, problems=problems).mean
        return {"inside": inside, "paid": evaluate(calm, starts, reward, problems=problems).mean}

    return probe
