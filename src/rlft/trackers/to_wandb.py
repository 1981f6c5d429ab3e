"""Weights & Biases. `WANDB_MODE=offline` keeps everything in `trackers/wandb` of the run folder for `wandb sync`.

https://docs.wandb.ai/ref/python. The project is `rlft`, or `WANDB_PROJECT`.
"""

from __future__ import annotations

import html
import io
import os
from collections.abc import Mapping
from pathlib import Path

from rlft.trackers.entry import Entry
from rlft.trackers.tracker import About, Sent, Tracker


class Wandb(Tracker):
    """A run of theirs with an id of its own, which is the same one when the run goes on.

    A process of theirs keeps lines for a while, and ends with ours: what it was given since it was last closed is given
    to it again. Their own step is a line's place in the whole run, by which their server leaves out one that it has;
    charts are drawn over ours, `step`. Offline the folder of a run that was killed is set aside, for the next has all
    of its lines.
    """

    def __init__(self, about: About):
        import wandb

        about.folder.mkdir(parents=True, exist_ok=True)
        self.memory = about.memory
        if (left := Path(self.memory.get("open", ""))).name.startswith("offline-run-") and left.is_dir():
            left.rename(left.with_name(f"killed-{left.name}"))
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "rlft"),
            name=about.name,
            id=about.identity,
            resume="allow",
            dir=os.environ.get("WANDB_DIR", str(about.folder)),
            config=dict(about.configuration),
            settings=wandb.Settings(console="off"),  # the terminal is the bar's
        )
        self.memory["open"] = str(Path(self.run.dir).parent)  # a run is `FOLDER/files`
        self.run.define_metric("step", hidden=True)
        self.run.define_metric("*", step_metric="step")

    def had(self, noted: Sent, closed: Sent) -> Sent:
        return closed

    def send(self, entry: Entry) -> None:
        import wandb
        from PIL import Image

        told = {**entry.numbers, "step": entry.step}
        if entry.text:
            told[f"samples/{entry.place}"] = wandb.Html(f"<pre>{html.escape(entry.text)}</pre>", inject=False)
        for number, file in enumerate(entry.pictures, 1):
            told[f"samples/{entry.place}/{number}"] = wandb.Image(Image.open(io.BytesIO(file)))
        self.run.log(told, step=entry.order)

    def summary(self, words: Mapping[str, str], numbers: Mapping[str, float]) -> None:
        self.run.summary.update({**{f"summary/{label}": value for label, value in words.items()}, **numbers})

    def close(self, status: str) -> None:
        self.run.finish(exit_code=1 if status == "failed" else 0)
        self.memory.pop("open", None)


TRACKER = Wandb
