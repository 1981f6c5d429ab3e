"""`rlft push`: a trained model to the Hugging Face hub, or to a folder to look at first. No training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import tyro

from rlft.errors import UserError
from rlft.runs import push as hub


def push(
    run: tyro.conf.Positional[Path],
    repo: tyro.conf.Positional[str],
    public: bool = False,
    update: bool = False,
    dry_run: Path | None = None,
) -> int:
    """Upload a trained model, an adapter or a whole one, with a card that says what was trained on what, and how well.

    It is private. Whoever it belongs to is whose token it is: `hf auth login`, or HF_TOKEN.

    Args:
        run: a run folder, or a model's folder.
        repo: OWNER/NAME on the hub, or NAME.
        public: for everybody to see.
        update: add to a model that is on the hub already.
        dry_run: a new folder to write into what would be uploaded, and upload nothing.
    """
    if dry_run is not None and (public or update):
        raise UserError("--dry-run uploads nothing, so --public and --update mean nothing with it")
    if dry_run is not None:
        hub.staged(run, dry_run)
        print(f"{dry_run}: {_listed(dry_run)}; nothing was uploaded")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        hub.staged(run, place)
        told = _listed(place)
        print(f"{hub.push(place, repo, public, update)}: {told}{'' if public or update else ', private'}")
    return 0


def _listed(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files) / 1e6
    return f"{', '.join(str(path.relative_to(folder)) for path in files)} ({size:.3g} MB)"
