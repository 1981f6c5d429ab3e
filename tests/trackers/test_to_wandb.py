"""The files that `wandb sync` sends hold what the log says, once, also of a run that was killed; nothing is sent."""

import json

from tests.trackers.killed import curves, killed_and_gone_on, needs

pytestmark = needs("wandb")
BLOCK = 2**15


def records(file):
    """The records of a `.wandb` file: LevelDB's log format behind a header of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            record = Record()
            record.ParseFromString(part)
            part = b""
            yield record


def named(item):
    return item.key or item.nested_key[0]


def test_every_number_is_there_once(tmp_path):
    folder = tmp_path / "run"
    killed_and_gone_on(folder, "wandb", WANDB_MODE="offline", WANDB_SILENT="true")
    identity = json.loads((folder / "trackers" / "wandb.json").read_text())["identity"]
    files = [*(folder / "trackers" / "wandb" / "wandb").glob("offline-run-*/run-*.wandb")]
    # what the process that was killed has written, and may have lost, is set aside
    assert [file.stem for file in files] == [f"run-{identity}"]
    assert len([*(folder / "trackers" / "wandb" / "wandb").glob("killed-offline-run-*")]) == 1
    told = [record for file in files for record in records(file)]
    lines = []
    for record in told:
        if record.HasField("history"):
            items = {named(item): json.loads(item.value_json) for item in record.history.item}
            lines.append((record.history.step.num, items))
    orders = [order for order, _ in lines]
    assert orders == sorted(set(orders))
    for name, points in curves(folder).items():
        assert [(line["step"], line[name]) for _, line in lines if name in line] == points, name
    texts = [(line["step"], key) for _, line in lines for key in line if key in ("samples/1", "samples/2")]
    assert texts == [(step, f"samples/{place}") for step in (1, 3, 6) for place in (1, 2)]
    configuration = {named(item) for r in told for item in r.run.config.update}
    assert {"recipe", "started"} <= configuration
    summaries = {named(item) for r in told for item in r.summary.update}
    assert "summary/held-out reward" in summaries
