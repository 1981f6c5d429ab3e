"""The teacher: shortest proofs, other ones, none."""

import random

from rlft.tasks.derivations import Teacher, depth_of
from rlft.tasks.lemmas import Lemmas, lines
from rlft.verifiers.goals import lemma
from rlft.verifiers.tactics import checked


def test_depths_by_hand():
    known = {
        "h1 : p |- p": (0, "exact h1."),
        "h1 : x + 1 <= y |- p -> x <= y": (0, "intro h2. lia."),
        "h1 : p -> q, h2 : p |- r -> q": (1, "intro h3. refine (h1 _). exact h2."),
        "h1 : p /\\ q |- q /\\ p": (
            2,
            "destruct (h1 : _ /\\ _) as [h2 h3]. split. { exact h3. } { exact h2. }",
        ),
        "h1 : p \\/ q, h2 : ~ p |- q": (
            3,
            "destruct (h1 : _ \\/ _) as [h3|h3]. { exfalso. refine (h2 _). exact h3. } { exact h3. }",
        ),
        "h1 : (p -> q) -> r, h2 : q |- r \\/ s": (2, "left. refine (h1 _). intro h3. exact h2."),
    }
    for text, (depth, proof) in known.items():
        found = depth_of(lemma(text), 6)
        assert found is not None
        assert (found[0], " ".join(found[1])) == (depth, proof)
        assert depth == 0 or Teacher().proof(lemma(text), depth - 1) is None


def test_what_has_no_proof_is_given_up():
    for text in ("h1 : p |- q", "h1 : p -> q, h2 : q -> p |- p", "|- p \\/ ~ p", "h1 : ~ ~ p |- p"):
        assert depth_of(lemma(text), 6) is None


def test_other_manners_are_proofs_too():
    task, draw = Lemmas(2, 3), random.Random(0)
    others = 0
    for index in range(40):
        problem = task.at(index)
        found = Teacher(draw).proof(lemma(problem.columns["statement"]), problem.columns["depth"] + 1)
        if found is not None:
            others += lines(found) != problem.answer
            assert checked(problem.columns["statement"], lines(found)).ok
    assert others > 5
