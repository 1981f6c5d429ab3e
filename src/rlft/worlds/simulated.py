"""Scripts of molecular dynamics written from words, and run by LAMMPS in a jail.

The base had a careless teacher. He slips in any part of a script, and in some parts nearly always, in the same way: he
takes steps that are too long for one kind of forces, a thermostat that is too slow, forgets a mass. Told what went
wrong with an earlier script he sees to that part. So the base seldom writes a right script at once, never hears why,
and is good at mending.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from rlft.chances import unbiased
from rlft.collect.recycle import Recycling
from rlft.measure.text import text_measures
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.simulation import Simulating, graded, whole
from rlft.tasks.fluids import CELLS, DENSITIES, FAULTS, LATTICES, STEPS, TEMPERATURES, WORDS, Fluid, Fluids, lines, told
from rlft.tasks.recycled import Recycled
from rlft.training.stream import Stream
from rlft.types import Measure, Problem, Task, Text
from rlft.verifiers.lammps import Lammps, met
from rlft.worlds import World

# Raised when the base would come out otherwise.
VERSION = 2
TOKENS = 40
_MORE_STEPS = 50
"""For which a system goes on when its script has ended, and is measured."""


@dataclass(frozen=True)
class Slip:
    """What the teacher does wrong: in which part, how often in 100, and of which faults he is told when he does."""

    part: str
    often: Callable[[Fluid], int]
    wrong: Callable[[Fluid, int], tuple[str, ...]]
    faults: tuple[str, ...]


def _other(names: Sequence[str] | Mapping[str, Any], name: str, draw: int) -> str:
    rest = [one for one in names if one != name]
    return rest[draw % len(rest)]


def _with(part: str, name: str, names: Sequence[str] | Mapping[str, Any]) -> Callable[[Fluid, int], tuple[str, ...]]:
    def wrong(fluid: Fluid, draw: int) -> tuple[str, ...]:
        return lines(replace(fluid, **{name: _other(names, getattr(fluid, name), draw)}))[part]

    return wrong


def _said(part: str, word: str, instead: str) -> Callable[[Fluid, int], tuple[str, ...]]:
    def wrong(fluid: Fluid, draw: int) -> tuple[str, ...]:
        return tuple(instead if one == word else one for one in lines(fluid)[part])

    return wrong


def _nothing(fluid: Fluid, draw: int) -> tuple[str, ...]:
    return ()


_HOT, _STARTS = ("temperature",), ("error", "empty")
SLIPS = (
    Slip("lattice", lambda fluid: 8, _with("lattice", "density", DENSITIES), ("density",)),
    Slip("lattice", lambda fluid: 8, _with("lattice", "lattice", LATTICES), ("atoms",)),
    Slip("region", lambda fluid: 8, _with("region", "cells", CELLS), ("atoms",)),
    Slip("mass", lambda fluid: 88 if fluid.lattice == "fcc" else 8, _nothing, _STARTS),
    Slip("coefficients", lambda fluid: 8, _nothing, _STARTS),
    Slip("ensemble", lambda fluid: 88 if fluid.ensemble == "langevin" else 8, _said("ensemble", "0.1", "100.0"), _HOT),
    Slip("ensemble", lambda fluid: 8, _with("ensemble", "temperature", TEMPERATURES), _HOT),
    Slip(
        "timestep",
        lambda fluid: 85 if fluid.pair in ("morse", "soft") else 8,
        _said("timestep", "0.005", "0.05"),
        ("lost", "infinite", "drift", "dangerous", "temperature", "error"),
    ),
    Slip("timestep", lambda fluid: 5, _said("timestep", "0.005", "0.0"), ("moved", "error")),
    Slip("run", lambda fluid: 8, _with("run", "steps", STEPS), ("steps",)),
)


Recycle = Literal["none", "faults", "plain"]


def simulated(
    recycled: Recycle = "none",
    share: float = 0.25,
    below: float = 0.6,
    fluids: int = 512,
    held_out: int = 96,
    imitation: int = 500,
) -> World:
    """Scripts of molecular dynamics written from words.

    Args:
        recycled: none; low-reward trajectories come back with what was wrong (faults), or without it (plain).
        share: of the places of training that are given to these.
        below: the reward under which a trajectory is low.
        fluids: simulations to train on.
        held_out: held-out simulations.
        imitation: supervised steps of the base model, 64 scripts of a careless teacher each (fewer if they are few).
    """
    task, test = Fluids(fluids), Fluids(held_out, "test")
    reward = Simulating(Lammps(_MORE_STEPS, seconds=5.0), graded)
    world = World(
        base(imitation),
        task,
        test,
        reward,
        judged=lambda problems, outputs: reward.scored(problems, outputs, whole),
        measures=[executed(reward), text_measures],
        probes=[corrected(reward, test)],
        watched=[spent(reward)],
        samples=8,
    )
    if recycled == "none":
        return world
    kept = Recycling(lambda problem, output: fault_of(reward, problem, output), below, share)
    asked = told if recycled == "faults" else as_it_was
    return replace(world, train=Recycled(task, kept.of, asked), adapted=lambda method: replace(method, collect=kept))


def as_it_was(problem: Problem, fault: str) -> Problem:
    """The problem, whatever was wrong."""
    return problem


def fault_of(reward: Simulating, problem: Problem, output: Any) -> str:
    """What is wrong with a script, one of `FAULTS`: why it did not run, or the first expectation that does not hold."""
    found = reward.outcomes([problem], [output])[0]
    if found is None:
        return ""
    names = (
        (found.reason,)
        if found.reason != "ran"
        else [n for n, h in met(found, problem.columns["expected"]).items() if not h]
    )
    return next((name if name in FAULTS else "error" for name in names), "")


def executed(reward: Simulating) -> Measure:
    """Of held-out scripts, and of k = 3 of a problem's rows the chance that one does:

    executed, executed@3   LAMMPS runs it to its end and on (ExecSucc@3)
    success@3              all that is expected holds
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        ran: dict[int, list[bool]] = {}
        right: dict[int, list[bool]] = {}
        for problem, found in zip(problems, reward.outcomes(problems, outputs), strict=True):
            good = found is not None and found.reason == "ran"
            ran.setdefault(problem.index, []).append(good)
            done = found is not None and whole(found, problem.columns["expected"]) == 1
            right.setdefault(problem.index, []).append(done)
        share = sum(map(sum, ran.values())) / len(outputs)
        return {"executed": share, "executed@3": among(ran.values(), 3), "success@3": among(right.values(), 3)}

    return measure


def among(groups: Collection[Sequence[bool]], k: int) -> float:
    """The chance that one of k rows of a group is right, or of all where it has fewer: pass@k, the mean over groups."""
    return sum(unbiased(sum(g), len(g), min(k, len(g))) for g in groups) / len(groups)


def corrected(reward: Simulating, task: Task, rounds: int = 3) -> Callable[[Any], Mapping[str, float]]:
    """Generate, run, evaluate, correct: how many problems are done within so many scripts, each told of the last one's
    fault; and without being told.

    corrected/1 … corrected/K   share that is done after so many
    corrected/gain              what being told adds after the last
    corrected/runs, again/runs  scripts run for each problem, none after one that did it
    again/K                     after as many scripts without being told
    """

    def probe(policy: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, change in (("corrected", told), ("again", as_it_was)):
            left, runs = [task.at(index) for index in range(task.size or 0)], 0
            total = len(left)
            for number in range(1, rounds + 1):
                outputs = policy.sample(left, 1, hashed(name, number) % 2**31).outputs if left else []
                runs += len(left)
                faults = [fault_of(reward, p, o) for p, o in zip(left, outputs, strict=True)]
                left = [change(p, fault) for p, fault in zip(left, faults, strict=True) if fault]
                if name == "corrected" or number == rounds:
                    found[f"{name}/{number}"] = 1 - len(left) / total
            found[f"{name}/runs"] = runs / total
        return {**found, "corrected/gain": found[f"corrected/{rounds}"] - found[f"again/{rounds}"]}

    return probe


def spent(reward: Simulating) -> Measure:
    """`simulations`, how many have been run so far."""
    return lambda problems, outputs: {"simulations": float(reward.spent)}


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches of scripts of a careless teacher."""
    stream, size = Stream(Fluids(), seed=0), min(64, max(imitation // 4, 8))  # small batches where they are few

    def build() -> Language:
        tokenizer = word_tokenizer(WORDS)
        model = small_llama(len(tokenizer), width=96, layers=2, context=64)
        policy = Language(model, tokenizer, max_new_tokens=TOKENS)
        imitate(policy, lambda step: [careless(problem) for problem in stream.take(size)], steps=imitation)
        return policy

    return cached_language(f"simulated-{VERSION}-{imitation}", build, max_new_tokens=TOKENS)


def careless(problem: Problem) -> Problem:
    """The problem with the teacher's script for it; one in three times after a fault that he is told of."""
    draw = partial(hashed, "careless", problem.task, problem.index, problem.visit)
    fluid, fault = problem.columns["fluid"], _COMMON[draw("fault") % len(_COMMON)] if draw("told") % 3 == 0 else ""
    parts = lines(fluid)
    for number, slip in enumerate(SLIPS):
        often = 5 if fault in slip.faults else slip.often(fluid)
        if draw(number) % 100 < often:
            parts[slip.part] = slip.wrong(fluid, draw(number, "way"))
    asked = told(problem, fault) if fault else problem
    return replace(asked, demonstration="".join(word for part in parts.values() for word in part))


_COMMON = tuple(fault for fault in FAULTS if any(fault in slip.faults for slip in SLIPS))
