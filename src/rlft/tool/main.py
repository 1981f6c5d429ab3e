"""The tool: `rlft train, run, eval, sample, reproduce, report …`. Parses, calls, prints; decides nothing.

Exit codes: 0 done, 2 something that was given cannot work (said in one or two lines), 3 stopped on request and
resumable, 1 a fault of ours or of a reward (with its traceback), or an output that nobody reads any more.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from rlft.errors import Misbehaved, UserError
from rlft.version import __version__

USAGE = f"""rlft {__version__}: reinforcement-learning fine-tuning of any generative policy

  rlft train --model FOLDER_OR_HUB_ID --data FILE --reward NAME [--method grpo] [--out runs/first]
  rlft train --resume runs/first        go on where a run stopped
  rlft train --config FILE.toml …       options from a file; every run has its own, config.toml
  rlft run RECIPE [--out FOLDER]        a recipe, or a file of your own: {{recipes}}
  rlft run METHOD --env Pendulum-v1     a world of Gymnasium by any published method: sac, ppo …
  rlft eval --model … --data … --reward … [--samples 8] [--json]
  rlft sample --model … --prompt "…" [-n 4]
  rlft papers [KEY]                     the systems, what each adds, the state of its evidence
  rlft reproduce KEY [--smoke]          a paper's claim: every arm, every seed, the verdict
  rlft run KEY --arm ARM [--seed 1]     one arm of it
  rlft compare A B …                    recipes under one budget, or run folders: one table, one figure
  rlft check-reward --data … --reward … [--model …]     what a reward makes of a few rows, before training
  rlft make-data --taxonomy "algebra, logic" --writer MODEL --check OTHER --out FOLDER     data that models write
  rlft fit-reward --model … --data preferences.jsonl --out rewards/first     for --reward "scorer('rewards/first')"
  rlft report runs/first [runs/second …]                one page; several runs are compared
  rlft merge runs/first OUT             an adapter added into its base, as one whole model
  rlft soup runs/a runs/b … --out OUT   the mean of models that were fine-tuned from one start
  rlft study weights BEFORE AFTER       how much of the weights moved, which part, whether their directions turned
  rlft study beyond BASE TUNED … --data FILE --reward math     whether it solves what its base does not
  rlft study levels MODEL --data FILE --reward choice     how hard each problem is for it, as columns to choose by
  rlft study formats RUN --format code='^def '     in which formats it answers, how right, and which one wins
  rlft push runs/first OWNER/NAME       to the Hugging Face hub, private; --dry-run FOLDER to look at it first
  rlft doctor                           what this machine has, and a ten-second self-test

`rlft COMMAND --help` lists a command's options."""

COMMANDS = {
    "eval": "rlft.tool.eval:eval_",
    "sample": "rlft.tool.sample:sample",
    "check-reward": "rlft.tool.check_reward:check_reward",
    "report": "rlft.tool.report:report",
    "doctor": "rlft.tool.doctor:doctor",
    "reproduce": "rlft.tool.claims:reproduce",
    "compare": "rlft.tool.claims:compare",
    "merge": "rlft.tool.merge:merge",
    "soup": "rlft.tool.soup:soup",
    "study weights": "rlft.tool.study:weights",
    "study beyond": "rlft.tool.beyond:beyond",
    "study formats": "rlft.tool.formats:formats",
    "study levels": "rlft.tool.levels:levels",
    "push": "rlft.tool.push:push",
    "fit-reward": "rlft.tool.fit_reward:fit_reward",
    "make-data": "rlft.tool.make_data:make_data",
}

# The same of a model that draws pictures.
OF_PICTURES = {"eval": "rlft.tool.pictures:eval_", "sample": "rlft.tool.pictures:sample"}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the command `rlft`."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the tool has its own
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except UserError as error:
        code = _said(f"error: {error}", 2)
    except Misbehaved as error:
        code = _said(f"error: {error}", 1)
    except FloatingPointError as error:
        code = _said(f"error: {error}; lower --lr, or use --dtype float32", 2)
    except BrokenPipeError:  # whoever reads the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    except KeyboardInterrupt:
        code = _said("interrupted", 130)
    except Exception as error:
        traceback.print_exc()
        code = _said(f"error: {type(error).__name__}: {error}\nThis was not foreseen and may be a fault of rlft's.", 1)
    sys.exit(code)


def _said(sentence: str, code: int) -> int:
    print(f"rlft: {sentence}", file=sys.stderr)
    return code


def _split(words: list[str]) -> tuple[str, list[str]]:
    """A command, of two words where the first is `study`, and what it is given."""
    first = 2 if words[0] == "study" else 1
    return " ".join(words[:first]), words[first:]


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        from rlft import recipes

        print(USAGE.format(recipes=", ".join(recipes.names())))
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    command, rest = _split(words)
    if command in ("train", "run"):
        from rlft.tool import run

        return run.train(rest) if command == "train" else run.run(rest)
    if command == "papers":  # it answers at once: no PyTorch, which `arguments` needs
        import tyro

        from rlft.tool.papers import papers

        return tyro.cli(papers, args=rest, prog="rlft papers")
    if command not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(command, ["train", "run", "papers", *COMMANDS], n=1, cutoff=0.5)
        raise UserError(f"unknown command {command!r}{f'; did you mean {near[0]}?' if near else ''}; see rlft --help")
    from importlib import import_module
    from inspect import signature

    from rlft.options.arguments import parse
    from rlft.options.config import configured
    from rlft.options.trained import as_trained, draws
    from rlft.tool.trust import asked_for_tools

    place, name = (OF_PICTURES if command in OF_PICTURES and draws(rest) else COMMANDS)[command].split(":")
    function = getattr(import_module(place), name)
    if command == "eval":
        rest = configured(rest, function)
    told = as_trained(rest)
    if "tools" in signature(function).parameters:
        asked_for_tools(rest, told, "--trust-run" in rest)
    return function(**parse(function, rest, f"rlft {command}", defaults=told))


if __name__ == "__main__":
    main()
