"""The reward of proofs: does Coq take the proof of a completion for one of its row's statement? In a jail, always."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.types import Problem, Reward
from rlft.verifiers.coq import Coq, Statement, proof_in
from rlft.verifiers.proved import Proved


def coq(*, imports: str = "", seconds: float = 10.0, workers: int = 1) -> Reward:
    """1 where the completion proves the statement of its row and assumes nothing, else 0.

    A row has the column `statement` (or it is the answer), such as `forall n : nat, n + 0 = n`, and if need be `lemma`,
    its name, and `preamble`, definitions that go before. `imports` are read once: `"Require Import Lia."`. A completion
    is tactics, with or without `Proof.` and `Qed.`, or a text that has the lemma in it; its last closed block, behind
    any `</think>`, or all of it without blocks. NaN: no statement, or one that Coq does not take.

    Each step of a proof has `seconds` of processor time; `workers` run side by side. UserError without Coq or
    bubblewrap.
    """
    return _Proofs(Coq(imports, seconds, workers))


class _Proofs:
    """The reward; `explain` says what Coq says."""

    def __init__(self, prover: Coq):
        self.prover = prover
        self._known: dict[tuple[Statement, str], Proved] = {}

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        proved = self._proved(problems, outputs)
        return column([None if one is None or one.ok is None else float(one.ok) for one in proved])

    def explain(self, problem: Problem, output: Any) -> str:
        proved = self._proved([problem], [output])[0]
        return "no statement" if proved is None else f"{proved.reason}: {proved.detail}".rstrip(": ")

    def _proved(self, problems: Sequence[Problem], outputs: Any) -> list[Proved | None]:
        """Each proof is checked once; those that ran out of time are asked again."""
        if len(self._known) > 65536:
            self._known.clear()
        rows = [(_statement(problem), proof_in(str(outputs[row]))) for row, problem in enumerate(problems)]
        asked = [(statement, proof) for statement, proof in rows if statement is not None]
        new = [pair for pair in dict.fromkeys(asked) if pair not in self._known]
        found = dict(zip(new, self.prover.check(new), strict=True))
        self._known |= {pair: proved for pair, proved in found.items() if proved.reason not in ("timeout", "lost")}
        known = {**self._known, **found} if found else self._known
        return [None if statement is None else known[statement, proof] for statement, proof in rows]


def _statement(problem: Problem) -> Statement | None:
    columns = problem.columns
    text = columns.get("statement", problem.answer)
    if not isinstance(text, str) or not text.strip():
        return None
    return Statement(text, str(columns.get("lemma", "goal")), str(columns.get("preamble", "")))
