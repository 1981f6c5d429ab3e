"""Lemmas proved in Coq's tactics by a small model that has read proofs of many manners, and is right now and then.

    h1 : p -> x + 2 <= y, h2 : p |- x <= y            destruct …

It has imitated proofs of shallow lemmas by a teacher who does things in any order; a reference is the first proof that
a search finds. Whether a proof is one is said by Coq, or by `verifiers.tactics`, which says the same of this language
and is not a hundredth as slow.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from rlft.measure.groups import means
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import combine
from rlft.rewards.proving import Proving
from rlft.rewards.text import exact
from rlft.tasks.derivations import Teacher
from rlft.tasks.lemmas import LETTERS, MOST_ADDED, MOST_ASSUMED, NUMBERS, Lemmas, lines
from rlft.training.stream import Stream
from rlft.types import Problem, Reward, Text
from rlft.verifiers.coq import Coq, Statement
from rlft.verifiers.goals import in_coq, lemma
from rlft.verifiers.known import Known
from rlft.verifiers.mending import mended
from rlft.verifiers.proved import Proved
from rlft.verifiers.sentences import sentences
from rlft.verifiers.tactics import checked, spoken
from rlft.worlds import World

# Raised when the base would come out otherwise.
VERSION = 5
Paid = Literal["checked", "matched"]
Judge = Literal["own", "coq"]
SOLVERS = ("tauto", "lia")
SHALLOW, DEEP = (2, 3), 4
_HANDED = 0.1
_TOKENS, _CONTEXT, _NAMED = 64, 128, 20
_WIDTH, _LAYERS, _READ, _BATCH = 64, 3, 8192, 32
# One token each: a letter, a number with what is added, a sign, and most of a sentence.
_CALLED = range(1, _NAMED + 1)
WORDS = (
    *LETTERS,
    *NUMBERS,
    *(f" + {number}" for number in range(1, 2 * MOST_ADDED)),
    *(f"h{number} : " for number in range(1, MOST_ASSUMED + 1)),
    *(", ", " |- ", "|- ", " <= ", " -> ", " /\\ ", " \\/ ", "~ ", "(", ")", "\n", "{\n", "}\n", " _", ").\n"),
    *(f"{tactic}.\n" for tactic in ("split", "left", "right", "exfalso", "tauto", "lia")),
    *(f"{tactic} h{number}.\n" for number in _CALLED for tactic in ("intro", "exact")),
    *(f"{tactic} (h{number}" for number in _CALLED for tactic in ("refine", "destruct")),
    *(f" : _ /\\ _) as [h{number} h{number + 1}].\n" for number in _CALLED),
    *(f" : _ \\/ _) as [h{number}|h{number}].\n" for number in _CALLED),
)
Check = Callable[[Sequence[tuple[str, str]]], list[Proved]]


def proved(
    lemmas: int = 512,
    held_out: int = 384,
    automatic: float = 0.25,
    paid: Paid = "checked",
    judge: Judge = "own",
    tries: int = 8,
    imitation: int = 1500,
    critic: bool = False,
) -> World:
    """Lemmas proved in Coq's tactics, and what automatic tactics make of the proofs that fail.

    Args:
        lemmas: problems to learn from, over and over, of depth 2 or 3.
        held_out: held-out problems, of depth 2 to 4 equally often.
        automatic: how many of both `tauto` or `lia` proves at once.
        paid: what is learned from, 1 for a proof, or 2 for one and 2 more for the reference's own text.
        judge: who says of held-out proofs whether they are some, Coq itself or the checker of this process.
        tries: how often a failed proof is mended at most.
        imitation: supervised steps of the base model, 32 lemmas each.
    """
    check = once(coq_checks() if judge == "coq" else own_checks)
    train = Lemmas(*SHALLOW, size=lemmas, automatic=automatic)
    test = Lemmas(SHALLOW[0], DEEP, "test", held_out, automatic=automatic)
    policy, told = base(imitation, critic), measured(check, tries)
    return World(policy, train, test, paying(paid), judged=proving(check), measures=[told], samples=8)


def paying(paid: Paid) -> Reward:
    """1 for a proof; or 2, and 2 for the very text of the reference."""
    own = proving(once(own_checks))
    return own if paid == "checked" else combine({"match": exact(), "proof": own}, {"match": 2.0, "proof": 2.0})


def proving(check: Check) -> Proving:
    """The reward of a checker."""
    return Proving(check, lambda problem: problem.columns.get("statement"), str, "no statement")


def own_checks(pairs: Sequence[tuple[str, str]]) -> list[Proved]:
    """What the checker of this process says of statements and proofs."""
    return [checked(statement, text) for statement, text in pairs]


def coq_checks() -> Check:
    """What Coq says of the same texts; those of another language than the checker's are refused, as there."""
    prover = Coq("Require Import Lia.")

    def check(pairs: Sequence[tuple[str, str]]) -> list[Proved]:
        asked = [opened(*pair) for pair in pairs if spoken(pair[1])]
        said = iter(prover.check(asked))
        return [_less(next(said)) if spoken(text) else Proved("refused") for _, text in pairs]

    return check


def opened(statement: str, text: str) -> tuple[Statement, str]:
    """A lemma as Coq reads it, and a proof that begins with its names."""
    whole, begun = in_coq(lemma(statement))
    return Statement(whole), f"{begun}\n{text}"


def _less(said: Proved) -> Proved:
    """Without the sentence that names what the statement is about."""
    return Proved(said.reason, said.detail, said.stands and said.stands - 1)


def once(check: Check) -> Check:
    """The same, but each pair is asked only once."""
    known = Known[tuple[str, str], Proved]()
    return lambda pairs: known.of(pairs, check)


def measured(check: Check, tries: int) -> Callable[[Sequence[Problem], Sequence[Text]], dict[str, float]]:
    """Of lemmas as deep as those learned from, `same`, and of deeper ones, `deeper`:

    NAME          share of rollouts that are proofs
    NAME@k        share of lemmas of which one of the k rollouts is one
    NAME+         share of rollouts that are proofs, or can be mended by `SOLVERS`; NAME+@k
    NAME/mended   what this adds
    NAME/alone    share of lemmas of which an empty proof can be mended: what the solvers do without a model
    NAME/new      share of the proofs that are not the reference
    NAME/ways     different proofs of a lemma among its k rollouts
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        rows = [(problem, str(output)) for problem, output in zip(problems, outputs, strict=True)]
        found: dict[str, float] = {}
        for name, deeper in (("same", False), ("deeper", True)):
            part = [row for row in rows if (row[0].columns["depth"] > SHALLOW[1]) == deeper]
            found |= {f"{name}{key}": value for key, value in _numbers(part, check, tries).items()}
        return found

    return measure


def _numbers(rows: Sequence[tuple[Problem, str]], check: Check, tries: int) -> dict[str, float]:
    pairs = [(problem.columns["statement"], text) for problem, text in rows]
    statements = [statement for statement, _ in pairs]
    if not pairs:
        return {}
    plain = [float(said.ok is True) for said in check(pairs)]
    whole = [float(said.ok is True) for _, said in mended(check, pairs, SOLVERS, sentences, tries)]
    empty = [(statement, "") for statement in dict.fromkeys(statements)]
    alone = [said.ok is True for _, said in mended(check, empty, SOLVERS, sentences, tries)]
    right = [(problem, text) for (problem, text), good in zip(rows, plain, strict=True) if good]
    new = [text != problem.answer for problem, text in right]
    ways = len({(problem.index, text) for problem, text in right}) / len(empty)
    each = len(pairs) // len(empty)
    any_of = {key: means(good, statements).values() for key, good in (("", plain), ("+", whole))}
    found = {f"{key}@{each}": sum(share > 0 for share in shares) / len(empty) for key, shares in any_of.items()}
    found |= {"": sum(plain) / len(pairs), "+": sum(whole) / len(pairs), "/alone": sum(alone) / len(empty)}
    return found | {"/mended": found["+"] - found[""], "/new": sum(new) / max(len(new), 1), "/ways": ways}


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of proofs in many manners of shallow lemmas."""

    def build() -> Language:
        tokenizer = word_tokenizer(WORDS)
        model = small_llama(len(tokenizer), width=_WIDTH, layers=_LAYERS, context=_CONTEXT)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        stream = Stream(Lemmas(1, SHALLOW[1] + 1, size=min(_READ, 6 * imitation)), seed=0)
        imitate(policy, lambda step: [styled(one) for one in stream.take(_BATCH)], imitation, lr=3e-3)
        return policy

    name = f"proved-{VERSION}-{imitation}"
    return cached_language(name, build, max_new_tokens=_TOKENS, critic=critic)


def styled(problem: Problem) -> Problem:
    """The problem with a proof in another manner: what can be done at once is done in any order, and the rest tried in
    any, so that it may take a step more than the least; now and then a goal is left to `tauto`."""
    draw = random.Random(hashed("styled", problem.index, problem.visit))
    found = Teacher(draw, _HANDED).proof(lemma(problem.columns["statement"]), problem.columns["depth"] + 1)
    return replace(problem, demonstration=problem.answer if found is None else lines(found))
