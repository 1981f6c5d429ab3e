"""The checker of this process: by hand, against the truth, and against Coq."""

import random

import numpy as np
import pytest

from rlft.tasks.derivations import Teacher
from rlft.tasks.lemmas import Lemmas, lines
from rlft.verifiers.coq import Coq, Statement
from rlft.verifiers.goals import in_coq, lemma
from rlft.verifiers.sentences import sentences
from rlft.verifiers.tactics import checked, spoken
from tests.jails import needs_coq, needs_jail
from tests.verifiers.test_deciding import true

BOTH, EITHER = "destruct (h1 : _ /\\ _) as [h2 h3].", "destruct (h1 : _ \\/ _) as [h2|h3]."
SOLVED = "all: first [solve [tauto] | solve [lia]]."
PROOFS = [
    ("h1 : p /\\ q |- p", f"{BOTH} exact h2.", "proved", 2),
    ("h1 : p /\\ q |- p", f"{BOTH} exact h3.", "error", 1),
    ("h1 : p /\\ q |- p", "destruct (h1 : _ /\\ _) as [h1 h2]. exact h1.", "error", 0),  # it keeps h1
    ("h1 : p /\\ q |- p", "destruct (h1 : _ /\\ _) as [h2 h2]. exact h2.", "error", 0),
    ("h1 : p /\\ q |- p", f"{BOTH} {BOTH} exact h2.", "error", 1),
    ("h1 : p /\\ q |- p", f"{EITHER} exact h2. exact h3.", "error", 0),
    ("h1 : x <= y |- p", f"{BOTH} exact h2.", "error", 0),  # an inequality has parts, but not these
    ("h1 : p \\/ q |- q \\/ p", f"{EITHER} {{ right. exact h2. }} {{ left. exact h3. }}", "proved", 9),
    ("h1 : p \\/ q |- q \\/ p", f"{EITHER} right. exact h2. left. exact h3.", "proved", 5),
    ("h1 : p \\/ q |- q \\/ p", f"{EITHER} {{ right. exact h2. left. exact h3. }}", "error", 4),
    ("h1 : p \\/ q |- q \\/ p", f"{EITHER} {{ right. exact h2. }}", "unfinished", 5),
    ("h1 : p |- p", "{ { exact h1. } }", "proved", 5),
    ("h1 : p |- p", "{ { exact h1. }", "unfinished", 4),
    ("h1 : p |- p", "{ exact h1. } }", "error", 3),
    ("h1 : p |- p", "exact h1. exact h1.", "error", 1),
    ("h1 : p |- p", f"exact h1. {SOLVED}", "proved", 2),
    ("h1 : p |- p", "exact h1. { }", "error", 1),
    ("h1 : p |- p", "", "unfinished", 0),
    ("h1 : p -> q -> r, h2 : p, h3 : q |- r", "refine (h1 _ _). exact h2. exact h3.", "proved", 3),
    ("h1 : p -> q -> r, h2 : p, h3 : q |- r", "refine (h1 _). exact h2.", "error", 0),
    ("h1 : p -> q -> r, h2 : p |- q -> r", "refine (h1 _). exact h2.", "proved", 2),
    ("h1 : p -> ~ q, h2 : p |- ~ q", "intro h3. refine (h1 _ _). exact h2. exact h3.", "proved", 4),
    ("h1 : p |- q", "refine (h1 _).", "error", 0),
    ("h1 : ~ p, h2 : p |- q", "exfalso. refine (h1 _). exact h2.", "proved", 3),
    ("|- p -> q -> p /\\ p", f"split. {{ tauto. }} {{ {SOLVED} }}", "proved", 7),  # it assumes, and gives no name
    ("|- p -> ~ ~ p", "split. tauto. tauto.", "error", 0),
    ("|- p -> q \\/ p", "right. lia.", "error", 1),
    ("h1 : p |- p", "intro h2.", "error", 0),
    ("h1 : p, h2 : x <= y |- p /\\ x <= y + 1", f"split. {SOLVED}", "proved", 2),
    ("h1 : p, h2 : x <= y |- p /\\ x <= y + 1", SOLVED, "error", 0),
    ("h1 : x <= y |- p", "left.", "error", 0),
    ("h1 : x <= y |- x <= y", "right. lia.", "error", 0),  # Coq knows two ways to an inequality, and no such
]


@pytest.mark.parametrize(("statement", "text", "reason", "stands"), PROOFS)
def test_by_hand(statement, text, reason, stands):
    found = checked(statement, text)
    assert (found.reason, found.stands) == (reason, stands), found


def test_other_sentences_are_refused():
    for text in ("auto.", "exact h1", "exact h1. (* *)", "exact h01.", "intros h1.", "exact h1.exact h2.", "-"):
        assert not spoken(text)
        assert checked("h1 : p |- p", text).reason == "refused"
    assert spoken("\n exact h1.\n\n{ }")


def tampered(draw: random.Random, said: list[str], others: list[str]) -> list[str]:
    """A proof with up to two sentences exchanged, left out, put twice or put in."""
    said = list(said)
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(said))
        said[at : at + 1] = draw.choice(([draw.choice(others)], [], [said[at]] * 2, [draw.choice(others), said[at]]))
        said = said or [draw.choice(others)]
    return said


def pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Lemmas and proofs in many manners, of which about half are spoilt."""
    draw, task = random.Random(seed), Lemmas(1, 3)
    others = sentences("split. left. right. exfalso. tauto. lia. exact h1. exact h2. { } refine (h1 _). exact h4.")
    others += [BOTH, EITHER, SOLVED, "intro h5.", "refine (h2 _ _).", "destruct (h2 : _ /\\ _) as [h6 h7]."]
    found = []
    for index in range(count):
        problem = task.at(index + 1000 * seed)
        statement = problem.columns["statement"]
        proof = Teacher(draw).proof(lemma(statement), 5) or sentences(problem.answer)
        found.append((statement, lines(tampered(draw, proof, others))))
    return found


def test_what_is_proved_is_true():
    proved = [statement for statement, text in pairs(100, 0) if checked(statement, text).ok]
    assert 20 < len(proved) < 80
    for statement in proved:
        goal = lemma(statement)
        for number in range(16):
            letters = {name: bool(number >> place & 1) for place, name in enumerate("pqrs")}
            false = [~true(one, letters) for one in goal.formulas()]
            assert np.any([*false, true(goal.wanted, letters)], axis=0).all(), statement


@needs_coq
@needs_jail
def test_coq_says_the_same():
    """Of proofs by hand and of others, right and wrong; and it is found where each fails."""
    asked = [(statement, text) for statement, text, _, _ in PROOFS] + pairs(120, 1)
    own = [checked(statement, text) for statement, text in asked]
    assert 40 < sum(said.ok is True for said in own) < len(own) - 40
    given = []
    for statement, text in asked:
        whole, begun = in_coq(lemma(statement))
        given.append((Statement(whole), f"{begun}\n{text}"))
    for pair, mine, theirs in zip(asked, own, Coq("Require Import Lia.").check(given), strict=True):
        assert (mine.ok, mine.stands) == (theirs.ok, theirs.stands and theirs.stands - 1), (pair, mine, theirs)
