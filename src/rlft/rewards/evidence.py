"""Whether an answer rests on what was found: `evidence`, of a conversation that asked a record. It judges no answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, final

from rlft.environments.records import plain, seen
from rlft.errors import UserError
from rlft.metrics.critiques import Found
from rlft.rewards.adapt import column as numbers
from rlft.types import Parts, Problem, Reward, field_of

_CITED = re.compile(r"<evidence>(.*?)(?:</evidence>|<answer>|\Z)", re.DOTALL)


def evidence(*, column: str = "evidence", record: str = "record", known: str = "known", worth: str = "f1") -> Reward:
    """How much of the evidence for an answer was found and is cited, and how much of what is cited is such evidence.

        found      what the conversation asked its record for, and what the question told
        grounded   cited and found and required
        precision = |grounded| / |cited|,  recall = |grounded| / |required|,  f1 = 2 |grounded| / (|cited| + |required|)

    Cited is what the last turn has in its last `<evidence>…</evidence>`, parted by `;`, `,` or line ends. Names without
    their capitals are compared. 0 where nothing is cited, and where a limit ended the conversation. What is required
    but was not asked for counts against recall though it is cited: guessed evidence is none.

    column   of the problem: the names of what is required; NaN without it
    record   of the problem: what could be asked for, see `environments.records`
    known    of the problem: the names of what the question tells; without it nothing

    Watched are `precision`, `recall` and `unseen`, the share of what is cited that nobody had found.
    """
    if worth not in ("f1", "precision", "recall"):
        raise UserError(f"evidence is worth its f1, precision or recall, not {worth!r}")
    return _Evidence(column, record, known, worth)


@final
class _Evidence:
    def __init__(self, column: str, record: str, known: str, worth: str):
        self.column, self.record, self.known, self.worth = column, record, known, worth

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        found = [self._shares(problem, outputs[row]) for row, problem in enumerate(problems)]
        kinds = ("f1", "precision", "recall", "unseen")
        told = {kind: numbers([row and row[place] for row in found]) for place, kind in enumerate(kinds)}
        return Parts({"evidence": told[self.worth]}, {kind: told[kind] for kind in kinds[1:]})

    def explain(self, problem: Problem, output: Any) -> str:
        """What is cited, and what is not grounded."""
        named, found = cited(output), self._found(problem, output)
        wanted = self._listed(problem, self.column) or set()
        guessed = [name for name in named if name not in found]
        beside = [name for name in named if name in found and name not in wanted]
        return (
            f"cited {_told(named)}; not found {_told(guessed)}; not required {_told(beside)}; "
            f"missing {_told(sorted(wanted - set(named)))}"
        )

    def _shares(self, problem: Problem, output: Any) -> tuple[float, float, float, float] | None:
        """f1, precision, recall and what is cited unseen; None where nothing is known to be required."""
        wanted = self._listed(problem, self.column)
        if not wanted:
            return None
        named = set() if getattr(output, "truncated", False) else cited(output)
        told = self._found(problem, output)
        counts = Found(len(named & told & wanted), len(named), len(wanted))
        return counts.f1, counts.precision, counts.recall, len(named - told) / max(len(named), 1)

    def _found(self, problem: Problem, output: Any) -> set[str]:
        return set(seen(problem, output, self.record)) | (self._listed(problem, self.known) or set())

    def _listed(self, problem: Problem, column: str) -> set[str] | None:
        held = field_of(problem.columns, column)
        if held is None:
            return None
        names = held if isinstance(held, Iterable) and not isinstance(held, str) else [held]
        return {plain(str(name)) for name in names}


def cited(output: Any) -> set[str]:
    """The plain names inside the last `<evidence>` of a completion; none where there is no such tag."""
    inside = _CITED.findall(str(output))
    names = re.split(r"[;,\n]", inside[-1]) if inside else []
    return {plain(name) for name in names if name.strip()}


def _told(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
