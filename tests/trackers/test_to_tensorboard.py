"""TensorBoard's own reader finds in the event files what the log says, once, also of a run that was killed."""

import pytest
import torch

from tests.trackers.killed import curves, killed_and_gone_on, needs, read

pytestmark = needs("tensorboard")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The run folder, and what TensorBoard reads."""
    import tensorboard.summary.writer.event_file_writer  # noqa: F401  before the forks are made
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    folder = tmp_path_factory.mktemp("tensorboard") / "run"
    killed_and_gone_on(folder, "tensorboard")
    events = EventAccumulator(str(folder / "trackers" / "tensorboard"), {"tensors": 0})
    return folder, events.Reload()


def test_every_number_is_there_once(found):
    folder, events = found
    expected = curves(folder)
    for name, points in expected.items():
        there = [(event.step, event.tensor_proto.float_val[0]) for event in events.Tensors(name)]
        rounded = [(step, float(torch.tensor(value, dtype=torch.float32))) for step, value in points]
        assert there == rounded, name


def test_samples_configuration_and_summary(found):
    folder, events = found
    texts = {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}
    assert [event.step for event in texts["samples/1"]] == [1, 3, 6]
    reward = read(folder, "samples")[-2]["rows"][0]["reward"]
    assert f"row 1, reward {reward}" in texts["samples/1"][-1].tensor_proto.string_val[0].decode()
    assert 'recipe: "tiny"' in texts["configuration"][0].tensor_proto.string_val[0].decode()
    assert "| held-out reward |" in texts["summary"][-1].tensor_proto.string_val[0].decode()
    pictures = texts["samples/2/1"]
    assert [event.step for event in pictures] == [1, 3, 6]
    width, height, picture = pictures[0].tensor_proto.string_val
    assert int(width) > 100 and int(height) > 100 and picture[:4] == b"\x89PNG"
