"""The code and the paths that a run folder names: where they are now, whether they have changed, whose they are.

Going on with a run and evaluating it import the files that its `run.json` names; a model that was trained with tools
names theirs. Nothing here imports them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft.errors import UserError, say
from rlft.machine import here
from rlft.options.arguments import take_option
from rlft.options.plan import texts
from rlft.policies.language.remembered import maker
from rlft.runs import sources
from rlft.runs.log import facts_of, write_facts

_FILE = re.compile(r"(?:--[\w.-]+=)?(.+?\.py)(?=[:(]|$)")
_REMOTE = "--trust-remote-code"


def code_of(recipe: str, words: Sequence[str], directory: Path) -> dict[str, str]:
    """The Python files that words of a command line name, also in a file of stages (`options.plan`), and what they
    import beside them, with their hashes."""
    plans = [word.partition("=")[2] if word.startswith("--") else word for word in words if word.endswith(".toml")]
    told = [text for plan in plans for text in texts(directory / Path(plan).expanduser())]
    named = [found[1] for word in (recipe, *words, *told) if (found := _FILE.match(word.strip()))]
    return sources.code([directory / Path(name).expanduser() for name in named], directory)


def found_again(folder: Path) -> tuple[Path, list[str]]:
    """The directory in which the words of a run folder mean something, and these words.

    If it is gone and the folder has moved, both have moved together. `UserError` if it cannot be found.
    """
    facts = facts_of(folder)
    directory, words = Path(facts["directory"]), [str(word) for word in facts["words"]]
    if directory.is_dir():
        return directory, words
    out = facts.get("folder") or take_option([*map(str, facts.get("command", []))], "--out")
    moved = (folder / os.path.relpath(directory, directory / out)).resolve() if out else directory
    if not moved.is_dir() or moved == Path(moved.anchor):
        raise UserError(
            f"{folder} was started in {directory}, which is gone, so the paths that it names mean nothing: bring that "
            "directory back, or move the run folder to where it was in it"
        )
    say(f"{directory} is gone, and its paths are taken from {moved}")
    return moved, [word.replace(str(directory), str(moved)) for word in words]


def asked(folder: Path, code: Mapping[str, str], remote: bool, trust: bool, writes: bool = True) -> None:
    """Say which code of the user's runs; `UserError` until it is trusted once, for a folder that others have made.

    That it is trusted is written into the folder by the process that `writes`.
    """
    files = [*code, *(["the code of a model from the hub"] if remote else [])]
    if not files:
        return
    say(f"{folder} runs {', '.join(files)}")
    facts, me = facts_of(folder), here()
    if me == facts.get("made", me) or me in facts.get("trusted", []):
        return
    if not trust:
        made = facts["made"]
        raise UserError(
            f"{folder} was made by {made.get('user')} on {made.get('host')} and runs code of theirs: look at "
            f"{', '.join(files)}, then say once that you trust it with --trust-run"
        )
    try:
        if writes:
            write_facts(folder, {**facts, "trusted": [*facts.get("trusted", []), me]})
    except OSError:
        say("this cannot be written into it, so it will be asked again")


def code_remembered(told: Mapping[str, Any]) -> list[str]:
    """The functions that a model remembers it was used with: tools, and the agent that asked it."""
    return [*told.get("tools", ()), *filter(None, [told.get("agent")])]


def asked_for_tools(words: Sequence[str], told: Mapping[str, Any], trust: bool) -> None:
    """The same question for the tools and the agent that a model's folder remembers, which are files of whole paths.

    words  of a command line, with `--model`
    told   what they leave to the folder, see `options.trained`
    """
    model = take_option(list(words), "--model")
    if model is None or not code_remembered(told):
        return
    code, run = code_of("", code_remembered(told), Path.cwd()), _run_of(Path(model).expanduser())
    if run is not None:
        asked(run, code, False, trust)
        return
    say(f"{model} runs {', '.join(code)}")
    if not trust and maker(model) != here():
        raise UserError(
            f"{model} remembers tools, and was not made by you on this machine: look at {', '.join(code)}, then say "
            "with --trust-run that you trust them, or with --tools or --agent which are to be used"
        )


def _run_of(model: Path) -> Path | None:
    """The run folder that a model's folder is, or lies in."""
    return next((f for f in (model, *model.absolute().parents[:2]) if (f / "run.json").is_file()), None)


def remote_code(words: Sequence[str]) -> bool:
    """Whether the words let a model from the hub bring code along."""
    return any(word.split("=")[0] == _REMOTE for word in words)
