"""A small and a large model that have read the same facts, the small one without room for all, and tunes to a manner.

`terse` says the fact and stops, `chatty` goes on with others. The tuning sees half of the relations, and the evaluation
asks for the other half. All models are made anew for each seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.composed.mixed import OutsideTopP, mixed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.policies.language.speculative import Speculative
from rlft.policies.mix import traded_off
from rlft.tasks.facts import LETTERS, RELATIONS, Facts, fact
from rlft.training.stream import Stream
from rlft.types import Problem, Text, UserError
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the models would come out otherwise.
VERSION = 2
Size = Literal["small", "large"]
Manner = Literal["terse", "chatty"]
_SHAPE: dict[str, dict[str, Any]] = {
    "small": {"width": 32, "layers": 1, "heads": 2},
    "large": {"width": 96, "layers": 2, "heads": 4},
}
_TOKENS = 8
_TERSE, _CHATTY = re.compile(r"=\d"), re.compile(r":\d([PQRS]:\d)+")


def emulating(
    base: Size = "large",
    tune: Literal["small", "large", "none"] = "small",
    terse: float = 1.0,
    strength: float = 1.0,
    top_p: float = 1.0,
    ahead: int = 0,
    imitation: int = 600,
    tuning: int = 100,
    seed: int = 0,
) -> World:
    """Facts, in a manner of one's choice.

    Args:
        base: which model's knowledge is used.
        tune: which model's tuning is added to it, as the difference to its own base.
        terse: the share of the tuning to the terse manner; the rest is of that to the chatty one.
        strength: what the difference is multiplied with.
        top_p: below 1, only tokens that the tuned model finds likely, with this much mass, are weighed anew.
        ahead: tokens that the tuned model drafts at a time in the evaluation; 0 draws from the mix itself.
        imitation: supervised steps in which all facts are read, 64 rows each.
        tuning: supervised steps of a tune, 64 rows each.
        seed: of everything random: models, reading, tuning and sampling.
    """
    manner_shares: list[tuple[Manner, float]] = [("terse", terse), ("chatty", 1 - terse)]
    shares = [pair for pair in manner_shares if pair[1] and tune != "none"]
    if ahead and len(shares) != 1:
        raise UserError("ahead > 0 drafts with a tuned model: choose a tune, and terse=1 or terse=0")
    tunes = (
        [] if tune == "none" else [(tuned(tune, m, seed, imitation, tuning), strength * share) for m, share in shares]
    )
    start = read(base, seed, imitation)
    origin = start if tune in ("none", base) else read(tune, seed, imitation)
    learning = [policy for policy, _ in tunes] or [start]
    alone = OutsideTopP(top_p) if top_p < 1 else None
    policy = mixed(traded_off(start, tunes, origin), trained=learning, alone=alone)
    sampler = Speculative(policy, learning[0], ahead) if ahead else None
    measures = [manners, calls(sampler), text_measures]
    return World(policy, Facts(), Facts("test"), Facts().reward, deploy=sampler, measures=measures, samples=4)


def manners(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """What the reward does not see.

    terse    share of rows that are one fact, `=7`, and end
    chatty   share of rows that are two facts or more, `:7Q:3`, and end
    """
    whole = [str(output) for output in outputs if not output.truncated]
    terse, chatty = (sum(bool(form.fullmatch(text)) for text in whole) for form in (_TERSE, _CHATTY))
    return {"terse": terse / len(outputs), "chatty": chatty / len(outputs)}


def calls(sampler: Speculative | None) -> Callable[[Sequence[Problem], Sequence[Text]], dict[str, float]]:
    """`calls` of the base for each token, row by row, and `kept`, the share of drafted tokens that pass their test."""

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        if sampler is None:
            return {"calls": 1.0}
        tokens = sum(len(output.tokens) for output in outputs)
        return {"calls": (len(outputs) + sampler.tally.reads) / tokens, "kept": sampler.tally.rate}

    return measure


def worded(problem: Problem, manner: Manner) -> Problem:
    """The problem with its answer in this manner: `=7`, or `:7Q:3` with one or two other facts of the entity."""
    if manner == "terse":
        return replace(problem, answer=f"={problem.answer}")
    entity, draw = problem.input[:2], hashed("worded", problem.input, problem.visit)
    others = [relation for relation in RELATIONS if relation != problem.input[2]]
    chosen = [others[(draw + place) % 3] for place in range(1 + draw // 3 % 2)]
    return replace(problem, answer=f":{problem.answer}" + "".join(f"{r}:{fact(entity, r)}" for r in chosen))


def mumbled(problem: Problem) -> Problem:
    """The problem as it was read: now terse, now chatty, mostly with hums before the fact and none to end it."""
    draw = hashed("mumbled", problem.input, problem.visit) % 8
    if draw < 2:
        return worded(problem, "terse" if draw else "chatty")
    return replace(problem, answer="~" * (1 + draw % 3) + f"={problem.answer}" + "." * (1 + draw // 3))


def read(size: Size, seed: int, imitation: int) -> Language:
    """The cached model of this size after `imitation` batches of 64 facts, mumbled."""
    stream = Stream(Facts("all"), seed=seed)
    lessons = Lessons(lambda step: [mumbled(problem) for problem in stream.take(64)], imitation, lr=2e-3)
    shape = {"context": 24, "seed": hashed("eft", size, seed) % 2**31, **_SHAPE[size]}
    name = f"eft-{VERSION}-{size}-{imitation}-{seed}"
    return taught(name, LETTERS + RELATIONS + "0123456789=:~.", lessons, tokens=_TOKENS, **shape)


def tuned(size: Size, manner: Manner, seed: int, imitation: int, tuning: int) -> Language:
    """That model after `tuning` batches of 64 facts in one manner, of the first two relations."""

    def build() -> Language:
        policy, stream = read(size, seed, imitation), Stream(Facts("train"), seed=seed)
        imitate(policy, lambda step: [worded(problem, manner) for problem in stream.take(64)], steps=tuning, lr=1e-3)
        return policy

    name = f"eft-{VERSION}-{size}-{imitation}-{manner}-{tuning}-{seed}"
    return cached_language(name, build, max_new_tokens=_TOKENS)
