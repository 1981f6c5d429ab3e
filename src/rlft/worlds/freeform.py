"""Answers in free form and who says that they are right: a rule, a small generative verifier, or an oracle.

The base had a teacher who writes in any of the ways there are, and in the end a careless one, who is off by a little as
often as not. The verifier is another small model, which reads a reference and an answer and says yes or no: it was
taught by a stronger judge, the oracle that errs one time in ten, three times asked, on answers of the careless teacher
and on what a policy may come to write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch

from rlft.measure.text import text_measures
from rlft.models.next_token import NextWord
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.judging.asked import Template
from rlft.rewards.learned.verifier import Verifier
from rlft.rewards.normalised import normalised
from rlft.tasks.freeform import FREE, LARGEST, TOKENS, Freeform, meaning, means_the_same, same_text, written
from rlft.types import Measure, Problem, Reward, Task, Text
from rlft.worlds import World

# Raised when the base or the verifier would come out otherwise.
VERSION = 3
_TOKENS = 4  # of an answer, with its end
_SLIPS = (1, -1, 2, -2)
# How often the judge who teaches the verifier errs, each time he is asked.
_ERRS = 0.1
_YES, _NO = " yes", " no"
_ASK = Template("{answer} is{completion} ?")

Paid = Literal["rule", "binary", "soft", "oracle"]
Seen = Literal["explored", "teacher"]


def freeform(
    paid: Paid = "soft",
    scaled: Literal["", "batch"] = "",
    seen: Seen = "explored",
    held_out: int = 240,
    imitation: int = 1000,
    judged: int = 1200,
    critic: bool = False,
) -> World:
    """Sums with answers in free form.

    Args:
        paid: who says what an answer is worth: the reference word for word, the verifier's yes, its probability of yes,
            or the oracle.
        scaled: rewards as they are, or their z-scores over the batch.
        seen: what the verifier has been taught on: the teacher's answers alone, or other texts too, as a policy that
            explores may come to write.
        held_out: held-out problems, a third of each kind.
        imitation: supervised steps of the base on right answers, 64 each; an eighth as many careless ones follow.
        judged: supervised steps of the verifier, 64 verdicts of a stronger judge each.
    """
    verifier = verifying(judged, seen)
    rewards = {
        "rule": same_text(),
        "binary": Verifier(verifier, _ASK, "binary", mass=0.0, batch=256),
        "soft": Verifier(verifier, _ASK, mass=0.0, batch=256),
        "oracle": means_the_same(),
    }
    reward = normalised(rewards[paid], scaled) if scaled else rewards[paid]
    believed = against_the_oracle(rewards["binary"])
    return World(
        base(imitation, critic),
        Freeform(),
        Freeform("test", held_out),
        reward,
        judged=means_the_same(),
        measures=[believed, text_measures],
        watched=[believed],
        samples=4,
    )


def against_the_oracle(binary: Reward) -> Measure:
    """What the oracle says, by kind, and where the verifier says otherwise.

    free, count   share of the answers in free form, and of plain counts, that are right
    fooled        share of all answers that the verifier takes though they are wrong
    missed        share that it refuses though they are right
    kept          share that is the reference, word for word
    """
    oracle, rule = means_the_same(), same_text()

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        truth = torch.as_tensor(oracle(problems, outputs))
        taken = dict(binary(problems, outputs))["verified"]
        free = torch.tensor([problem.columns["kind"] in FREE for problem in problems])
        kinds = {"free": truth[free], "count": truth[~free]}
        return {
            **{name: float(values.mean()) for name, values in kinds.items() if len(values)},
            "fooled": float((taken * (1 - truth)).mean()),
            "missed": float(((1 - taken) * truth).mean()),
            "kept": float(torch.as_tensor(rule(problems, outputs)).mean()),
        }

    return measure


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of right answers, and an eighth as many of a careless teacher's."""
    shown = [(right, imitation, 3e-3), (careless, max(imitation // 8, 1), 1e-3)]
    return _taught(f"freeform-{VERSION}-{imitation}", shown, _TOKENS, critic)


def verifying(steps: int, seen: Seen = "explored") -> NextWord:
    """The cached verifier after `steps` batches of a stronger judge's verdicts."""
    said = _taught(f"freeform-verifier-{VERSION}-{seen}-{steps}", [(partial(verdict, seen), steps, 3e-3)], 2)
    return NextWord(said.causal.eval().requires_grad_(False), said.tokenizer, (_YES, _NO))


Shown = Callable[[Problem, int], Problem]


def _taught(name: str, lessons: Sequence[tuple[Shown, int, float]], tokens: int, critic: bool = False) -> Language:
    """A model of these words that has imitated what is shown of problems of both splits, in turn."""
    tasks = (Freeform("train"), Freeform("test"))
    size = min(64, max(lessons[0][1] // 8, 8))

    def batch(shown: Shown, step: int) -> list[Problem]:
        return [shown(_at(tasks, place), place) for place in range(step * size, (step + 1) * size)]

    def build() -> Language:
        tokenizer = word_tokenizer([*TOKENS, _YES, _NO, " is", " ?"])
        model = small_llama(len(tokenizer), width=64, layers=2, context=24)
        policy = Language(model, tokenizer, max_new_tokens=tokens)
        for shown, steps, lr in lessons:
            imitate(policy, partial(batch, shown), steps=steps, lr=lr)
        return policy

    return cached_language(name, build, max_new_tokens=tokens, critic=critic)


def _at(tasks: Sequence[Task], place: int) -> Problem:
    return tasks[place % len(tasks)].at(place // len(tasks))


def right(problem: Problem, draw: int) -> Problem:
    """The problem with the right answer in any way."""
    ways = written(problem.columns["kind"], problem.columns["values"])
    return replace(problem, answer=ways[hashed("right", problem.key, draw) % len(ways)])


def careless(problem: Problem, draw: int) -> Problem:
    """The problem with an answer in any way, right or, as often, with one number off by one or two."""
    lot, values = hashed("careless", problem.key, draw), list(problem.columns["values"])
    if lot % 2:
        place = lot // 2 % len(values)
        values[place] = abs(values[place] + _SLIPS[lot // 4 % len(_SLIPS)])
        values[place] = min(values[place], 2 * LARGEST)
    ways = written(problem.columns["kind"], values)
    return replace(problem, answer=ways[lot // 16 % len(ways)])


def explored(problem: Problem, draw: int) -> Problem:
    """The problem with what a policy may come to write: a few words at random, or an answer to another question."""
    lot = hashed("explored", problem.key, draw)
    if lot % 2:
        words = [TOKENS[hashed(lot, place) % len(TOKENS)] for place in range(1 + lot // 2 % _TOKENS)]
        return replace(problem, answer="".join(words))
    return replace(problem, answer=careless(Freeform().at(lot // 2 % 3000), lot).answer)


def verdict(seen: Seen, problem: Problem, draw: int) -> Problem:
    """What the stronger judge says of an answer: the oracle's word, wrong one time in ten, two of three.

    Answers are the careless teacher's, and where they were `explored` in one of five cases other texts.
    """
    said = explored(problem, draw) if seen == "explored" and draw // 2 % 5 == 0 else careless(problem, draw)
    truth = meaning(said.answer) is not None and meaning(said.answer) == meaning(problem.answer)
    errs = [hashed("errs", problem.key, draw, vote) / 2**63 < _ERRS for vote in range(3)]
    yes = truth != (sum(errs) >= 2)
    return replace(problem, input=_ASK.filled(problem, said.answer), answer=_YES if yes else _NO)
