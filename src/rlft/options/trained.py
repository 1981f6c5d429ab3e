"""What a model was trained with, for what a command line does not say: `--model` is looked up before words are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlft.errors import say
from rlft.options.arguments import take_option
from rlft.policies.language.remembered import remembered
from rlft.policies.pipelines.known import is_pipeline
from rlft.runs.folder import model_folder


def as_trained(words: Sequence[str]) -> dict[str, Any]:
    """Defaults by the names of options, from the folder of `--model`, and a line on stderr that says them.

    Words win, and what they say is left out. Nothing where no problems are given, for then a run folder is built again
    from its own words.
    """
    model, given = take_option(list(words), "--model"), {word.split("=")[0] for word in words}
    if model is None or not given & {"--data", "--prompt"}:
        return {}
    told = remembered(model_folder(model))
    said = {name: {f"--{name.replace('_', '-')}", f"--no-{name.replace('_', '-')}"} for name in told}
    shown = {name: value for name, value in told.items() if not given & said[name]}
    if shown:
        say(f"as it was trained: {' '.join(_words(shown))}")
    return shown


def draws(words: Sequence[str]) -> bool:
    """Whether the words of a command line name a text-to-image pipeline, or a run or adapter of one, as `--model`."""
    model = take_option(list(words), "--model")
    if model is None:
        return False
    run = Path(model).expanduser()
    if (run / "run.json").is_file():
        return (run / "model").is_dir() and is_pipeline(str(run / "model"))
    return is_pipeline(model)


def _words(options: dict[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        values = [] if value is True else value if isinstance(value, tuple) else [value]
        words += [
            f"--{name.replace('_', '-')}",
            *(str(one) if str(one).isprintable() and " " not in str(one) else repr(one) for one in values),
        ]
    return words
