"""A run folder built again: from the words it was started with to a run, with or without its trained weights."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlft import recipes
from rlft.errors import UserError, say
from rlft.options.arguments import parse, take_option, take_several
from rlft.reproduce.cells import tuned_arm
from rlft.runs import checkpoint, sources
from rlft.runs.drive import Run, accept
from rlft.runs.folder import CONFIG
from rlft.runs.log import facts_of, write_facts
from rlft.runs.model import WEIGHTS, load_weights
from rlft.tool import trust


@dataclass(frozen=True)
class Again:
    """What was said when a folder is used again.

    steps    as many instead of those it was started with
    trust    its code, whoever has made it
    anyway   go on although something has changed since
    cluster  the processes of Ray that draw for it; how many there are changes no number
    """

    steps: int | None = None
    trust: bool = False
    anyway: bool = False
    cluster: Cluster | None = None


@dataclass(frozen=True)
class Cluster:
    """Processes of Ray that draw and reward.

    address   of a cluster that runs; None starts one on this machine
    samplers  processes that draw
    gpus      of each, which may be a part of one
    """

    address: str | None = None
    samplers: int = 2
    gpus: float = 0.0


def cluster_of(words: list[str]) -> Cluster | None:
    """Take `--ray [ADDRESS]` and what belongs to it from the words; None where it is not there."""
    ray = take_several(words, "--ray")
    told = {name: take_option(words, f"--{name}") for name in ("samplers", "sampler-gpus")}
    if ray is None:
        if given := [name for name, value in told.items() if value is not None]:
            raise UserError(f"--{given[0]} is of processes of Ray: give --ray, or --ray ADDRESS, too")
        return None
    count, gpus = told["samplers"] or "2", told["sampler-gpus"] or "0"
    if len(ray) > 1 or not count.isdigit() or not re.fullmatch(r"\d+(\.\d+)?", gpus):
        raise UserError(
            f"--ray takes one address or none, --samplers and --sampler-gpus a number; got {' '.join(ray) or 'none'}, "
            f"{count} and {gpus}"
        )
    return Cluster(ray[0] if ray else None, int(count), float(gpus))


def built(folder: Path, told: Again = Again(), refuse: bool = True) -> Run:
    """The run of a folder, built again from the words it was started with, in the directory where they meant
    something; its weights are those it started from.

    Code that has changed since is refused, or with `refuse=False`, for a run that does not go on, only said.
    """
    facts = facts_of(folder)
    if "words" not in facts:
        raise UserError(
            f"{folder} was started from Python: call rlft.train again with the same arguments and resume=True"
        )
    here = Path.cwd()
    directory, words = trust.found_again(folder)
    remembered = {n: tuple(v) if isinstance(v, list) else v for n, v in facts.get("remembered", {}).items()}
    code = trust.code_of(facts["recipe"], [*words, *trust.code_remembered(remembered)], directory)
    writes = os.environ.get("RANK", "0") == "0"
    trust.asked(folder, code, trust.remote_code(words), told.trust, writes)
    changes = sources.changed_code(facts.get("code", code), code)
    if changes and refuse:
        accept(changes, folder, told.anyway, writes, {"code": code})
    elif changes:
        say(f"since this run was started, {'; '.join(changes)}")
    os.chdir(directory)
    try:
        recipe = recipes.named(facts["recipe"])
        words = _words({"words": words}, told.steps)
        arguments = arguments_of(facts["recipe"], words, "rlft train", remembered)
        return recipe(**arguments, **with_runtime(recipe, launched(told.cluster)))
    finally:
        os.chdir(here)


def _words(facts: dict[str, Any], steps: int | None, name: str = "words") -> list[str]:
    """The words it was started with, but for the steps."""
    words = list(facts[name])
    if steps is not None:
        take_option(words, "--steps")
        words += ["--steps", str(steps)]
    return words


def extended(run: Run, folder: Path, steps: int, writes: bool) -> None:
    """Let a run folder say that it runs another number of steps. `UserError` for fewer than are done."""
    done = max([checkpoint.place(path)[0] for path in checkpoint.there(folder / "checkpoints")], default=0)
    if steps < done:
        raise UserError(f"{folder} has done {done} steps already; --steps must be at least that, got {steps}")
    facts = facts_of(folder)
    told = {name: _words(facts, steps, name) for name in ("words", "command")}
    if writes:
        write_facts(folder, {**facts, **told, "arguments": {**facts["arguments"], "steps": run.steps}})
        if (file := folder / CONFIG).is_file():
            file.write_text(re.sub(r"(?m)^steps = \d+$", f"steps = {run.steps}", file.read_text()))


def arguments_of(
    name: str, words: list[str], program: str, remembered: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """A recipe's arguments: its own, what its model was trained with before, those of an arm of its claim (as it was
    tuned), and over them the words."""
    words, defaults = list(words), dict(remembered)
    arm = take_option(words, "--arm")
    if arm is not None:
        defaults |= tuned_arm(name, arm)
    return parse(recipes.named(name), words, program, FOLDER_OPTIONS, defaults)


FOLDER_OPTIONS = """Options of the run folder: --config FILE.toml (options by their names; a run writes its own),
--out FOLDER (new; nothing is ever overwritten), --save-every STEPS (20), --samples-every STEPS (10),
--track tensorboard wandb trackio mlflow (some of them, for the run to be seen there),
--resume FOLDER (alone, or with --steps STEPS to go on to as many, --track to be seen elsewhere,
--changed-anyway if data or code were edited since, --trust-run if others have made it).
--ray [ADDRESS] (draw and reward in processes of Ray, on this machine or a cluster; also beside --resume),
--samplers N (2, that draw), --sampler-gpus N (0, of each).
--arm NAME takes the settings of an arm of the recipe's claim."""


def launched(cluster: Cluster | None = None) -> Any:
    """The processes that torchrun started, if it did, or those of Ray that were asked for."""
    started = "TORCHELASTIC_RUN_ID" in os.environ
    if cluster is not None:
        if started:
            raise UserError("--ray has one learner, and torchrun starts several: use one of the two")
        from rlft.runtime.ray import Ray

        resources = {"num_cpus": 1, **({"num_gpus": cluster.gpus} if cluster.gpus else {})}
        return Ray(cluster.address, cluster.samplers, resources)
    if not started:
        return None
    from rlft.runtime.torchrun import Torchrun

    return Torchrun()


def with_runtime(recipe: Callable[..., Any], runtime: Any) -> dict[str, Any]:
    """The argument that tells a recipe of the processes it runs on, if there are several."""
    if runtime is None:
        return {}
    if "runtime" not in inspect.signature(recipe).parameters:
        raise UserError(f"recipe {recipe.__name__} has no parameter `runtime`, so it cannot run under torchrun")
    return {"runtime": runtime}


def trained(folder: Path, trusted: bool = False) -> Run:
    """A recipe's run built again from the words in its folder, with the weights of the newest checkpoint.

    Without checkpoints with those of `model/weights.safetensors`: the policy's alone, and not its critics'.
    """
    run = built(folder, Again(trust=trusted), refuse=False)
    if not checkpoint.there(folder / "checkpoints") and (folder / "model" / WEIGHTS).is_file():
        load_weights(run.trainer.policy, folder)
        return run
    state, _, _ = checkpoint.load(folder / "checkpoints", run.trainer.runtime)
    run.trainer.load_state_dict(state)
    return run
