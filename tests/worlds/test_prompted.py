"""Hints for a frozen generator: what its teachers get wrong, what the rules say, what is measured."""

import random
from dataclasses import replace

import torch

from rlft.environments.generated import VERIFIER, Attempt, Judged
from rlft.models.small_language import word_tokenizer
from rlft.tasks.methods import ASPECTS, Methods, ways_of, written
from rlft.types import Message, Rollouts, Transcript
from rlft.verifiers.conditions import AFTER, ENDS, ENTRY, KEPT, verified
from rlft.worlds.prompted import (
    HINTS,
    PLAIN,
    WEAK,
    WORDS,
    Solved,
    Tools,
    generated,
    judged,
    measured,
    read,
    slips,
    weak,
)
from rlft.worlds.prompted import _by_table as by_table
from rlft.worlds.prompted import _called_for as called_for
from tests.jails import needs_dafny, needs_jail, needs_verilog


class Diligent:
    """A generator that gets wrong what it is weak at and not reminded of."""

    def sample(self, problems, group, seed):
        texts = []
        for problem in problems:
            hints = problem.input.splitlines()[-1].split()
            wrong = [aspect for aspect in weak(problem) if aspect not in hints]
            texts.append(written(*ways_of(problem), wrong, random.Random(0)))
        nothing = torch.zeros(len(texts), 1)
        return Rollouts(tuple(problems), group, texts, {}, nothing.bool(), nothing)


TASK = Methods(size=8)


def test_words_are_enough():
    """Every problem, program, hint and sentence of the verifier's is written in the world's own words."""
    tokenizer = word_tokenizer(WORDS)
    for index in range(16):
        problem = read(replace(Methods().at(index), visit=index))
        text = f"{problem.input}{problem.demonstration}"
        said = judged([problem], [problem.demonstration])[0].said
        assert tokenizer.decode(tokenizer(text + said, add_special_tokens=False)["input_ids"]) == text + said
    assert tokenizer("".join(HINTS) + PLAIN, add_special_tokens=False)["input_ids"][0] > 2


def test_slips():
    assert slips(("range", "step"), "range", []) == 0.6 and slips(("range", "step"), "guard", []) == 0.05
    assert slips(("range", "step"), "range", ["guard", "range"]) == 0.03
    assert {word for pair in WEAK.values() for word in pair} == set(ASPECTS)


def test_teachers_heed_hints():
    """Of 600 programs with both hints more are right than of those without."""
    rows = [read(Methods().at(index)) for index in range(600)]
    right: dict[bool, list[bool]] = {True: [], False: []}
    for row in rows:
        hints = row.input.splitlines()[-1].split()
        if (set(hints) == set(weak(row))) or hints == ["please"]:
            right[hints != ["please"]].append(verified(row.columns["header"], row.demonstration).ok)
    shares = {both: sum(each) / len(each) for both, each in right.items()}
    assert 0.06 < shares[False] < 0.2 and shares[True] > 0.6


def test_the_table():
    missing = [" range", " relation"]
    assert called_for(f"{{\n}}\n{ENTRY}: k\n{ENTRY}: r\n") == [" range", " start", *missing]
    assert called_for(f"{KEPT}: k\n{ENDS}: i\n") == [" guard", " count", *missing]
    assert called_for(f"{KEPT}: r\n{AFTER}: r\n") == [" step", *missing]
    assert called_for(f"{AFTER}: r\n") == missing == called_for("unreadable")
    said = [Message("assistant", PLAIN)]
    assert by_table(TASK.at(0), [], 0) == PLAIN
    said += [
        Message(VERIFIER, f"{KEPT}: r"),
        Message("assistant", " step"),
        Message(VERIFIER, f"{ENTRY}: r\n{ENDS}: i"),
    ]
    assert by_table(TASK.at(0), said, 0) == " start count"


def test_conversations():
    """The generator hears hints alone, or nothing; the policy hears what was written and each fault."""
    heard = generated(Diligent(), "hints", "all", 0)
    problem = TASK.at(0)
    assert weak(problem) == ("range", "step")
    (back,) = heard.respond([problem], [[Message("assistant", " step  i := i")]])[0]
    assert back.content.startswith("{\n  r := ") and back.content.rstrip().splitlines()[-1].startswith(AFTER)
    assert not heard.respond([problem], [[Message("assistant", " range step")]])[0]
    assert heard.respond([problem], [[Message("assistant", " range step count")]])[0]
    deaf = generated(Diligent(), "nothing", "nothing", 0)
    assert deaf.respond([problem], [[Message("assistant", " range step")]])[0][0].content == ""
    unreadable = judged([problem], ["{ assume false; }"])[0]
    assert (unreadable.score, unreadable.errors, unreadable.said) == (0.0, 5, "unreadable")


def test_what_the_table_solves_is_shown():
    heard = generated(Diligent(), "hints", "all", 0)
    shown = Solved(TASK, heard, 3)
    assert 0 < shown.size <= 8
    for index in range(shown.size):
        turns = shown.at(index).demonstration
        assert turns[0] == {"role": "assistant", "content": PLAIN} and turns[-1]["role"] == "assistant"
        (each,) = heard.attempts([shown.at(index)], [[Message(one["role"], one["content"]) for one in turns]])
        assert heard.done(each[-1]) and shown.at(index).index == index


def talk(*texts):
    """A conversation of these attempts."""
    each = [[Message("assistant", text), Message(VERIFIER, "")] for text in texts]
    return Transcript(texts[-1], (), False, [one for pair in each for one in pair][:-1])


def test_measures():
    problems = [TASK.at(0), TASK.at(0), TASK.at(2), TASK.at(2)]
    outputs = [talk(" step range"), talk(" range", " range step"), talk(PLAIN), talk(" start count")]
    assert measured(generated(Diligent(), "hints", "all", 0), None)(problems, outputs) == {
        "verified": 0.5,
        "first": 0.25,
        "attempts": 1.25,
        "aimed": 0.25,
    }


@needs_dafny
@needs_verilog
@needs_jail
def test_what_the_tools_say():
    """Of a right program, one that only lacks an invariant, one that is wrong, and one that is not looked at."""
    problem = TASK.at(0)
    texts = [
        problem.answer,
        problem.answer.replace("    invariant k <= i <= n\n", ""),
        problem.answer.replace("i + 1", "i - 1"),
    ]
    scores = [one.score for one in judged([problem] * 3, texts)]
    assert scores == [1.0, 0.0, 0.0]
    each = [[Attempt("", "", Judged(0.0)), Attempt("x", t, Judged(s))] for t, s in zip(texts, scores, strict=True)]
    told = Tools(8).told([problem] * 4, [*each, [Attempt("", "", Judged(0.0, 1, "nothing was written"))]])
    assert told == {"dafny/agrees": 1.0, "silicon": 1.0, "silicon/unproved": 0.5}
