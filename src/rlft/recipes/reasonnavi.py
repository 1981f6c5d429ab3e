"""A model chooses where to look, a planner walks. After ReasonNavi, arXiv:2602.15864, with a chooser that is trained.

Lost things in houses of five to eight rooms; a plan shows walls, furniture and doors, some of them wrongly. It is cut
into rooms, and each room into a few nodes; who chooses picks a room and then a node, three times at most, and A* walks
there on a map that is corrected on the way. The paper asks a multimodal model and trains nothing; its common sense is
replaced by a small network that has imitated where lost things were in 400 houses. The arms ask the same network, from
the same lessons, for a room and a node, for one of all nodes, for coordinates; or nobody: frontier exploration, which
has no plan. And then what the paper does not do: the chooser goes on by GRPO, paid by the SPL of its walk, or imitates
as much longer. `oracle` is who knows where to go, on the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.searched import searched

STEPS, ROWS = 100, 128
reasonnavi = recipe(
    searched,
    grpo(beta=0.0),
    watch_kl=False,
    steps=STEPS,
    prompts=16,
    group=8,
    lr=1e-3,
    rows=None,
    problems=None,
    every=0,
)

_ALONE: Mapping[str, Any] = {"steps": 0}
_RATES: Mapping[str, Sequence[float]] = {"imitation_lr": (1e-3, 3e-3)}
_LR: Mapping[str, Sequence[float]] = {"lr": (1e-3, 3e-3)}

CLAIM = Claim(
    sentence="A chooser among candidates, first a room and then a place in it, with a deterministic planner that walks "
    "there, finds things by shorter paths than exploration does, and far more often than a model that is asked for "
    "coordinates.",
    source="Ao et al. 2026, arXiv:2602.15864",
    budget="The same 400 houses with their lessons for every network, three places to look at and 100 steps for every "
    "search. Who goes on learning has 100 updates on 128 rows, searches or lessons. Who imitates chooses the "
    "learning rate from two, and so does who goes on.",
    scaled_down="houses of five to eight rooms on a grid for HM3D; furniture by name, in place of pictures of a map; a "
    "network of 64 units that has imitated where things were for a multimodal model that is not trained; the detector "
    "is exact and sees three cells. GRPO is ours: the paper trains nothing. The network is told nothing in words.",
    real='rlft train --model Qwen/Qwen2.5-7B-Instruct --chat --data maps.jsonl --agent "navigate(side=0.25, door=4)" '
    "--reward result --method grpo --method.beta 0 --turns 12 --max-new-tokens 256 --lora 32 --lr 1e-5",
    metric="spl",
    table=("success", "walked", "tries", "first", "ratio"),
    shared=("updates",),
    seeds=12,
    smoke={"steps": 1, "prompts": 4, "group": 4, "shown": 4, "houses": 2, "imitation": 2},
    arms={
        "frontier": Arm(
            "frontier exploration, without the plan", {**_ALONE, "who": "frontier", "imitation": 0, "shown": 1}, grid={}
        ),
        "oracle": Arm("who knows where to go", {**_ALONE, "who": "oracle", "imitation": 0, "shown": 1}),
        "point": Arm("asked for coordinates", {**_ALONE, "who": "pointer", "staging": "one"}, grid=_RATES),
        "one": Arm("asked for one of all places", {**_ALONE, "staging": "one"}, grid={}),
        "two": Arm("asked for a room, then for a place in it", {**_ALONE, "compared": True}, grid={}),
        "grpo": Arm("the same, then GRPO", {}, grid=_LR),
        "longer": Arm("the same, imitating as much longer", {"method": sft(), "prompts": ROWS, "group": 1}, grid=_LR),
        "grpo-one": Arm("one of all places, then GRPO", {"staging": "one"}, grid=_LR),
    },
    statements=[
        above("in two stages SPL is half as much again as that of exploration", "two", least=1.5, of="ratio"),
        above("candidates in two stages find it more often than coordinates", "two", "point", least=0.1, of="success"),
        above("candidates in one stage do too", "one", "point", least=0.1, of="success"),
        *checks(
            above("GRPO over candidates improves SPL", "grpo", "two", least=0.02),
            above("more than as much more imitation", "grpo", "longer", least=0.0),
            above("GRPO finds it as often", "grpo", "two", least=-0.03, of="success"),
            above("two stages are no worse than one", "two", "one", least=-0.03),
            above("and no worse after GRPO", "grpo", "grpo-one", least=-0.03),
            above("exploration finds it often, but late", "frontier", least=0.5, of="success"),
            below("there is room above two stages", "two", "oracle", most=-0.1),
            above("on the plan one who knows arrives", "oracle", least=0.99, of="success"),
        ),
    ],
)
