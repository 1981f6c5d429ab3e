"""`rlft train` and `rlft run`: a recipe in its run folder, new or gone on with. Recipes are `rlft.recipes`'."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from rlft import recipes, report
from rlft.errors import UserError, say
from rlft.options import config
from rlft.options.arguments import plain, take_option, take_several
from rlft.options.trained import as_trained, draws
from rlft.runs import checkpoint
from rlft.runs.drive import drive
from rlft.runs.folder import CONFIG, Cadence, Stopped, begin, circumstances, refuse_existing
from rlft.runs.lock import held
from rlft.runs.log import facts_of, write_facts
from rlft.tool.again import (
    FOLDER_OPTIONS,
    Again,
    Cluster,
    arguments_of,
    built,
    cluster_of,
    extended,
    launched,
    with_runtime,
)
from rlft.tool.trust import asked_for_tools, code_of, code_remembered
from rlft.trackers import checked
from rlft.types import Remote

TRAIN, PICTURES = "train", "pictures"  # the recipes of `rlft train`


def train(words: list[str]) -> int:
    """`rlft train`: a language model, or a text-to-image pipeline, whichever `--model` is."""
    drawn = (config.recipe_in(words) == PICTURES) if "--config" in words else draws(words)
    return _run(PICTURES if drawn else TRAIN, words, "rlft train")


def run(words: list[str]) -> int:
    """`rlft run`."""
    if words and words[0] in ("-h", "--help"):
        print(f"rlft run RECIPE [OPTIONS], with RECIPE one of {', '.join(recipes.names())} or a file of your own\n")
        print("rlft run METHOD --env ID, with any published method: a world of Gymnasium, such as Pendulum-v1\n")
        print("rlft run RECIPE --help lists its options.", FOLDER_OPTIONS)
        return 0
    if words and words[0].startswith("-") and (told := config.recipe_in(words)) is not None:
        words = [told, *words]
    if not words or words[0].startswith("-"):
        raise UserError("rlft run needs a recipe's name or a file: rlft run arithmetic")
    name, rest = recipes.of_a_method(words[0], words[1:])
    return _run(name, rest, f"rlft run {words[0]}")


def _run(name: str, words: list[str], program: str) -> int:
    """A recipe in its run folder, new or resumed."""
    cluster, resume = cluster_of(words), take_option(words, "--resume")
    if resume is not None:
        track = take_several(words, "--track")
        steps = take_option(words, "--steps")
        told = Again(
            steps=None if steps is None else _count(steps, "--steps"),
            trust=_take_flag(words, "--trust-run"),
            anyway=_take_flag(words, "--changed-anyway"),
            cluster=cluster,
        )
        if words:
            raise UserError(
                f"--resume takes every setting but --steps and --track from the run folder; remove {' '.join(words)}"
            )
        return _resume(Path(resume), told, track)
    words = config.configured(words, recipes.named(name), config.FOLDER_KEYS)
    out, track = take_option(words, "--out"), take_several(words, "--track")
    cadence = Cadence(
        save=_count(take_option(words, "--save-every", "20"), "--save-every"),
        samples=_count(take_option(words, "--samples-every", "10"), "--samples-every"),
    )
    folder = Path(out or f"runs/{Path(program.split()[-1]).stem}-{datetime.now():%Y%m%d-%H%M%S}")
    kept = {"cadence": vars(cadence), "track": checked(track or ())}
    return _start(name, words, program, folder, kept, cluster)


def _start(
    name: str, words: list[str], program: str, folder: Path, kept: dict[str, Any], cluster: Cluster | None
) -> int:
    recipe, trusted = recipes.named(name), _take_flag(words, "--trust-run")
    remembered = as_trained(words) if name in (TRAIN, PICTURES) else {}
    asked_for_tools(words, remembered, trusted)
    arguments = arguments_of(name, words, program, remembered)
    if cluster is not None:
        refuse_existing(folder)  # before anything is started
    runtime = launched(cluster)
    first = runtime is None or runtime.rank == 0
    if first:
        refuse_existing(folder)
    with held(folder, first):
        code = code_of(name, [*words, *code_remembered(remembered)], Path.cwd())
        run = recipe(**arguments, **with_runtime(recipe, runtime))
        facts = {**kept, "arguments": plain(arguments), "code": code}
        facts |= {"remembered": remembered} if remembered else {}
        _begin(run, name, words, folder, facts)
        if first:
            more = {"save_every": kept["cadence"]["save"], "samples_every": kept["cadence"]["samples"]}
            told = {"arm": take_option(list(words), "--arm"), "track": kept["track"] or None}
            _keep_config(folder, config.text(name, recipe, arguments, {**more, **told}))
        return _drive(run, folder, Cadence(**kept["cadence"]))


def _begin(run: Any, name: str, words: list[str], folder: Path, facts: dict[str, Any]) -> None:
    """Make the new folder of a recipe's run."""
    if run.trainer.runtime.rank == 0:
        command = ["rlft", *(["train"] if name in (TRAIN, PICTURES) else ["run", name]), *words, "--out", str(folder)]
        about = {"command": command, "directory": os.getcwd(), "recipe": name, "words": words}
        about |= {"method": run.trainer.method.name, "seed": run.trainer.seed}
        begin(folder, {**about, **facts, **circumstances([Path(file) for file in facts["code"]])})
    checkpoint.meet(run.trainer.runtime)


def _keep_config(folder: Path, text: str) -> None:
    """A run's arguments in its folder, for another run of them."""
    file = folder / CONFIG
    try:
        file.write_text(f"# in {os.getcwd()}: rlft run --config {file}\n{text}", encoding="utf-8")
    except OSError as error:
        raise UserError(f"could not write {file}: {error.strerror}") from error


def _take_flag(words: list[str], name: str) -> bool:
    there = name in words
    words[:] = [word for word in words if word != name]
    return there


def _resume(folder: Path, told: Again, track: list[str] | None = None) -> int:
    """A run that goes on, to its end or to another number of steps; its trackers are those it had, or these."""
    facts, runtime, folder = facts_of(folder), None if told.cluster else launched(), folder.resolve()
    first = runtime is None or runtime.rank == 0
    followed = checked(facts.get("track", ()) if track is None else track)
    with held(folder, first):
        if first and track is not None:
            write_facts(folder, {**facts_of(folder), "track": followed})
        run = built(folder, told)
        if told.steps is not None:
            extended(run, folder, told.steps, first)
        return _drive(run, folder, Cadence(**facts.get("cadence", {})), told.anyway)


def _drive(run: Any, folder: Path, cadence: Cadence, anyway: bool = False) -> int:
    try:
        drive(run, folder, cadence, anyway=anyway)
    except Stopped as stopped:
        say(str(stopped))
        return 3
    finally:
        if isinstance(run.trainer.runtime, Remote):
            run.trainer.runtime.close()
    if run.trainer.runtime.rank == 0:
        print()
        for label, value in report.summary_lines(report.read(folder)):
            print(f"  {label:<24} {value}")
        print(f"  {'report':<24} {folder / 'report.html'}")
    return 0


def _count(text: str | None, option: str) -> int:
    if text is None or not text.isdigit() or int(text) < 1:
        raise UserError(f"{option} takes a number of steps from 1; got {text!r}")
    return int(text)
