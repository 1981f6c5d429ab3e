"""TensorBoard: event files in `trackers/tensorboard` of the run folder; `tensorboard --logdir runs` shows all runs.

https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto. Writes them without PyTorch.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from typing import Any

from rlft.trackers.entry import Entry
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
        table = ["| | |", "|---|---|", *(f"| {label} | {value} |" for label, value in words.items())]
        self._write(0, [_text("summary", "\n".join(table))])

    def close(self, status: str) -> None:
        self.writer.close()

    def _session(self, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        begun = SessionLog(status=SessionLog.START)
        self.writer.add_event(Event(wall_time=time.time(), step=step, session_log=begun))
        self.writer.flush()

    def _write(self, step: int, values: list[Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        self.writer.flush()


def _value(**told: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary.Value(**told)


def _text(tag: str, text: str) -> Any:
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()], tensor_shape=shape)
    return _value(tag=tag, metadata=plugin, tensor=tensor)


def _picture(tag: str, file: bytes) -> Any:
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary

    width, height = Image.open(io.BytesIO(file)).size
    return _value(tag=tag, image=Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=file))


TRACKER = TensorBoard
