"""Trackio: a file of SQLite under Hugging Face's cache (`TRACKIO_DIR`), or a Space; `trackio show` shows it.

https://huggingface.co/docs/trackio. The project is `rlft`, or `TRACKIO_PROJECT`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any

from rlft.trackers.entry import Entry, table
from rlft.trackers.tracker import ALWAYS, About, Sent, Tracker, last

_ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")


class Trackio(Tracker):
    """A run of theirs, called by our name and identity, under which it is found again."""

    def __init__(self, about: About):
        import trackio

        self.project, self.name = os.environ.get("TRACKIO_PROJECT", "rlft"), f"{about.name}-{about.identity}"
        with contextlib.redirect_stdout(sys.stderr):
            self.run = trackio.init(
                self.project,
                self.name,
                config=dict(about.configuration),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def had(self, noted: Sent, closed: Sent) -> Sent:
        """What their file has: lines are written by another thread, so the last ones of a killed run may lack."""
        if any(os.environ.get(name) for name in _ELSEWHERE):
            return closed
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs(self.project, self.name)
        kept = {**ALWAYS, "samples": "samples/place"}
        return {log: last(row["step"] for row in rows if key in row) for log, key in kept.items()}

    def send(self, entry: Entry) -> None:
        import trackio
        from PIL import Image

        told: dict[str, Any] = dict(entry.numbers)
        if entry.text:
            told |= {f"samples/{entry.place}": trackio.Markdown(entry.text), "samples/place": entry.place}
        for number, file in enumerate(entry.pictures, 1):
            told[f"samples/{entry.place}/{number}"] = trackio.Image(Image.open(io.BytesIO(file)))
        self.run.log(told, step=entry.step)

    def summary(self, words: Mapping[str, str], numbers: Mapping[str, float]) -> None:
        import trackio

        self.run.log({"summary": trackio.Markdown(table(words))})

    def close(self, status: str) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self.run.finish()


TRACKER = Trackio
