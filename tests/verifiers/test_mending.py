"""Failed proofs mended: what is kept, what gives way, how often it is tried."""

import pytest

from rlft.errors import UserError
from rlft.verifiers.coq import Coq, Statement, tactics_of
from rlft.verifiers.mending import automatic, mended
from rlft.verifiers.sentences import sentences
from rlft.verifiers.tactics import checked
from tests.jails import needs_coq, needs_jail

BOTH = ("tauto", "lia")
ALL = "all: first [solve [tauto] | solve [lia]]."
# Neither tactic proves it: the left part is for lia, the right one for tauto, and lia does not look through letters.
MIXED = "h1 : p -> x + 1 <= y, h2 : p /\\ q |- x <= y /\\ q"
OPEN = "destruct (h2 : _ /\\ _) as [h3 h4]. split."
EASY = "h1 : x + 1 <= y, h2 : p /\\ q |- x <= y /\\ q"


def run(statement: str, text: str, tactics=BOTH, tries: int = 8) -> tuple[str, str, int]:
    """The text, the reason that is given, and how many times was tried."""
    asked = []

    def check(pairs):
        asked.extend(pairs)
        return [checked(*pair) for pair in pairs]

    (found, said), *_ = mended(check, [(statement, text)], tactics, sentences, tries)
    return " ".join(found.split()), said.reason, len(asked) - 1


@pytest.mark.parametrize(
    ("statement", "text", "whole", "tries"),
    [
        # what fails gives way alone, and what follows for other goals is kept
        (EASY, "split. { exact h1. } { tauto. }", f"split. {{ {ALL} }} {{ tauto. }}", 1),
        # and so twice
        (EASY, "split. { exact h1. } { exact h2. }", f"split. {{ {ALL} }} {{ {ALL} }}", 2),
        # all that follows for its goal gives way with it
        (EASY, "split. { left. lia. } { tauto. }", f"split. {{ {ALL} }} {{ tauto. }}", 1),
        # a block that is left too early is ended
        (EASY, "split. { } { tauto. }", f"split. {{ {ALL} }} {{ tauto. }}", 1),
        # a text that breaks off is ended, with its braces
        (EASY, "split. { lia. } { ", f"split. {{ lia. }} {{ {ALL} }} {ALL}", 1),
        (EASY, "split.", f"split. {ALL}", 1),
        ("h1 : q |- p \\/ q", "left. exact h1.", ALL, 2),  # a step that lost it: the one before gives way as well
        # the same below a brace: not `left`, and that is enough
        (
            "h1 : q /\\ r, h2 : x + 1 <= y |- x <= y /\\ (p \\/ q)",
            "split. { lia. } { destruct (h1 : _ /\\ _) as [h3 h4]. left. exact h3. }",
            f"split. {{ lia. }} {{ destruct (h1 : _ /\\ _) as [h3 h4]. {ALL} }}",
            2,
        ),
        ("h1 : p |- p", "", ALL, 1),
    ],
)
def test_what_gives_way(statement, text, whole, tries):
    assert run(statement, text) == (whole, "proved", tries)
    assert checked(statement, whole).ok


def test_a_proof_is_never_touched():
    for text in (f"{OPEN} {{ lia. }} {{ exact h4. }}", "tauto."):
        statement = EASY if "lia" in text else "h1 : p |- p"
        assert run(statement, text) == (text, "proved", 0)


def test_what_cannot_be_mended_stays_as_it_is():
    for text in ("", f"{OPEN} {{ exact h3. }} {{ exact h4. }}"):
        found, said, tried = run(MIXED, text)
        assert (found, said) == (text, "error" if text else "unfinished")
        assert tried <= 8
    assert run(MIXED, f"{OPEN} {{ refine (h1 _). exact h3. }} {{ exact h4. }}")[1] == "error"  # x + 1, not x
    assert run(MIXED, "auto.") == ("auto.", "refused", 0)


def test_tries_are_bounded_and_counted_for_each():
    text = "split. { exact h1. } { exact h2. }"
    assert run(EASY, text, tries=2)[1] == "proved"
    assert run(EASY, text, tries=1) == (text, "error", 1)
    assert run(EASY, text, tries=0) == (text, "error", 0)
    assert run(EASY, text, ("tauto",))[1] == "error"
    rows = [(EASY, text), ("h1 : p |- p", ""), (EASY, "split. { lia. } { tauto. }")]
    batches = []

    def check(pairs):
        batches.append(len(pairs))
        return [checked(*pair) for pair in pairs]

    assert all(said.ok for _, said in mended(check, rows, BOTH, sentences))
    assert batches == [3, 2, 1]  # all together, and only those that fail again


def test_the_tactics():
    assert automatic(["tauto", " lia "]) == ALL
    with pytest.raises(UserError, match="such as tauto or lia; got 'tauto, '"):
        automatic(["tauto", ""])


@needs_coq
@needs_jail
def test_in_coq():
    """Bullets, other tactics, and a text with a command, which is left alone."""
    sum_ = "forall a b c : nat, a <= b -> (a + c <= b + c /\\ (c = 0 -> b + c = b)) /\\ True"
    texts = [
        "intros a b c h. split.\n- split.\n  + rewrite h.\n  + intros e. subst. nonsense.\n- exact I.",
        "intros a b c h. split.\n- split.\n  + apply Nat.add_le_mono_r, h.\n  + intros e. subst. auto.\n- exact I.",
        "intros a b c h. split.\n- split.\n  + lia.\n",
        "Admitted.",
    ]
    pairs = [(Statement(sum_), text) for text in texts]
    found = mended(Coq("Require Import Arith Lia.").check, pairs, ["lia", "auto"], tactics_of)
    assert [said.ok for _, said in found] == [True, True, True, False]
    step = "all: first [solve [lia] | solve [auto]]."
    assert found[0][0].split("\n") == [
        *["intros a b c h.", "split.", "-", "split.", "+", step, "+", "intros e.", "subst.", step, "-", "exact I."]
    ]
    assert [text for text, _ in found[1::2]] == texts[1::2]
    assert found[2][0].split("\n") == ["intros a b c h.", step]  # its last bullet is missing
