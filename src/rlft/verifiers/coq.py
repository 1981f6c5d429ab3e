"""Proofs in Coq, checked by a `coqtop` that is kept from proof to proof, in a jail.

A proof is worth something if it is one of *this* statement, and rests on nothing. So the statement is given a name, in
the task's own context, before any word of the policy is read; then the text is read; then Coq must take the lemma as a
proof of the name (which a redefined `nat` or a hypothesis of a section do not survive), and `Print Assumptions` must
answer "Closed under the global context". Texts of tactics alone cannot assume anything, and are spared this last step,
which costs most of a second where a proof is by `lia`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.sandbox.commands import installed
from rlft.sandbox.jail import Bare, Jail, here, interpreter
from rlft.sandbox.spread import spread
from rlft.types import UserError
from rlft.verifiers.blocks import last_block
from rlft.verifiers.proved import Proved
from rlft.verifiers.sentences import masked, sentences

REASONS = {
    "proved": "the statement is proved, and nothing is assumed",
    "error": "Coq refuses a sentence of the text, or it defines nothing of the lemma's name",
    "unfinished": "the proof is left open",
    "other": "the lemma is proved, but is not the task's statement",
    "assumes": "it rests on axioms, on admitted lemmas, or on checks that were turned off",
    "refused": "a comment or text is never closed, or it has signs that Coq has no use for",
    "timeout": "it took too long",
    "output": "Coq said more than it may",
    "lost": "Coq ended with it",
    "unreadable": "the task's own imports, preamble or statement do not work",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
# Words that only commands have. A text with one of them anywhere, or a sentence that begins with a capital, is asked
# what it assumes.
_COMMANDS = re.compile(
    r"\b(Admit\w*|Axioms?|Conjectures?|Parameters?|Variables?|Hypothes[ie]s|Context|Declare|Unset|Set|Section|Module|"
    r"Require|Import|Export|Include|Load|Notation|Infix|Ltac2?|Hint|Instance|Coercion|Canonical|Fixpoint|Definition)\b"
)
# The two sentences that stand before tactics.
_BEFORE = ("Theorem {0.name} :\n({0.statement}).", "Proof.")
_SENTENCE = re.compile(r"\.(?=\s|\Z)")
_LEADING = re.compile(r"^(?:[\s{}+*-]|\d+\s*:|all\s*:|!\s*:)*")


@final
@dataclass(frozen=True)
class Statement:
    """What is to be proved: a `statement` such as `forall n : nat, n + 0 = n`, the lemma's `name`, and what Coq must
    have read before: `preamble`, definitions of the task."""

    statement: str
    name: str = "goal"
    preamble: str = ""


@final
class Coq:
    """Jails with a `coqtop` each, started at the first proof.

    imports  sentences that every problem needs, read once: `Require Import Lia List.`
    seconds  of processor time for each step of a proof, four times as long on the clock
    """

    def __init__(self, imports: str = "", seconds: float = 10.0, workers: int = 1, place: Jail | Bare | None = None):
        found = installed("coqtop", "coq", "proofs are checked by Coq").resolve()
        if place is None:
            here()
        self.imports, self.seconds, self.program = imports, seconds, str(found)
        # Where OCaml's plugins of Coq are looked up; an opam switch is a folder of its own.
        needed = (Path("/etc/ocamlfind.conf"), Path("/etc/ocamlfind.conf.d"), found.parents[1])
        jail = place or Jail(tuple(path for path in needed if path.exists()))
        self._children = [Child(SCRIPTS / "coq_child.py", jail, interpreter()) for _ in range(workers)]

    def check(self, pairs: Sequence[tuple[Statement, str]]) -> list[Proved]:
        """Each statement and its proof: tactics, with or without `Proof.` and `Qed.`, or a text with the lemma in it.

        UserError for a name that is none.
        """
        return spread(self._children, self._proved, pairs)

    def _proved(self, child: Child, pair: tuple[Statement, str]) -> Proved:
        goal, text = pair
        if not _NAME.fullmatch(goal.name):
            raise UserError(f"the name of a lemma is a word, such as plus_comm; got {goal.name!r}")
        if (odd := _odd(text)) is not None:
            return Proved("refused", odd)
        whole = _development(goal, text)
        tactics = tactics_of(text)
        asked = (self.program, self.imports, goal.preamble, goal.statement, goal.name, whole, tactics is not None)
        wall = 20 * self.seconds + 120
        try:
            reason, detail, taken = child.ask(*asked, self.seconds, seconds=self.seconds, wall=wall)
        except Unanswered as error:
            return Proved("lost", str(error))
        if tactics is None or taken < len(_BEFORE):
            return Proved(reason, detail)
        return Proved(reason, detail, min(taken - len(_BEFORE), len(tactics)))  # `Qed.` is none of them


def proof_in(text: str) -> str:
    """The proof of a completion: its last closed block of Coq, behind any `</think>`; all of it without blocks."""
    return last_block(text, {"coq", "coqproof", "rocq", "v", ""})


def tactics_only(text: str) -> bool:
    """Whether a text has no command: each sentence is a tactic, between `Proof.` and `Qed.` at most."""
    bare = masked(text)
    if bare is None or _COMMANDS.search(text) or "#[" in text:
        return False
    return all(re.match(r"[a-z_(\[]|\Z", _LEADING.sub("", one)) for one in _SENTENCE.split(_body(bare)))


def tactics_of(text: str) -> list[str] | None:
    """The tactics of a text that has no command, between `Proof.` and `Qed.`; None of others."""
    return sentences(_body(text)) if tactics_only(text) else None


def _development(goal: Statement, text: str) -> str:
    """The lemma, its proof and its end; or the text as it is, if the lemma is in it."""
    name = rf"{re.escape(goal.name)}(?![\w'])"
    if re.search(rf"\b(?:[A-Z]\w*\s+{name}|{name}\s*[:(\[{{])", text) and not tactics_only(text):
        return text
    named, begun = _BEFORE
    return f"{named.format(goal)}\n{begun}\n{_body(text)}\nQed."


def _body(text: str) -> str:
    """Tactics without `Proof.` before and `Qed.` behind them."""
    text = re.sub(r"\A\s*Proof\s*\.(?=\s|\Z)", "", text)
    return re.sub(r"\b(Qed|Defined)\s*\.\s*\Z", "", text)


def _odd(text: str) -> str | None:
    """Why a text is not given to Coq, if it is not."""
    if any(not (sign.isprintable() or sign in "\n\t\r") or (sign.isspace() and sign not in " \n\t\r") for sign in text):
        return "a control character or a space of another kind"
    return None if masked(text) is not None else "a comment or a text that is never closed"
