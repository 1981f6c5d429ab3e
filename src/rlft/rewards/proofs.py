"""The reward of proofs: does Coq take the proof of a completion for one of its row's statement? In a jail, always."""

from __future__ import annotations

from collections.abc import Sequence

from rlft.rewards.proving import Proving
from rlft.types import Problem, Reward
from rlft.verifiers.coq import Coq, Statement, proof_in, tactics_of
from rlft.verifiers.mending import automatic, mended
from rlft.verifiers.proved import Proved


def coq(*, imports: str = "", seconds: float = 10.0, workers: int = 1, repair: str = "", tries: int = 8) -> Reward:
    """1 where the completion proves the statement of its row and assumes nothing, else 0.

    A row has the column `statement` (or it is the answer), such as `forall n : nat, n + 0 = n`, and if need be `lemma`,
    its name, and `preamble`, definitions that go before. `imports` are read once: `"Require Import Lia."`. A completion
    is tactics, with or without `Proof.` and `Qed.`, or a text that has the lemma in it; its last closed block, behind
    any `</think>`, or all of it without blocks. NaN: no statement, or one that Coq does not take.

    With `repair`, automatic tactics such as `"tauto, lia"`, a failed proof of tactics alone also counts that is one
    when these take the place of what fails, after `tries` tries at most (`verifiers.mending`). It is told of models at
    work; a model that is paid so learns to leave the rest to it.

    Each step of a proof has `seconds` of processor time; `workers` run side by side. UserError without Coq or
    bubblewrap.
    """
    prover = Coq(imports, seconds, workers)
    if not repair:
        return Proving(prover.check, _statement, proof_in, "no statement")
    tactics = repair.split(",")
    automatic(tactics)

    def check(pairs: Sequence[tuple[Statement, str]]) -> list[Proved]:
        found = mended(prover.check, pairs, tactics, tactics_of, tries)
        own = [text for _, text in pairs]
        return [_told(proved, "" if text == old else text) for (text, proved), old in zip(found, own, strict=True)]

    return Proving(check, _statement, proof_in, "no statement")


def _told(proved: Proved, other: str) -> Proved:
    return Proved(proved.reason, f"mended, {other}") if other else proved


def _statement(problem: Problem) -> Statement | None:
    columns = problem.columns
    text = columns.get("statement", problem.answer)
    if not isinstance(text, str) or not text.strip():
        return None
    return Statement(text, str(columns.get("lemma", "goal")), str(columns.get("preamble", "")))
