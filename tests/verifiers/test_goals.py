"""Lemmas, and how Coq is told them."""

import pytest

from rlft.errors import UserError
from rlft.verifiers.formulas import read
from rlft.verifiers.goals import Goal, Refused, in_coq, lemma, stated

TEXT = "h1 : p -> x + 2 <= y, h2 : p |- x <= y \\/ q"


def test_there_and_back():
    goal = lemma(TEXT)
    assert goal == Goal((("h1", read("p -> x + 2 <= y")), ("h2", read("p"))), read("x <= y \\/ q"))
    assert stated(goal) == TEXT
    assert stated(lemma("|- p -> p")) == "|- p -> p"
    for text in ("h1 : p", "p |- p", "h1 : |- p"):
        with pytest.raises(UserError):
            lemma(text)


def test_as_coq_reads_it():
    bound = "(p : Prop) (x : nat) (y : nat) (q : Prop) (h1 : p -> x + 2 <= y) (h2 : p)"
    assert in_coq(lemma(TEXT)) == (f"forall {bound}, x <= y \\/ q", "intros p x y q h1 h2.")
    assert in_coq(lemma("|- False -> False")) == ("~ False", "idtac.")


def test_names_are_new():
    goal = lemma(TEXT)
    assert goal.and_so(read("q"), ("h3", read("p"))).named("h3") == read("p")
    with pytest.raises(Refused, match="h2 is used already"):
        goal.and_so(read("q"), ("h2", read("p")))
    with pytest.raises(Refused, match="there is no h3"):
        goal.named("h3")
