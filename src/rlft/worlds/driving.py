"""A small model that says why, what it means to do, and steers; and an action expert that reads what it has in mind.

Its demonstrations are of drivers of whom three in ten overlook what is ahead, and seven in ten of the others brake late
for it, and of reasons of which three in ten are those of another scene, whatever the driver did: so a reason says
nothing about the driving, and the base is often wrong about both, each for itself. One who brakes late does as he says;
only what is paid for the driving tells him from the expert. The action expert is a flow that was fitted to the base's
states and those drivers' ways, and is never trained again; what it makes of a model that reinforcement learning has
changed is measured, and what it would if it were fitted on, to how that model drives by its tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.cache import cached
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed, normal, row_keys
from rlft.policies.flows.expert import ActionExpert, minds
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import combine
from rlft.rewards.driving import Recipe, agreement, alpamayo, reasoning, texts_of, trajectory
from rlft.tasks.driving import ACCELS, CONTROLS, CURVATURES, STEPS, WORDS, Driver, Driving, planned, told
from rlft.types import Problem, Reward, Rollouts, Text
from rlft.worlds import World

# Raised when the base or its expert would come out otherwise.
VERSION = 1
RADIUS = 2.0  # m, closer is a close encounter
TOKENS = 2 * STEPS + 3
_TOLD = 2  # tokens of a reason
_LOT = 10**6
Paid = Literal["reason", "consistent", "safe", "agreement", "driving"]


def driving(
    paid: Paid = "safe",
    recipe: Recipe | None = None,
    corrupted: int = 30,
    careless: int = 30,
    late: int = 70,
    imitation: int = 600,
    fitted: int = 2000,
    questions: int = 256,
) -> World:
    """Scenes answered by a reason and controls.

    Args:
        paid: for the reason; for it and its consistency; for both and the driving, safe; or for consistency or driving
            alone.
        recipe: a released reward in place of these.
        corrupted: in a hundred of the reasons that the base has imitated, those of another scene.
        careless: in a hundred of the drivers, those who overlook what is ahead.
        late: in a hundred of those who do not, those who stop a metre before what they stop for and not four.
        imitation: supervised steps of the base, 64 drivers each.
        fitted: steps of the action expert, 256 drivers each.
        questions: held-out scenes.
    """
    units = {"seconds": CONTROLS.seconds, "accel": CONTROLS.accel, "curvature": CONTROLS.curvature}
    parts: dict[str, Reward] = {"reason": reasoning(), "agreement": agreement(**units)}
    parts["driving"] = trajectory(**units, radius=RADIUS)
    names = {"reason": ["reason"], "consistent": ["reason", "agreement"], "safe": list(parts)}.get(paid, [paid])
    reward = combine({name: parts[name] for name in names})
    shown = Shown(corrupted, careless, late)
    policy = base(shown, imitation)
    test = Driving(size=questions, split="test")
    return World(
        policy,
        shown,
        test,
        reward if recipe is None else alpamayo(**units, recipe=recipe, radius=RADIUS),
        judged=combine(parts),
        measures=[drives],
        probes=[Decoded(expert(policy, shown, imitation, fitted), shown, test, fitted)],
        samples=4,
    )


class Shown:
    """Scenes to learn from, as their drivers drove and others explained it."""

    def __init__(self, corrupted: int, careless: int, late: int):
        self.task, self.corrupted, self.careless, self.late = Driving(), corrupted, careless, late
        self.kind = f"{corrupted}-{careless}-{late}"
        self.name, self.split, self.size = self.task.name, self.task.split, self.task.size

    def at(self, index: int) -> Problem:
        """The problem with its demonstration."""
        return self.drawn(self.task.at(index))

    def drawn(self, problem: Problem) -> Problem:
        """The same: what kind of driver it is and whether the reason is right are drawn apart."""
        scene = told(problem.input)
        reason = planned(scene).reason
        if _lot(problem, "reason") < self.corrupted:
            reason = _another(problem, reason)
        return replace(problem, demonstration=reason + planned(scene, self.driver(problem)).acts)

    def driver(self, problem: Problem) -> Driver:
        """Who drives there."""
        if _lot(problem, "sees") < self.careless:
            return "blind"
        return "late" if _lot(problem, "late") < self.late else "expert"


def _lot(problem: Problem, name: str) -> int:
    return hashed(name, *problem.key) % 100


def _another(problem: Problem, reason: str) -> str:
    """The reason of another scene, which is not this one's."""
    tries = (hashed("another", *problem.key, attempt) % _LOT for attempt in range(1000))
    others = (planned(Driving().scene(lot)).reason for lot in tries)
    return next(other for other in others if other != reason)


def base(shown: Shown, imitation: int) -> Language:
    """The cached model after so many batches of 64 such drivers."""

    def build() -> Language:
        tokenizer = word_tokenizer(WORDS)
        model = small_llama(len(tokenizer), width=64, layers=2, context=32)
        policy = Language(model, tokenizer, max_new_tokens=TOKENS)
        imitate(policy, lambda step: [shown.at(64 * step + row) for row in range(64)], steps=imitation)
        return policy

    name = f"driving-{VERSION}-{shown.kind}-{imitation}"
    return cached_language(name, build, max_new_tokens=TOKENS)


def expert(policy: Language, shown: Shown, imitation: int, fitted: int) -> ActionExpert:
    """The cached expert, fitted to the base's states and the drivers' ways."""

    def load(path: Path) -> ActionExpert:
        made = blank(policy)
        made.load_state_dict(torch.load(path, weights_only=True))
        return made

    name = f"driving-expert-{VERSION}-{shown.kind}-{imitation}-{fitted}"
    return cached(
        name, lambda: fit(policy, shown, fitted), lambda made, path: torch.save(made.state_dict(), path), load
    )


def blank(policy: Language) -> ActionExpert:
    """The expert before it was fitted."""
    shape = policy.causal.config
    return ActionExpert(2 * (shape.num_hidden_layers + 1) * shape.hidden_size, (STEPS, 2))


def fit(policy: Language, shown: Shown, steps: int) -> ActionExpert:
    """An expert fitted to what this model has in mind once it has told the drivers' reasons, and to their ways."""
    problems = lessons(shown, steps)
    state = minds(policy, policy.lessons(problems), torch.full((len(problems),), _TOLD))
    made = blank(policy)
    made.standardise(state)
    made.fit(state, scaled([str(problem.demonstration) for problem in problems]), steps)
    return made


def refit(policy: Language, shown: Shown, steps: int, made: ActionExpert) -> ActionExpert:
    """A copy of the expert fitted on: to the reasons that the model itself tells, and to how it drives by its tokens.

    Rows that cannot be read are left out; where there are no others it is as it was.
    """
    rows = policy.sample(lessons(shown, steps), 1, seed=3)
    told = [str(output) for output in rows.outputs]
    read = torch.tensor([CONTROLS.read(text, STEPS) is not None for text in told])
    made = copy.deepcopy(made)
    if read.any():
        state = minds(policy, rows, about_to_act(rows))[read]
        made.fit(state, scaled([text for text, one in zip(told, read.tolist(), strict=True) if one]), steps)
    return made


def lessons(shown: Shown, steps: int) -> list[Problem]:
    """What an expert is fitted to in so many steps."""
    return [shown.at(_LOT + row) for row in range(2 * min(steps, 2048))]


def about_to_act(rows: Rollouts) -> Int[Tensor, "N"]:
    """Where a reason ends, or the row, if that is shorter."""
    return torch.tensor([min(_TOLD, len(output.tokens)) for output in rows.outputs])


def scaled(texts: Sequence[str]) -> Float[Tensor, "N T 2"]:
    """The controls of these texts, within ±1."""
    read = [CONTROLS.read(text, STEPS) for text in texts]
    middle, reach = _range()
    return (torch.tensor(read) - middle) / reach


def _range() -> tuple[Tensor, Tensor]:
    """The middle and the reach of both controls, in m/s² and 1/m."""
    ends = torch.tensor([[ACCELS[0], ACCELS[-1]], [CURVATURES[0], CURVATURES[-1]]], dtype=torch.float32)
    ends = ends * torch.tensor([[CONTROLS.accel], [CONTROLS.curvature]])
    return ends.mean(1), (ends[:, 1] - ends[:, 0]) / 2


@runtime_checkable
class Decodes(Protocol):
    """What draws controls for states of mind, as `ActionExpert` does."""

    def decode(self, state: Float[Tensor, "N H"], noise: Float[Tensor, "N h A"]) -> Float[Tensor, "N h A"]:
        """Controls within ±1."""
        ...


class Decoded:
    """What an action expert makes of a model, read off the model's own reasons in held-out scenes.

    NAME/ade, agrees, close and comfort of the `expert` that was fitted to the base, and of the same `refitted` to the
    model's own reasons and tokens, for a tenth of its steps
    """

    def __init__(self, made: ActionExpert, shown: Shown, test: Driving, fitted: int):
        self.made, self.shown, self.fitted = made, shown, fitted
        self.problems = [test.at(index) for index in range(test.size or 0)]

    def __call__(self, policy: Language) -> Mapping[str, float]:
        rows = policy.sample(self.problems, 1, seed=1)
        again = refit(policy, self.shown, max(self.fitted // 10, 1), self.made)
        found = {"expert": self.of(self.made, policy, rows), "refitted": self.of(again, policy, rows)}
        return {f"{name}/{what}": value for name, its in found.items() for what, value in its.items()}

    def of(self, made: Decodes, policy: Language, rows: Rollouts) -> dict[str, float]:
        """How it is driven by what an expert decodes after the reasons of these rows."""
        state = minds(policy, rows, about_to_act(rows))
        noise = normal(row_keys(self.problems, 1, 2), torch.tensor([0]), (STEPS, 2))[:, 0].to(state.dtype)
        middle, reach = _range()
        seen = CONTROLS.looked_at(rows.problems, made.decode(state, noise) * reach + middle, RADIUS)
        agrees = seen.agrees(texts_of(rows.problems, rows.outputs))
        return {
            "ade": float(seen.off.mean()),
            "agrees": sum(agrees) / len(agrees),
            "close": float(seen.close.mean()),
            "comfort": float(seen.smooth.mean()),
        }


def drives(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """The columns of the paper's table, of the tokens, and two more.

    reasoning    the share of cause and intent that is right, of three words
    consistency  the share of rows that do what their intent says
    ade          to the expert, in m, at most 10
    close        the share of rows that come closer than 2 m to a car or a red light, or cannot be read
    comfort      the mean of six indicators
    right        the share of rows that do what the expert does, in meta-actions
    """
    texts = texts_of(problems, outputs)
    seen = CONTROLS.seen(problems, texts, RADIUS)
    right = [
        done is not None and ", ".join(done) == p.columns["intent"] for done, p in zip(seen.done, problems, strict=True)
    ]
    return {
        "reasoning": float(torch.as_tensor(reasoning()(problems, outputs)).mean()),
        "consistency": sum(seen.agrees(texts)) / len(texts),
        "ade": float(seen.off.mean()),
        "close": float(seen.close.mean()),
        "comfort": float(seen.smooth.mean()),
        "right": sum(right) / len(right),
    }
