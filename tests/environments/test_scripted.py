"""Rules that speak: they end where they are answered no more."""

from rlft.environments.scripted import Scripted
from rlft.types import Message, Problem


class Counting:
    """Answers until the second turn."""

    schemas, stop = (), ()

    def respond(self, problems, transcripts):
        return [[Message("user", "go on")] if len(said) < 3 else [] for said in transcripts]


def test_turns():
    rows = Scripted(lambda problem, said, sample: f"{problem.input}{len(said)}{sample}", Counting(), 5).sample(
        [Problem(0, "a"), Problem(1, "b")], 2, 0
    )
    assert [[message.content for message in row.messages] for row in rows.outputs] == [
        [f"{name}0{i}", "go on", f"{name}2{i}"] for name in "ab" for i in range(2)
    ]
    assert not any(row.truncated for row in rows.outputs)
    assert len(rows) == 4 and rows.group == 2
    short = Scripted(lambda problem, said, sample: "x", Counting(), 1).sample([Problem(0, "a")], 1, 0)
    assert short.outputs[0].truncated and len(short.outputs[0].messages) == 1
