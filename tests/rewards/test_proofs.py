"""The reward of proofs: rows and completions to numbers."""

import math

import pytest

from rlft.options.reward import load_reward
from rlft.rewards.adapt import explained
from rlft.types import Problem, Text, UserError
from tests.jails import needs_coq, needs_jail


@needs_coq
@needs_jail
def test_rows():
    reward = load_reward("coq(seconds=5.0)")
    rows = [
        Problem(0, "?", None, {"statement": "forall a b : nat, a = b -> b = a", "lemma": "sym"}),
        Problem(1, "?", "two = 1 + 1", {"preamble": "Definition two := 2."}),
        Problem(2, "?", "no such name = 1"),
        Problem(3, "?", None),
    ]
    right = [
        "```coq\nintros a b h. now rewrite h.\n```",
        "Theorem goal : two = 1 + 1. reflexivity. Qed.",
        "auto.",
        "auto.",
    ]
    scores = reward(rows, [Text(text) for text in right]).tolist()
    assert scores[:2] == [1, 1]
    assert all(math.isnan(score) for score in scores[2:])
    assert reward(rows[:2], [Text("admit."), Text("Admitted.")]).tolist() == [0, 0]
    assert explained(reward, rows[0], Text("intros. auto.")).startswith("proved")
    assert explained(reward, rows[1], Text("Admitted.")) == "assumes: Axioms: goal : two = 1 + 1"
    assert explained(reward, rows[3], Text("auto.")) == "no statement"


@needs_coq
@needs_jail
def test_repair():
    """Statements that neither tactic proves alone; a proof is as it is, and what cannot be mended is worth nothing."""
    reward = load_reward("coq(imports='Require Import Lia.', repair='tauto, lia', tries=3)")
    statement = "forall (p q : Prop) (a b : nat), p /\\ q -> a < b -> q /\\ a + 1 <= b"
    rows = [Problem(0, "?", None, {"statement": statement})] * 4
    texts = [
        "",
        "intros p q a b h k. split. { exact h. }",
        "intros p q a b h k. split. { tauto. } { lia. }",
        "Admitted.",
    ]
    assert reward(rows, [Text(text) for text in texts]).tolist() == [0, 1, 1, 0]
    assert explained(reward, rows[0], Text(texts[2])) == "proved"
    assert explained(reward, rows[0], Text(texts[1])).startswith(
        "proved: mended, intros p q a b h k.\nsplit.\n{\nall: "
    )
    with pytest.raises(UserError, match="such as tauto or lia; got 'tauto, '"):
        load_reward("coq(repair='tauto,')")
