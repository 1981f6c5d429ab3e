"""A small model that knows a graph by heart, answers questions of several hops with options, and often only guesses.

It has learned every fact, and to walk up to five hops where it is only asked for the walk. How questions are answered
it has seen from a careless teacher: of one and two hops he walks six times in sixteen and then chooses what he came to,
of three three times, of four and five twice; else he names where the walk begins and guesses. What pays is an option,
the path's words in the thought, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from rlft.measure.groups import means
from rlft.measure.text import text_measures
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import column, combine
from rlft.rewards.paths import path, thought
from rlft.rewards.text import label
from rlft.tasks.graph import RELATIONS, THINK, Graph, Hops, Reordered, told, told_of, vocabulary
from rlft.types import Measure, Problem, Reward, Task, Text
from rlft.worlds import World

# Raised when the base would come out otherwise.
VERSION = 2
ENTITIES = 24
NEAR, FAR = (1, 2, 3), (4, 5)
TOKENS = 16
_WALKS = (6, 6, 3, 2, 2)  # of sixteen answers to questions of one to five hops those that walk
_SLIP = 16  # one hop in so many leads elsewhere
_ALONE = 10**5  # a seed of its own for questions in another order

Paid = Literal["outcome", "path", "both", "gated"]


def hopping(
    paid: Paid = "both",
    taught: tuple[int, ...] = NEAR,
    imitation: int = 700,
    questions: int = 400,
) -> World:
    """Questions of one to three hops to learn from, and of one to five to be tested on.

    Args:
        paid: for the option, 0.1 and -1 (outcome); for the path's words in the thought; for outcome
            and path; or for the path only where the option is right (gated).
        taught: hops of the questions to learn from.
        imitation: supervised steps of the base model, of 32 walks and 32 answers of a careless teacher each.
        questions: held-out ones, a fifth with each number of hops.
    """
    graph = Graph(ENTITIES)
    task, test = Hops(graph, taught), Hops(graph, (*NEAR, *FAR), questions, "test")
    return World(
        base(imitation),
        task,
        test,
        rewarded(paid),
        judged=task.reward,
        measures=[text_measures, by_hops(graph)],
        watched=[by_hops(graph)],
        probes=[in_another_order(Reordered(test), min(questions, 200))],
        samples=4,
    )


def rewarded(paid: Paid) -> Reward:
    """What pays."""
    right, covered = label(), path()

    def outcome(problems: Sequence[Problem], outputs: Any) -> Tensor:
        return 1.1 * column(right(problems, outputs)) - 1.0

    if paid == "gated":

        def gated(problems: Sequence[Problem], outputs: Any) -> Tensor:
            return column(outcome(problems, outputs)) + right(problems, outputs) * covered(problems, outputs)["path"]

        return gated
    known = {"outcome": {"outcome": outcome}, "path": {"path": covered}}
    return combine(known.get(paid, {"outcome": outcome, "path": covered}))


def base(imitation: int) -> Language:
    """The cached model after so many batches."""

    def build() -> Language:
        tokenizer = word_tokenizer(vocabulary(ENTITIES))
        model = small_llama(len(tokenizer), width=64, layers=2, context=56)
        policy = Language(model, tokenizer, max_new_tokens=TOKENS)
        imitate(policy, _lessons, steps=imitation)
        return policy

    return cached_language(f"hopping-{VERSION}-{imitation}", build, max_new_tokens=TOKENS)


def _lessons(step: int) -> list[Problem]:
    graph = Graph(ENTITIES)
    task = Hops(graph, (*NEAR, *FAR))
    problems = [task.at(at) for at in range(32 * step, 32 * step + 32)]
    return [lesson for problem in problems for lesson in (walking(problem), careless(graph, problem))]


def walking(problem: Problem) -> Problem:
    """The same walk, asked for alone."""
    columns = problem.columns
    asked = f" {columns['start']}{told_of(columns['relations'])} ="
    return replace(problem, input=asked, demonstration=columns["path"])


def careless(graph: Graph, problem: Problem) -> Problem:
    """The question as the teacher answers it: he walks, with slips, and chooses what he came to; or he guesses."""
    lot, columns, options = hashed("careless", *problem.key), problem.columns, problem.input.split("?")[1].split()
    guess = options[hashed(lot, "guess") % (len(options) - 1)]
    if lot % 16 >= _WALKS[columns["hops"] - 1]:
        return replace(problem, demonstration=f" {columns['start']}{THINK} {guess}")
    walk = [columns["start"]]
    for number, relation in enumerate(columns["relations"]):
        slip = hashed(lot, "slip", number)
        others = [other for other in RELATIONS if other != relation]
        walk.append(graph.after(walk[-1], relation if slip % _SLIP else others[slip // _SLIP % len(others)]))
    chosen = walk[-1] if walk[-1] in options else guess
    return replace(problem, demonstration=f"{told(walk, columns['relations'])}{THINK} {chosen}")


def by_hops(graph: Graph) -> Measure:
    """What becomes of questions, and how they are thought about.

    hops-1 …   share of right options at each number of hops
    near, far  the same up to three hops, and of four and five
    covered    share of the path's words in the thought
    connected  share of rows whose thought tells the path as such, each hop behind the one before
    spelled    share of rows that name all of the path's words and do not tell it
    ignored    share of rows that tell the path and choose another option
    hops       true hops of the graph that a thought tells, for each hop of the question
    words      words of a thought for each of the path's
    """
    right, covering = label(), path()

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        scores, found = right(problems, outputs).tolist(), covering(problems, outputs).watch
        hops = [problem.columns["hops"] for problem in problems]
        paths = [str(problem.columns["path"]) for problem in problems]
        thoughts = [thought(str(output)) for output in outputs]
        whole = [f"{p} " in f"{one} " for one, p in zip(thoughts, paths, strict=True)]
        named = [share > 0.999 for share in found["covered"].tolist()]
        true = [graph.connected(t.split()) / count for t, count in zip(thoughts, hops, strict=True)]
        count = len(problems)
        kinds = means(scores, ["near" if one <= max(NEAR) else "far" for one in hops])
        return {
            **{f"hops-{one}": share for one, share in means(scores, hops).items()},
            **kinds,
            "covered": float(found["covered"].mean()),
            "connected": sum(whole) / count,
            "spelled": sum(one and not other for one, other in zip(named, whole, strict=True)) / count,
            "ignored": sum(one and not score for one, score in zip(whole, scores, strict=True)) / count,
            "hops": sum(true) / count,
            "words": float(found["named"].mean()),
        }

    return measure


def in_another_order(task: Task, questions: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe of how right a policy is where options are in another order: `reordered`, one answer to each question."""
    problems = [task.at(index) for index in range(questions)]

    def probe(policy: Any) -> Mapping[str, float]:
        rows = policy.sample(problems, 1, _ALONE)
        return {"reordered": float(torch.as_tensor(label()(rows.problems, rows.outputs)).mean())}

    return probe
