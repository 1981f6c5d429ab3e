"""Where Coq ends a sentence."""

import pytest

from rlft.verifiers.sentences import masked, sentences


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intros n. lia.", ["intros n.", "lia."]),
        ("split.\n- apply Nat.le_refl.\n-- auto.", ["split.", "-", "apply Nat.le_refl.", "--", "auto."]),
        ("{ now auto. } 2:{lia. }", ["{", "now auto.", "}", "2:{", "lia.", "}"]),
        ("[one]: { lia. }", ["[one]: {", "lia.", "}"]),
        ('(* a. { (* b. *) *) idtac "it. is. { ". exact 1', ['idtac "it. is. { ".', "exact 1"]),
        ("all: (rewrite a; lia). + * x.", ["all: (rewrite a; lia).", "+", "*", "x."]),
        ("", []),
        ("intros n. (* lia.", []),
    ],
)
def test_sentences(text, said):
    assert sentences(text) == said


def test_what_is_hidden_keeps_its_place():
    assert masked('a (* "b" *) "c.".') == "a           xxxx."
    assert masked("a *) b") == "a *) b"
    assert masked("(* a") is masked('"a') is None
