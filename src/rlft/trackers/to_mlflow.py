"""MLflow: the store of `MLFLOW_TRACKING_URI`, by default `mlflow.db` in the working directory; `mlflow ui` shows it.

https://mlflow.org/docs/latest/python_api/mlflow.client.html. The experiment is `rlft`, or `MLFLOW_EXPERIMENT_NAME`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rlft.trackers.entry import Entry
from rlft.trackers.tracker import ALWAYS, About, Sent, Tracker, last

_ENDED = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_AT_ONCE = 90  # parameters in one request, which may have 100


class MLflow(Tracker):
    """A run of theirs, found again by its id in the store where it was begun. Samples are its artifacts."""

    def __init__(self, about: About):
        import mlflow
        from mlflow.entities import Param

        uri = about.memory.get("uri", mlflow.get_tracking_uri())
        if uri.startswith("sqlite:"):  # another address may hold a password
            about.memory["uri"] = uri
        self.client = mlflow.MlflowClient(tracking_uri=uri)
        if "run" not in about.memory:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "rlft")
            found = self.client.get_experiment_by_name(name)
            place = self.client.create_experiment(name) if found is None else found.experiment_id
            about.memory["run"] = self.client.create_run(place, run_name=about.name).info.run_id
        self.run: str = about.memory["run"]
        if not about.goes_on:
            told = [Param(_allowed(n), json.dumps(v)[:6000]) for n, v in about.configuration.items()]
            for start in range(0, len(told), _AT_ONCE):
                self.client.log_batch(self.run, params=told[start : start + _AT_ONCE])
        self.client.update_run(self.run, status="RUNNING")

    def had(self, noted: Sent, closed: Sent) -> Sent:
        """What the store has; of samples, which are files and may be written twice, what is noted."""
        histories = {log: self.client.get_metric_history(self.run, name) for log, name in ALWAYS.items()}
        return {**noted, **{log: last(one.step for one in told) for log, told in histories.items() if told}}

    def send(self, entry: Entry) -> None:
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        told = [Metric(_allowed(name), number, now, entry.step) for name, number in entry.numbers.items()]
        if told:
            self.client.log_batch(self.run, metrics=told)
        name = f"samples/{entry.step:06d}-{entry.place}"
        if entry.text:
            self.client.log_text(self.run, entry.text, f"{name}.md")
        for number, file in enumerate(entry.pictures, 1):
            with tempfile.TemporaryDirectory() as folder:
                picture = Path(folder) / f"{entry.step:06d}-{entry.place}-{number}.png"
                picture.write_bytes(file)
                self.client.log_artifact(self.run, str(picture), "samples")

    def summary(self, words: Mapping[str, str], numbers: Mapping[str, float]) -> None:
        for label, value in words.items():
            self.client.set_tag(self.run, f"rlft.{_allowed(label)}", value)

    def close(self, status: str) -> None:
        self.client.set_terminated(self.run, _ENDED.get(status, "FAILED"))


def _allowed(name: str) -> str:
    """A name as their stores take it: `pass@8` is none."""
    return re.sub(r"[^\w\-. /]", "_", name)


TRACKER = MLflow
