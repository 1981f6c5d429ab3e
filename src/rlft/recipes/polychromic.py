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

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.advantages.sets import same_output
from rlft.cache import cached
from rlft.environments.protocol import Episode
from rlft.environments.rooms import Rooms, demonstrations, reached
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.coverage import coverage
from rlft.methods import named
from rlft.methods.loop import loop
from rlft.methods.poly_ppo import poly_ppo
from rlft.methods.polychromic import polychromic as by_sets
from rlft.methods.ppo import ppo
from rlft.methods.ppo_entropy import ppo_entropy
from rlft.methods.reinforce import reinforce
from rlft.methods.sft import sft
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.control.policy import Control
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run
from rlft.tasks.paths import Paths
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime

# Raised when a base would come out otherwise.
VERSION = 1
# Edges besides the tree's.
CHORDS = {"many": 26, "one": 0}
WORLD = Rooms(starts=(4,))
# The teacher's longest way, and the share of his steps, in a hundred, or of his answers, that go anywhere.
_WAY, _AIMLESS, _CLUMSY = 6, 50, 0.3
_TOKENS = 10


def polychromic(
    method: Method = by_sets(),
    setting: Literal["many", "one", "rooms"] = "many",
    steps: int = 160,
    prompts: int = 8,
    group: int = 8,
    lr: float = 5e-4,
    rows: int | None = None,
    imitation: int = 300,
    problems: int = 100,
    samples: int = 32,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Many ways to succeed, or one.

    Args:
        setting: questions with many right answers, with one, or rooms to search.
        steps: steps in all; 0 evaluates the base.
        prompts: groups in a step.
        group: rows of each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base.
        problems: held-out problems.
        samples: rows of each of them.
        seed: of everything random but the base.
    """
    numbers: dict[str, Any] = {"prompts": prompts, "group": group, "rows": rows, "lr": lr, "seed": seed}
    sizes: dict[str, Any] = {"problems": problems, "samples": samples}
    if setting == "rooms":
        method = told(method, WORLD.visited)
        policy = searcher(imitation, critic=method.critic)
        trainer = Trainer(policy, method, Starts(WORLD), environment_reward, **numbers, runtime=runtime)
        found = coverage(reached, WORLD.visited)
        held_out = Starts(WORLD, split="test")
        return Run(trainer, steps, held_out, reached, measures=[found], probes=[perturbed(problems)], **sizes)
    task, held_out = (Paths(chords=CHORDS[setting], split=split) for split in ("train", "test"))
    policy = walker(setting, imitation, critic=method.critic)
    trainer = Trainer(policy, method, task, task.reward, **numbers, runtime=runtime)
    return Run(trainer, steps, held_out, measures=[coverage(task.reward, same_output)], **sizes)


def told(method: Method, key: Any) -> Method:
    """The method with this key of a behaviour, if it asks for one."""
    return named(method.name)(**{**method.settings, "key": key}) if "key" in method.settings else method


def walker(setting: str, imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 ways of the careless teacher."""

    def build() -> Language:
        tokenizer = character_tokenizer("abcdefghijklmnopqrstuvwxyz=")
        model = small_llama(len(tokenizer), width=64, layers=2, context=16)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        task = Paths(chords=CHORDS[setting])
        stream = Stream(task, seed=0)
        imitate(policy, lambda step: [careless(task, problem) for problem in stream.take(64)], steps=imitation)
        return policy

    name = f"polychromic-{setting}-{VERSION}-{imitation}"
    return cached_language(name, build, max_new_tokens=_TOKENS, critic=critic)


def careless(task: Paths, problem: Problem) -> Problem:
    """The problem with any way of up to six letters as its answer, or as often with a walk to nowhere."""
    ends, draw = problem.columns["ends"], hashed("careless", problem.index, problem.visit)
    if draw % 100 < _AIMLESS:
        return replace(problem, answer=aimless(task, ends[0], draw // 100))
    ways = task.ways(ends, _WAY) or [problem.answer]
    return replace(problem, answer=ways[draw // 100 % len(ways)])


def aimless(task: Paths, start: str, draw: int) -> str:
    """A walk of two to six letters along edges, none twice."""
    way, length = start, 2 + draw % (_WAY - 1)
    while len(way) < length:
        onwards = [letter for letter in task.edges[way[-1]] if letter not in way]
        if not onwards:
            break
        way += onwards[hashed("aimless", draw, len(way)) % len(onwards)]
    return way


def searcher(imitation: int, critic: bool = False) -> Control:
    """The cached policy after `imitation` batches of 32 clumsy episodes of one who knows the way."""

    def build() -> dict[str, Tensor]:
        policy = Control(WORLD, seed=0)
        shown = Shown(demonstrations(WORLD, 256, seed=0, clumsy=_CLUMSY))
        list(Trainer(policy, sft(), shown, prompts=32, group=1, lr=1e-3).run(imitation))
        return policy.state_dict()

    weights = cached(f"polychromic-rooms-{VERSION}-{imitation}.safetensors", build, save_file, load_file)
    policy = Control(WORLD, critic=critic, seed=0)
    policy.load_state_dict(weights, strict=not critic)
    return policy


class Shown:
    """Episodes to imitate, as a task."""

    name, split = "shown", "train"

    def __init__(self, episodes: Sequence[Episode]):
        self.episodes, self.size = episodes, len(episodes)

    def at(self, index: int) -> Problem:
        """Whoever imitates looks at the answer alone."""
        return Problem(index, 0, self.episodes[index], task=self.name)


def perturbed(problems: int, samples: int = 4) -> Any:
    """A probe: the share of episodes that find the goal from rooms in which training never begins."""
    rooms = range(WORLD.down * WORLD.across)
    world = replace(WORLD, starts=tuple(room for room in rooms if room not in (WORLD.starts or ())))

    def probe(policy: Control) -> Mapping[str, float]:
        moved = copy.copy(policy)  # the same weights in another world
        moved.environment = world
        task = Starts(world, split="perturbed")
        return {"perturbed": evaluate(moved, task, reached, problems=problems, samples=samples).mean}

    return probe


_ROOMS = {"setting": "rooms", "imitation": 200, "prompts": 16, "steps": 80, "lr": 3e-3}
_RATES = {"lr": (1e-3, 3e-3, 6e-3)}

CLAIM = Claim(
    sentence="Rewarding sets of attempts for being varied keeps the success rate and finds more ways to succeed, so "
    "that many attempts solve more.",
    source="Polychromic Objectives for Reinforcement Learning, ICLR 2026, arXiv:2509.25424",
    arms={
        "base": Arm("the model of paths before any reward", {"method": loop(), "steps": 0}, grid={}),
        "loop": Arm("each row against the others", {"method": loop(epochs=2, minibatches=1)}),
        "sets": Arm("sets of 4 of 8", {"method": by_sets(n=4)}),
        "share": Arm("sets, d the plain share", {"method": by_sets(n=4, free=0.0)}, grid={}),
        "one-loop": Arm("one right answer", {"method": loop(epochs=2, minibatches=1), "setting": "one"}, grid={}),
        "one-sets": Arm("one right answer, sets", {"method": by_sets(n=4), "setting": "one"}, grid={}),
        "rooms-base": Arm("the searcher before any reward", {**_ROOMS, "method": ppo(), "steps": 0}, grid={}),
        "rooms-reinforce": Arm("REINFORCE", {**_ROOMS, "method": reinforce(), "lr": 1e-2}, {"lr": (3e-3, 1e-2, 3e-2)}),
        "rooms-ppo": Arm("PPO", {**_ROOMS, "method": ppo()}, _RATES),
        "rooms-entropy": Arm(
            "PPO with an entropy bonus",
            {**_ROOMS, "method": ppo_entropy(0.03)},
            {**_RATES, "method.entropy": (0.01, 0.03)},
        ),
        "rooms-poly": Arm(
            "Poly-PPO, vines", {**_ROOMS, "method": poly_ppo(n=4, window=2, epochs=4), "steps": 100}, _RATES
        ),
        # added when the result of the others was known
        "rooms-window": Arm(
            "Poly-PPO with the paper's window of 5, at Poly-PPO's rate",
            {**_ROOMS, "method": poly_ppo(n=4, window=5, epochs=4), "steps": 100, "lr": 6e-3},
            grid={},
        ),
    },
    metric="pass@1",
    grid={"lr": (2.5e-4, 5e-4, 1e-3)},
    statements=(
        Statement("rooms: succeeds as often as PPO", "pass@1", "rooms-poly", "rooms-ppo", least=-0.03),
        Statement("rooms: 16 attempts solve more than PPO's", "pass@16", "rooms-poly", "rooms-ppo", least=0.05),
        Statement("rooms: finds goals in more ways than PPO", "coverage", "rooms-poly", "rooms-ppo", least=0.3),
        Statement("rooms: better than PPO from other rooms", "perturbed", "rooms-poly", "rooms-ppo", least=0.0),
        Statement("paths: 16 attempts solve more", "pass@16", "sets", "loop", least=0.03),
        Statement("paths: more right answers in 32", "coverage", "sets", "loop", least=1.5),
        Statement(
            "rooms: PPO loses what 16 attempts of its base solved",
            "pass@16",
            "rooms-ppo",
            "rooms-base",
            most=-0.05,
            claimed=False,
        ),
        Statement(
            "rooms: an entropy bonus is not the same thing",
            "pass@16",
            "rooms-poly",
            "rooms-entropy",
            least=0.03,
            claimed=False,
        ),
        Statement(
            "rooms: with the paper's window 16 attempts solve more than PPO's",
            "pass@16",
            "rooms-window",
            "rooms-ppo",
            least=0.05,
            claimed=False,
        ),
        Statement(
            "rooms: and it succeeds as often",
            "pass@1",
            "rooms-window",
            "rooms-ppo",
            least=-0.03,
            claimed=False,
        ),
        Statement(
            "rooms: Poly-PPO takes no more environment steps",
            "cost/decisions/drawn",
            "rooms-poly",
            "rooms-ppo",
            most=5000,
            claimed=False,
        ),
        Statement("paths: variety costs single attempts", "pass@1", "sets", "loop", most=0.0, claimed=False),
        Statement("paths: it costs less with the plain share", "pass@1", "share", "sets", least=0.0, claimed=False),
        Statement("one answer: variety costs", "pass@1", "one-sets", "one-loop", most=-0.05, claimed=False),
        Statement(
            "one answer: and gains nothing in 16 attempts", "pass@16", "one-sets", "one-loop", most=0.05, claimed=False
        ),
    ),
    budget="paths: 10,240 rows and 320 updates an arm; rooms: environment steps, vines counted from their branch",
    shared=(),
    scaled_down="A Llama of 0.1 million parameters and nine rooms of nine cells with 24 steps instead of BabyAI, "
    "MiniGrid and Algorithmic Creativity; a window of 2 decisions where episodes have 24, not 5 where they have 100; "
    "all 70 sets of 4 of 8 instead of a few drawn; a problem's own start is one of the 2 points.",
    real="rlft train --method polychromic --method.n 4 --group 8; poly_ppo for any policy that can resume and has a "
    "critic, with `key` a function of your own that says what counts as the same behaviour",
    table=("pass@16", "pass@32", "coverage", "behaviours", "perturbed", "train/entropy"),
    curve="entropy",
    smoke={"steps": 1, "imitation": 2, "prompts": 2, "problems": 4, "samples": 16},
)
