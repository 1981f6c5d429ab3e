"""A trained model to the Hugging Face hub: what is uploaded, put together in a folder, and the upload. Trains nothing.

https://huggingface.co/docs/huggingface_hub/guides/upload. Private unless asked otherwise. No path of this machine
and no name of its user goes along.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from rlft.errors import UserError, say
from rlft.runs.card import base_of, write_cards
from rlft.runs.folder import refuse_taken
from rlft.runs.log import facts_of

_ADAPTER, _REMEMBERED = "adapter_config.json", "rlft.json"
_LIBRARIES = ("httpx", "httpx2", "httpcore", "requests", "urllib3")


def staged(run: Path, folder: Path) -> None:
    """Put into a new folder what `run` is on the hub: the model of a run folder with a card made now, or a model's
    folder as it is.

    `UserError` for a run without a model, for a folder that is none, and for one that cannot be written.
    """
    told = (run / "run.json").is_file()
    model = run / "model" if told else run
    if not model.is_dir() or not any(model.iterdir()):
        finish = f": finish it with rlft train --resume {run}" if told else "; give a run folder, or a model's"
        raise UserError(f"{run} holds no trained model{finish}")
    refuse_taken(folder)
    try:
        shutil.copytree(model, folder, ignore=shutil.ignore_patterns(".*"))
        if told:
            write_cards(folder, run)
        for part in (folder, folder / "one", folder / "two"):
            _without_paths(part, facts_of(run) if told else {})
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from error


def _without_paths(folder: Path, facts: dict[str, Any]) -> None:
    """Tools, an agent and an adapter's base by their names; nothing of who made it."""
    if (file := folder / _REMEMBERED).is_file():
        told = {name: value for name, value in json.loads(file.read_text()).items() if name != "made"}
        if isinstance(told.get("tools"), list):
            told["tools"] = [PurePath(str(one)).name for one in told["tools"]]
        if "agent" in told:
            told["agent"] = PurePath(str(told["agent"])).name
        file.write_text(json.dumps(told, indent=1) + "\n")
    if (file := folder / _ADAPTER).is_file():
        name, hub = base_of(folder, facts)
        if hub is None:
            say(
                f"the base of this adapter is {name!r}, a folder of this machine: whoever loads the adapter needs it "
                "too; rlft merge makes one whole model of both"
            )
        told = json.loads(file.read_text())
        file.write_text(json.dumps({**told, "base_model_name_or_path": hub or name}, indent=2) + "\n")


def push(folder: Path, repo: str, public: bool = False, update: bool = False) -> str:
    """Upload a folder as a model, private unless `public`; its address.

    repo    OWNER/NAME, or NAME of whoever the token belongs to
    update  add a commit to one that is there, which stays as private as it is

    `UserError` for everything that may go wrong: no token, no network, no right, one that is there already.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.constants import ENDPOINT

    if get_token() is None:
        raise UserError("there is no token of the hub: log in with `hf auth login`, or set HF_TOKEN")
    # From the environment as it is now: the library has read it when it was imported.
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or ENDPOINT)
    with _told(repo, "nothing was uploaded"):
        made = api.create_repo(repo, private=not public, exist_ok=update)
    with _told(repo, f"{made.repo_id} is there now, and push again with --update"):
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message="Upload model, made with rlft")
    return str(made)


@contextmanager
def _told(repo: str, state: str) -> Iterator[None]:
    """Whatever the hub, or the way to it, raises, as a sentence."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except HFValidationError as error:
        raise UserError(f"{repo!r} cannot be the name of a model: {error}") from error
    except OfflineModeIsEnabled as error:
        raise UserError("HF_HUB_OFFLINE is set, so the hub is not asked; unset it, or use --dry-run") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        told = getattr(error, "server_message", None) or str(error)
        raise UserError(f"{_why(status, repo, told)}; {state}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _LIBRARIES and not isinstance(error, OSError):
            raise
        told = " ".join(str(error).split())
        raise UserError(f"the hub cannot be reached ({type(error).__name__}: {told:.200}); {state}") from error


def _why(status: int | None, repo: str, told: str) -> str:
    """What an answer of the hub means."""
    known = {
        401: "the hub does not know the token: log in again with `hf auth login`",
        403: f"the token may not write to {repo}: it needs the right to write, and the owner must be you or yours",
        404: f"the hub has no {repo}, or does not show it to this token",
        409: f"{repo} exists already, and was left as it is; choose another name, or add to it with --update",
    }
    return known.get(status or 0, f"the hub refused ({status}): {' '.join(told.split()):.200}")
