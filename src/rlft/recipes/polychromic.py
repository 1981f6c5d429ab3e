"""Does rewarding sets keep many ways to succeed? After Polychromic Objectives, arXiv:2509.25424.

`many`: a small Llama writes ways through a graph it knows by heart; each question has dozens of right answers. It
starts from a teacher who half of the time walks about aimlessly. `loop` and `polychromic` differ in their advantages.
`one`: the same on a tree, where each question has one right answer and variety can only cost.
`rooms`: nine rooms, a goal that is seen only from its own room, and time for some of the rooms. It starts from clumsy
imitation of one who knows where the goal is. PPO, with and without an entropy bonus, against Poly-PPO with vines.

pass@k and `coverage` (different right answers among 32 rows; for rooms, different sets of rooms in which the goal was
found) are those of problems that were not trained on. `perturbed` is success from rooms where no episode began.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from rlft.evidence.claim import Arm, Claim, above, below, checks
from rlft.methods import named
from rlft.methods.loop import loop
from rlft.methods.poly_ppo import poly_ppo
from rlft.methods.polychromic import polychromic as by_sets
from rlft.methods.ppo import ppo
from rlft.methods.ppo_entropy import ppo_entropy
from rlft.methods.reinforce import reinforce
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds import World
from rlft.worlds.rooms import WORLD, searching
from rlft.worlds.ways import ways


def varied(
    setting: Literal["many", "one", "rooms"] = "many", imitation: int = 300, problems: int = 100, critic: bool = False
) -> World:
    """Many ways to succeed, or one.

    Args:
        setting: questions with many right answers, with one, or rooms to search.
        imitation: supervised steps of the base.
        problems: held-out problems.
    """
    if setting != "rooms":
        return replace(ways(setting, imitation, critic), problems=problems)
    world = searching(imitation, sft(), problems, critic)
    return replace(world, problems=problems, adapted=lambda method: told(method, WORLD.visited))


def told(method: Method, key: Any) -> Method:
    """The method with this key of a behaviour, if it asks for one."""
    return named(method.name)(**{**method.settings, "key": key}) if "key" in method.settings else method


polychromic = recipe(varied, by_sets(), watch_kl=False, steps=160, prompts=8, group=8, lr=5e-4, rows=None, samples=32)

_ROOMS = {"setting": "rooms", "imitation": 200, "prompts": 16, "steps": 80, "lr": 3e-3}
_RATES = {"lr": (1e-3, 3e-3, 6e-3)}

# Of what statements of a few hundredths compare.
MANY = 32
CLAIM = Claim(
    sentence="Rewarding sets of attempts for being varied keeps the success rate and finds more ways to succeed, so "
    "that many attempts solve more.",
    source="Polychromic Objectives for Reinforcement Learning, ICLR 2026, arXiv:2509.25424",
    budget="paths: 10,240 rows and 320 updates an arm; rooms: environment steps, vines counted from their branch",
    scaled_down="A Llama of 0.1 million parameters and nine rooms of nine cells with 24 steps instead of BabyAI, "
    "MiniGrid and Algorithmic Creativity; a window of 2 decisions where episodes have 24, not 5 where they have 100; "
    "all 70 sets of 4 of 8 instead of a few drawn; a problem's own start is one of the 2 points.",
    real="rlft train --model MODEL --data TRAIN.jsonl --reward math --method polychromic --method.n 4 --group 8",
    metric="pass@1",
    table=("pass@16", "pass@32", "coverage", "behaviours", "perturbed", "train/entropy"),
    shared=(),
    grid={"lr": (2.5e-4, 5e-4, 1e-3)},
    curve="entropy",
    smoke={"steps": 1, "imitation": 2, "prompts": 2, "problems": 4, "samples": 16},
    arms={
        "base": Arm("the model of paths before any reward", {"method": loop(), "steps": 0}, grid={}),
        "loop": Arm("each row against the others", {"method": loop(epochs=2, minibatches=1)}, seeds=MANY),
        "sets": Arm("sets of 4 of 8", {"method": by_sets(n=4)}, seeds=MANY),
        "share": Arm("sets, d the plain share", {"method": by_sets(n=4, free=0.0)}, grid={}, seeds=MANY),
        "one-loop": Arm("one right answer", {"method": loop(epochs=2, minibatches=1), "setting": "one"}, grid={}),
        "one-sets": Arm("one right answer, sets", {"method": by_sets(n=4), "setting": "one"}, grid={}),
        "rooms-base": Arm("the searcher before any reward", {**_ROOMS, "method": ppo(), "steps": 0}, grid={}),
        "rooms-reinforce": Arm("REINFORCE", {**_ROOMS, "method": reinforce(), "lr": 1e-2}, {"lr": (3e-3, 1e-2, 3e-2)}),
        "rooms-ppo": Arm("PPO", {**_ROOMS, "method": ppo()}, _RATES, seeds=MANY),
        "rooms-entropy": Arm(
            "PPO with an entropy bonus",
            {**_ROOMS, "method": ppo_entropy(0.03)},
            {**_RATES, "method.entropy": (0.01, 0.03)},
        ),
        "rooms-poly": Arm(
            "Poly-PPO, vines",
            {**_ROOMS, "method": poly_ppo(n=4, window=2, epochs=4), "steps": 100},
            _RATES,
            seeds=MANY,
        ),
        # added when the result of the others was known
        "rooms-window": Arm(
            "Poly-PPO with the paper's window of 5, at Poly-PPO's rate",
            {**_ROOMS, "method": poly_ppo(n=4, window=5, epochs=4), "steps": 100, "lr": 6e-3},
            grid={},
            seeds=MANY,
        ),
    },
    statements=[
        above("rooms: succeeds as often as PPO", "rooms-poly", "rooms-ppo", least=-0.03),
        above("rooms: 16 attempts solve more than PPO's", "rooms-poly", "rooms-ppo", least=0.05, of="pass@16"),
        above("rooms: finds goals in more ways than PPO", "rooms-poly", "rooms-ppo", least=0.3, of="coverage"),
        above("rooms: better than PPO from other rooms", "rooms-poly", "rooms-ppo", of="perturbed"),
        above("paths: 16 attempts solve more", "sets", "loop", least=0.03, of="pass@16"),
        above("paths: more right answers in 32", "sets", "loop", least=1.5, of="coverage"),
        *checks(
            below(
                "rooms: PPO loses what 16 attempts of its base solved",
                "rooms-ppo",
                "rooms-base",
                most=-0.05,
                of="pass@16",
            ),
            above(
                "rooms: an entropy bonus is not the same thing", "rooms-poly", "rooms-entropy", least=0.03, of="pass@16"
            ),
            above(
                "rooms: with the paper's window 16 attempts solve more than PPO's",
                "rooms-window",
                "rooms-ppo",
                least=0.05,
                of="pass@16",
            ),
            above("rooms: and it succeeds as often", "rooms-window", "rooms-ppo", least=-0.03),
            below(
                "rooms: Poly-PPO takes no more environment steps",
                "rooms-poly",
                "rooms-ppo",
                most=5000,
                of="cost/decisions/drawn",
            ),
            below("paths: variety costs single attempts", "sets", "loop"),
            above("paths: it costs less with the plain share", "share", "sets"),
            below("one answer: variety costs", "one-sets", "one-loop", most=-0.05),
            below("one answer: and gains nothing in 16 attempts", "one-sets", "one-loop", most=0.05, of="pass@16"),
        ),
    ],
)
# A base that has hardly been trained earns nothing.
