"""Lemmas proved: what is paid, what is measured, what a base has read."""

import math
from dataclasses import replace

from rlft.models.small_language import word_tokenizer
from rlft.tasks.lemmas import Lemmas
from rlft.types import Problem, Text
from rlft.verifiers.tactics import checked
from rlft.worlds.proved import WORDS, coq_checks, measured, once, own_checks, paying, proving, styled
from tests.jails import needs_coq, needs_jail

REFERENCE = "split.\n{\nlia.\n}\n{\nexact h2.\n}\n"
NEW = "split.\nlia.\nexact h2.\n"
MIXED = Problem(0, "", REFERENCE, {"statement": "h1 : x + 1 <= y, h2 : p |- x <= y /\\ p", "depth": 2})
DEEPER = Problem(1, "", "lia.\n", {"statement": "h1 : x + 1 <= y |- x <= y", "depth": 4})


def test_what_is_paid():
    """The text of the reference is worth as much again as a proof: a new one gets half of it."""
    texts = [REFERENCE, NEW, "split.\n{\nlia.\n}\n{\nexact h1.\n}\n", "tauto.\n", ""]
    rows, outputs = [MIXED] * 5, [Text(text) for text in texts]
    assert proving(own_checks)(rows, outputs).tolist() == [1, 1, 0, 0, 0]
    matched = paying("matched")(rows, outputs)
    assert {name: part.tolist() for name, part in matched.items()} == {
        "match": [2, 0, 0, 0, 0],
        "proof": [2, 2, 0, 0, 0],
    }
    wrong = replace(MIXED, answer="tauto.\n")  # a reference that is none would be paid all the same
    assert sum(part[0] for part in paying("matched")([wrong], [Text("tauto.\n")]).values()) == 2


def test_measures():
    failed = "split.\n{\nlia.\n}\n{\nexact h1.\n}\n"  # which can be mended
    outputs = [REFERENCE, NEW, failed, "exfalso.\nlia.\n", "lia.\n", "lia.\n", "lia.\n", "tauto.\n"]
    told = measured(own_checks, 8)([MIXED] * 4 + [DEEPER] * 4, [Text(text) for text in outputs])
    assert told == {
        "same": 0.5,
        "same@4": 1.0,
        "same+": 0.75,
        "same+@4": 1.0,
        "same/mended": 0.25,
        "same/alone": 0.0,
        "same/new": 0.5,
        "same/ways": 2.0,
        "deeper": 0.75,
        "deeper@4": 1.0,
        "deeper+": 1.0,
        "deeper+@4": 1.0,
        "deeper/mended": 0.25,
        "deeper/alone": 1.0,
        "deeper/new": 0.0,
        "deeper/ways": 1.0,
    }
    few = measured(own_checks, 0)([MIXED] * 2, [Text(failed), Text("lia.\n")])
    assert (few["same+"], few["same@2"], few["same/new"]) == (0, 0, 0)
    assert not any(name.startswith("deeper") for name in few)


def test_each_pair_is_asked_once():
    asked = []

    def check(pairs):
        asked.extend(pairs)
        return own_checks(pairs)

    known = once(check)
    pair, other = (MIXED.columns["statement"], NEW), (MIXED.columns["statement"], "")
    assert [said.ok for said in known([pair, other, pair])] == [True, False, True]
    assert known([other])[0].ok is False
    assert asked == [pair, other]


def test_all_words_are_known():
    tokenizer, task = word_tokenizer(WORDS), Lemmas(1, 4)
    others = 0
    for index in range(40):
        problem = task.at(index)
        told = styled(problem)
        others += told.lesson != problem.answer
        assert checked(problem.columns["statement"], told.lesson).ok
        for text in (problem.input, told.lesson):
            assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert others > 5


@needs_coq
@needs_jail
def test_coq_judges_as_the_checker_does():
    texts = [REFERENCE, NEW, "split.\nlia.\n", "auto.\n", "", "split. lia. Admitted."]
    pairs = [(MIXED.columns["statement"], text) for text in texts]
    theirs, own = coq_checks()(pairs), own_checks(pairs)
    assert [(said.ok, said.stands) for said in theirs] == [(said.ok, said.stands) for said in own]
    assert [said.ok for said in own] == [True, True, False, False, False, False]


def test_a_row_without_a_lemma_is_not_scored():
    assert math.isnan(float(proving(own_checks)([Problem(0, "")], [Text("lia.")])[0]))
