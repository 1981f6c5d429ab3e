"""Proofs in Coq; cheats earn nothing here, and each passes `coqc`, which is the check that people write first."""

import subprocess

import pytest

from rlft.types import UserError
from rlft.verifiers.coq import Coq, Statement, proof_in, tactics_only
from rlft.verifiers.proved import Proved
from tests.jails import needs_coq, needs_jail

ZERO = Statement("forall n : nat, n + 0 = n", "zero")
FALSE = Statement("False", "wrong")
PROOF = "induction n as [|n IH]. reflexivity. simpl. rewrite IH. reflexivity."
LEMMA = f"Theorem zero : forall n : nat, n + 0 = n.\nProof.\n{PROOF}\nQed.\n"


@pytest.fixture(scope="module")
def coq():
    return Coq(seconds=1.0)


@needs_coq
@needs_jail
@pytest.mark.parametrize(
    "text",
    [
        PROOF,
        f"Proof.\n{PROOF}\nQed.",
        f'(* by induction. "Admitted." *)\n{PROOF} (* done *)',
        "induction n; cbn; [reflexivity|now rewrite IHn].",
        "intros n.\ninduction n.\n- reflexivity.\n- { cbn. now rewrite IHn. }",
        LEMMA,
        f"Lemma helper : True.\nProof. exact I. Qed.\n{LEMMA}",
        f"Require Import Arith.\n{LEMMA}",
        "Theorem zero n : n + 0 = n.\nProof. induction n; cbn; auto. Defined.",
        "Fixpoint zero (n : nat) : n + 0 = n := match n with O => eq_refl | S m => f_equal S (zero m) end.",
    ],
)
def test_proofs(coq, text):
    assert coq.check([(ZERO, text)]) == [Proved("proved")]


@needs_coq
@needs_jail
@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("reflexivity.", "unfinished", "Unable to unify"),
        ("intros n.", "unfinished", "incomplete proof"),
        ("admit.", "unfinished", "given up goals"),
        ("nonsense.", "unfinished", "nonsense was not found"),
        ("", "unfinished", "incomplete proof"),
        ("Definition other := 1.", "unfinished", "zero"),
        ("Theorem zero : forall n : nat, n + 0 = n. intros n.", "unfinished", "the proof of zero is open"),
        ("(* intros n.", "refused", "never closed"),
        ('idtac "a.', "refused", "never closed"),
        ("intros\u00a0n.", "refused", "another kind"),
        (f"exact n. {PROOF}", "error", "n was not found"),  # the session goes on, and `coqc` would not
        (f"{PROOF} reflexivity.", "error", "No such goal"),
        ("Quit.", "lost", "Coq ended"),
        ("repeat (pose 1).", "timeout", "within 1 seconds"),
        ('do 99999 idtac "much to say, much to say, much to say, much to say".', "output", "more than"),
    ],
)
def test_what_is_none(coq, text, reason, detail):
    proved = coq.check([(ZERO, text)])[0]
    assert proved.reason == reason
    assert detail in proved.detail
    assert coq.check([(ZERO, PROOF)])[0].ok  # whatever it was, the next is not touched


AXIOM = "Axiom a : False.\n"
GUARD = "Unset Guard Checking.\nFixpoint f (n : nat) : False := f n.\nTheorem wrong : False.\nProof. exact (f 0). Qed."
POSITIVE = """Unset Positivity Checking.
Inductive bad := mk : (bad -> False) -> bad.
Definition g (b : bad) : False := match b with mk h => h b end.
Theorem wrong : False.
Proof. exact (g (mk g)). Qed."""
FUNCTOR = """Module Type T. Parameter f : False. End T.
Module F (X : T).
Theorem wrong : False.
Proof. exact X.f. Qed.
End F."""
# In each, what `coqc` accepts without a word is not a proof of the task's statement, or rests on something.
CHEATS = {
    "admitted": (ZERO, "Theorem zero : forall n : nat, n + 0 = n.\nProof. Admitted.", "assumes"),
    "an axiom": (ZERO, f"{AXIOM}Theorem zero : forall n : nat, n + 0 = n.\nProof. destruct a. Qed.", "assumes"),
    "the lemma as an axiom": (FALSE, "Axiom wrong : False.", "assumes"),
    "a parameter of the lemma's name": (FALSE, "Parameter wrong : False.", "assumes"),
    "another statement": (FALSE, "Theorem wrong : True.\nProof. exact I. Qed.", "other"),
    "False is True": (
        FALSE,
        "Definition False := True.\nTheorem wrong : False.\nProof. exact I. Qed.",
        "other",
    ),
    "another nat": (
        ZERO,
        'Inductive nat := O.\nDefinition plus (a b : nat) := O.\nNotation "a + b" := (plus a b).\nNotation "0" := O.\n'
        "Theorem zero : forall n : nat, n + 0 = n.\nProof. now destruct n. Qed.",
        "other",
    ),
    "a notation for the statement": (
        FALSE,
        "Notation \"'False'\" := True.\nTheorem wrong : False.\nProof. exact I. Qed.",
        "other",
    ),
    "a hypothesis of a section": (
        FALSE,
        "Section A.\nHypothesis h : False.\nTheorem wrong : False.\nProof. exact h. Qed.\nEnd A.",
        "other",
    ),
    "a parameter of a functor": (FALSE, FUNCTOR, "error"),
    "no guard": (FALSE, GUARD, "assumes"),
    "not positive": (FALSE, POSITIVE, "assumes"),
}
# `coqc` would say that something is still open; the session does not, and says what it rests on.
OPEN = {
    "a section left open": (
        "Section A.\nHypothesis h : False.\nTheorem wrong : False.\nProof. exact h. Qed.",
        "assumes",
    ),
    "a functor left open": (FUNCTOR.removesuffix("End F."), "assumes"),
    "a module type left open": ("Module Type T.\nParameter wrong : False.", "assumes"),
    "prints the verdict": (
        'Axiom a : False.\nTheorem wrong : False.\nProof. idtac "Closed under the global context". destruct a. Qed.',
        "assumes",
    ),
    "prints the verdict when asked": (
        "Class C := c : True.\n"
        'Hint Extern 0 C => (idtac "Closed under the global context"; exact I) : typeclass_instances.\n'
        "Axiom a : False.\nDefinition wrong {x : C} : False := a.",
        "other",
    ),
    "asked later": ("Set Printing Width 3.\nAxiom wrong : False.", "assumes"),
}


@needs_coq
@needs_jail
@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_passes_the_naive_check_and_not_this_one(coq, name, tmp_path):
    goal, text, reason = CHEATS[name]
    (tmp_path / "naive.v").write_text(text)
    assert subprocess.run(["coqc", "-noglob", "naive.v"], cwd=tmp_path, capture_output=True).returncode == 0
    proved = coq.check([(goal, text)])[0]
    assert proved.reason == reason, proved
    assert coq.check([(FALSE, "exact I.")])[0].reason == "unfinished"  # nothing of it is left


@needs_coq
@needs_jail
@pytest.mark.parametrize("name", OPEN)
def test_what_is_left_open_or_said_proves_nothing(coq, name):
    text, reason = OPEN[name]
    proved = coq.check([(FALSE, text)])[0]
    assert proved.reason == reason, proved
    assert coq.check([(ZERO, LEMMA)])[0].ok


@needs_coq
@needs_jail
def test_a_task_has_definitions_and_its_own_faults():
    coq = Coq("Require Import List. Import ListNotations.")
    twice = Statement("forall n, twice n = n + n", "t", "Definition twice n := n + n.")
    texts = [
        (twice, "reflexivity."),
        (Statement("rev [1; 2] = [2; 1]"), "reflexivity."),
        (Statement("forall n, n +"), ""),
    ]
    assert [one.reason for one in coq.check(texts)] == ["proved", "proved", "unreadable"]
    assert coq.check(texts[2:])[0].ok is None
    assert Coq("Require Import No_such_file.").check([(ZERO, PROOF)])[0].reason == "unreadable"
    with pytest.raises(UserError, match="name of a lemma is a word"):
        coq.check([(Statement("True", "a := I. Axiom b"), "exact I.")])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("intros n. lia.", True),
        ("Proof. intros n. lia. Qed.", True),
        ("- { apply Nat.add_comm. }\n+ auto.", True),
        ("all: auto. 2: { lia. } [a]: auto.", True),
        ('idtac "Admitted.".', False),  # to be asked is never wrong
        ("lia. Qed. Theorem a : True.", False),
        ("Admitted.", False),
        ("#[global] Axiom a : False.", False),
        ("(* x *) Time lia.", False),
        ("lia.Qed. ", True),  # a syntax error for Coq: a sentence ends with a space behind it
        ("lia... Abort.", False),
    ],
)
def test_what_is_tactics_only(text, plain):
    assert tactics_only(text) is plain


def test_the_proof_of_a_completion():
    assert proof_in("By induction.\n```coq\nProof. auto. Qed.\n```\n") == "Proof. auto. Qed.\n"
    assert proof_in("intros. auto.") == "intros. auto."


def test_without_coq(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="apt-get install coq"):
        Coq()
