"""The tool: `rlft train, run, eval, sample, reproduce, report …`. Parses, calls, prints; decides nothing.

Exit codes: 0 done, 2 something that was given cannot work (said in one or two lines), 3 stopped on request and
resumable, 1 a fault of ours or of a reward (with its traceback).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rlft import __version__
from rlft.errors import UserError

USAGE = f"""rlft {__version__}: reinforcement-learning fine-tuning of any generative policy

  rlft train --model FOLDER_OR_HUB_ID --data FILE --reward NAME [--method grpo] [--out runs/first]
  rlft train --resume runs/first        go on where a run stopped
  rlft run RECIPE [--out FOLDER]        a recipe, or a file of your own: {{recipes}}
  rlft eval --model … --data … --reward … [--samples 8] [--json]
  rlft sample --model … --prompt "…" [-n 4]
  rlft papers [KEY]                     the systems, what each adds, the state of its evidence
  rlft reproduce KEY [--smoke]          a paper's claim: every arm, every seed, the verdict
  rlft run KEY --arm ARM [--seed 1]     one arm of it
  rlft compare A B …                    recipes under one budget, or run folders: one table, one figure
  rlft check-reward --data … --reward … [--model …]     what a reward makes of a few rows, before training
  rlft report runs/first [runs/second …]                one page; several runs are compared
  rlft doctor                           what this machine has, and a ten-second self-test

`rlft COMMAND --help` lists a command's options."""

COMMANDS = {
    "eval": "rlft.commands:eval_",
    "sample": "rlft.commands:sample",
    "check-reward": "rlft.commands:check_reward",
    "report": "rlft.commands:report",
    "doctor": "rlft.commands:doctor",
    "reproduce": "rlft.evidence.commands:reproduce",
    "compare": "rlft.evidence.commands:compare",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the command `rlft`."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the tool has its own
    try:
        sys.exit(_dispatch(words))
    except UserError as error:
        print(f"rlft: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("rlft: interrupted", file=sys.stderr)
        sys.exit(130)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        from rlft import recipes

        print(USAGE.format(recipes=", ".join(recipes.names())))
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    command, rest = words[0], words[1:]
    if command == "train":
        return _run("train", rest, "rlft train")
    if command == "run":
        if rest and rest[0] in ("-h", "--help"):
            from rlft import recipes

            print(f"rlft run RECIPE [OPTIONS], with RECIPE one of {', '.join(recipes.names())} or a file of your own\n")
            print("rlft run RECIPE --help lists its options.", FOLDER_OPTIONS)
            return 0
        if not rest or rest[0].startswith("-"):
            raise UserError("rlft run needs a recipe's name or a file: rlft run arithmetic")
        return _run(rest[0], rest[1:], f"rlft run {rest[0]}")
    if command == "papers":  # it answers at once: no PyTorch, which `arguments` needs
        import tyro

        from rlft.evidence.papers import papers

        return tyro.cli(papers, args=rest, prog="rlft papers")
    if command not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(command, ["train", "run", "papers", *COMMANDS], n=1, cutoff=0.5)
        raise UserError(f"unknown command {command!r}{f'; did you mean {near[0]}?' if near else ''}; see rlft --help")
    from importlib import import_module

    from rlft.arguments import parse

    place, name = COMMANDS[command].split(":")
    function = getattr(import_module(place), name)
    return function(**parse(function, rest, f"rlft {command}"))


def _run(name: str, words: list[str], program: str) -> int:
    """A recipe in its run folder, new or resumed."""
    from rlft import runs
    from rlft.arguments import take_option

    resume = take_option(words, "--resume")
    if resume is not None:
        if words:
            raise UserError(f"--resume takes every setting from the run folder; remove {' '.join(words)}")
        return _resume(Path(resume))
    out = take_option(words, "--out")
    cadence = runs.Cadence(
        save=_count(take_option(words, "--save-every", "20"), "--save-every"),
        samples=_count(take_option(words, "--samples-every", "10"), "--samples-every"),
    )
    folder = Path(out or f"runs/{Path(name).stem}-{datetime.now():%Y%m%d-%H%M%S}")
    return _start(name, words, program, folder, cadence)


def _start(name: str, words: list[str], program: str, folder: Path, cadence: Any) -> int:
    from rlft import checkpoint, recipes, runs
    from rlft.arguments import plain

    recipe = recipes.named(name)
    arguments = _arguments(name, words, program)
    runtime = _runtime()
    if runtime is None or runtime.rank == 0:
        runs.refuse_existing(folder)
    run = recipe(**arguments, **_with_runtime(recipe, runtime))
    if run.trainer.runtime.rank == 0:
        command = ["rlft", *(["train"] if name == "train" else ["run", name]), *words, "--out", str(folder)]
        facts = {"command": command, "directory": os.getcwd(), "recipe": name, "words": words, "cadence": vars(cadence)}
        facts |= {"arguments": plain(arguments), "method": run.trainer.method.name, "seed": run.trainer.seed}
        runs.begin(folder, {**facts, **runs.circumstances()})
    checkpoint.meet(run.trainer.runtime)
    return _drive(run, folder, cadence)


def _resume(folder: Path) -> int:
    from rlft import runs

    run, folder = built(folder), folder.resolve()
    return _drive(run, folder, runs.Cadence(**runs.facts_of(folder)["cadence"]))


def built(folder: Path) -> Any:
    """The run of a folder, built again from the words it was started with, in the directory where they meant
    something; its weights are those it started from."""
    from rlft import recipes, runs

    facts = runs.facts_of(folder)
    if "words" not in facts:
        raise UserError(
            f"{folder} was started from Python: call rlft.train again with the same arguments and resume=True"
        )
    here = Path.cwd()
    os.chdir(facts["directory"])
    try:
        recipe = recipes.named(facts["recipe"])
        arguments = _arguments(facts["recipe"], facts["words"], "rlft train")
        return recipe(**arguments, **_with_runtime(recipe, _runtime()))
    finally:
        os.chdir(here)


def _arguments(name: str, words: list[str], program: str) -> dict[str, Any]:
    """A recipe's arguments: its own, those of an arm of its claim (as it was tuned), and over them the words."""
    from rlft import recipes
    from rlft.arguments import parse, take_option

    words, defaults = list(words), {}
    arm = take_option(words, "--arm")
    if arm is not None:
        from rlft.evidence.cells import tuned_arm

        defaults = tuned_arm(name, arm)
    return parse(recipes.named(name), words, program, FOLDER_OPTIONS, defaults)


def _drive(run: Any, folder: Path, cadence: Any) -> int:
    from rlft import report, runs

    try:
        runs.drive(run, folder, cadence)
    except runs.Stopped as stopped:
        print(f"rlft: {stopped}", file=sys.stderr)
        return 3
    if run.trainer.runtime.rank == 0:
        print()
        for label, value in report.summary_lines(report.read(folder)):
            print(f"  {label:<24} {value}")
        print(f"  {'report':<24} {folder / 'report.html'}")
    return 0


FOLDER_OPTIONS = """Options of the run folder: --out FOLDER (new; nothing is ever overwritten), --save-every STEPS (20),
--samples-every STEPS (10), --resume FOLDER (alone). --arm NAME takes the settings of an arm of the recipe's claim."""


def _count(text: str | None, option: str) -> int:
    if text is None or not text.isdigit() or int(text) < 1:
        raise UserError(f"{option} takes a number of steps from 1; got {text!r}")
    return int(text)


def _runtime() -> Any:
    """The processes that torchrun started, if it did."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    from rlft.runtime.torchrun import Torchrun

    return Torchrun()


def _with_runtime(recipe: Callable[..., Any], runtime: Any) -> dict[str, Any]:
    import inspect

    if runtime is None:
        return {}
    if "runtime" not in inspect.signature(recipe).parameters:
        raise UserError(f"recipe {recipe.__name__} has no parameter `runtime`, so it cannot run under torchrun")
    return {"runtime": runtime}


if __name__ == "__main__":
    main()
