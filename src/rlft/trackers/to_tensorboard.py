"""TensorBoard: event files in `trackers/tensorboard` of the run folder; `tensorboard --logdir runs` shows all runs.

https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto. Writes them without PyTorch.
"""

from __future__ import annotations

import importlib
import io
import json
import time
from collections.abc import Mapping
from typing import Any

from rlft.trackers.entry import Entry, table
from rlft.trackers.tracker import About, Sent, Tracker


class TensorBoard(Tracker):
    """Event files. A run that goes on begins a new file, which takes the place of what was written from its step on."""

    def __init__(self, about: About):
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.writer = EventFileWriter(str(about.folder))
        if not about.goes_on:
            self._session(0)  # readers take the first of these for no restart
            told = "\n".join(f"    {name}: {json.dumps(value)}" for name, value in about.configuration.items())
            self._write(0, [_text("configuration", told)])

    def had(self, noted: Sent, closed: Sent) -> Sent:
        """All before the last step that is noted; readers leave out what earlier files have from there on."""
        step = noted.get("metrics", (0, 0))[0]
        self._session(step)
        return {log: min(place, (step, 0)) for log, place in noted.items()}

    def send(self, entry: Entry) -> None:
        values = [_value(tag=name, simple_value=number) for name, number in entry.numbers.items()]
        name = f"samples/{entry.place}"
        values += [_text(name, entry.text)] if entry.text else []
        values += [_picture(f"{name}/{number}", file) for number, file in enumerate(entry.pictures, 1)]
        self._write(entry.step, values)

    def summary(self, words: Mapping[str, str], numbers: Mapping[str, float]) -> None:
        self._write(0, [_text("summary", table(words))])

    def close(self, status: str) -> None:
        self.writer.close()

    def _session(self, step: int) -> None:
        event = _proto("event")
        begun = event.SessionLog(status=event.SessionLog.START)
        self.writer.add_event(event.Event(wall_time=time.time(), step=step, session_log=begun))
        self.writer.flush()

    def _write(self, step: int, values: list[Any]) -> None:
        told = _proto("summary").Summary(value=values)
        self.writer.add_event(_proto("event").Event(wall_time=time.time(), step=step, summary=told))
        self.writer.flush()


def _proto(name: str) -> Any:
    """A module of their messages, which are made when it is imported: no type checker knows them."""
    return importlib.import_module(f"tensorboard.compat.proto.{name}_pb2")


def _value(**told: Any) -> Any:
    return _proto("summary").Summary.Value(**told)


def _text(tag: str, text: str) -> Any:
    known, shaped = _proto("summary").SummaryMetadata, _proto("tensor_shape").TensorShapeProto
    plugin = known(plugin_data=known.PluginData(plugin_name="text"))
    shape = shaped(dim=[shaped.Dim(size=1)])
    kind = _proto("types").DT_STRING
    tensor = _proto("tensor").TensorProto(dtype=kind, string_val=[text.encode()], tensor_shape=shape)
    return _value(tag=tag, metadata=plugin, tensor=tensor)


def _picture(tag: str, file: bytes) -> Any:
    from PIL import Image

    width, height = Image.open(io.BytesIO(file)).size
    image = _proto("summary").Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=file)
    return _value(tag=tag, image=image)


TRACKER = TensorBoard
