"""The reward of proofs: does Coq take the proof of a completion for one of its row's statement? In a jail, always."""

from __future__ import annotations

from rlft.rewards.proving import Proving
from rlft.types import Problem, Reward
from rlft.verifiers.coq import Coq, Statement, proof_in


def coq(*, imports: str = "", seconds: float = 10.0, workers: int = 1) -> Reward:
    """1 where the completion proves the statement of its row and assumes nothing, else 0.

    A row has the column `statement` (or it is the answer), such as `forall n : nat, n + 0 = n`, and if need be `lemma`,
    its name, and `preamble`, definitions that go before. `imports` are read once: `"Require Import Lia."`. A completion
    is tactics, with or without `Proof.` and `Qed.`, or a text that has the lemma in it; its last closed block, behind
    any `</think>`, or all of it without blocks. NaN: no statement, or one that Coq does not take.

    Each step of a proof has `seconds` of processor time; `workers` run side by side. UserError without Coq or
    bubblewrap.
    """
    return Proving(Coq(imports, seconds, workers).check, _statement, proof_in, "no statement")


def _statement(problem: Problem) -> Statement | None:
    columns = problem.columns
    text = columns.get("statement", problem.answer)
    if not isinstance(text, str) or not text.strip():
        return None
    return Statement(text, str(columns.get("lemma", "goal")), str(columns.get("preamble", "")))
