"""A small model's tuning on a large model's knowledge. After Mitchell et al. 2023, "An Emulator for Fine-Tuning Large
Language Models using Small Language Models", arXiv:2310.12962.

A small and a large model have read the same facts, worded in several manners, and the small one has no room for all of
them. Both are then tuned to a manner: `terse` says the fact and stops, `chatty` goes on with others. The tuning sees
half of the relations, and the evaluation asks for the other half. `reward` is whether the fact is right, `terse` and
`chatty` how often the row is worded so. Emulation adds the small models' difference to the large base, so it should
know what the large one knows and speak as the small tuned one does; `down` is the reverse. The share of each of the two
tunes is chosen when sampling. `careful` re-weighs likely tokens only, `speculative` drafts with the small tuned model.
All models are made anew for each seed. Nothing is trained by the run itself unless it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.text import text_measures
from rlft.methods.rloo import rloo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.composed.mixed import OutsideTopP, mixed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.policies.language.speculative import Speculative
from rlft.policies.mix import traded_off
from rlft.runs.drive import Run
from rlft.tasks.facts import LETTERS, RELATIONS, Facts, fact
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime, Text, UserError

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


def eft(
    method: Method = rloo(),
    base: Size = "large",
    tune: Literal["small", "large", "none"] = "small",
    terse: float = 1.0,
    strength: float = 1.0,
    top_p: float = 1.0,
    ahead: int = 0,
    steps: int = 0,
    prompts: int = 16,
    group: int = 8,
    lr: float = 3e-4,
    rows: int | None = None,
    imitation: int = 600,
    tuning: int = 100,
    problems: int = 200,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Facts, in a manner of one's choice.

    Args:
        base: which model's knowledge is used.
        tune: which model's tuning is added to it, as the difference to its own base.
        terse: the share of the tuning to the terse manner; the rest is of that to the chatty one.
        strength: what the difference is multiplied with.
        top_p: below 1, only tokens that the tuned model finds likely, with this much mass, are weighed anew.
        ahead: tokens that the tuned model drafts at a time in the evaluation; 0 draws from the mix itself.
        steps: further training of the tuned model through the mix, for right facts; 0 evaluates it.
        prompts: facts asked for in such a step.
        group: answers to each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps in which all facts are read, 64 rows each.
        tuning: supervised steps of a tune, 64 rows each.
        problems: facts of the evaluation, all of 200 by default, with four rows of each.
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
    task = Facts()
    trainer = Trainer(
        policy, method, task, task.reward, prompts=prompts, group=group, rows=rows, lr=lr, seed=seed, runtime=runtime
    )
    return Run(
        trainer,
        steps,
        Facts("test"),
        problems=problems,
        samples=4,
        deploy=sampler,
        measures=[manners, calls(sampler), text_measures],
    )


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

    def build() -> Language:
        tokenizer = character_tokenizer(LETTERS + RELATIONS + "0123456789=:~.")
        blank = small_llama(len(tokenizer), context=24, seed=hashed("eft", size, seed) % 2**31, **_SHAPE[size])
        policy, stream = Language(blank, tokenizer, max_new_tokens=_TOKENS), Stream(Facts("all"), seed=seed)
        imitate(policy, lambda step: [mumbled(problem) for problem in stream.take(64)], steps=imitation, lr=2e-3)
        return policy

    return _cached(f"eft-{VERSION}-{size}-{imitation}-{seed}", build)


def tuned(size: Size, manner: Manner, seed: int, imitation: int, tuning: int) -> Language:
    """That model after `tuning` batches of 64 facts in one manner, of the first two relations."""

    def build() -> Language:
        policy, stream = read(size, seed, imitation), Stream(Facts("train"), seed=seed)
        imitate(policy, lambda step: [worded(problem, manner) for problem in stream.take(64)], steps=tuning, lr=1e-3)
        return policy

    return _cached(f"eft-{VERSION}-{size}-{imitation}-{manner}-{tuning}-{seed}", build)


def _cached(name: str, build: Callable[[], Language]) -> Language:
    return cached_language(name, build, max_new_tokens=_TOKENS)


CLAIM = Claim(
    sentence=(
        "Adding a small model's fine-tuning to a large base, as a difference of log-probabilities, gives the large "
        "model's factuality and the small one's tuned behaviour without tuning the large one, and lets competing "
        "behaviours be weighed when sampling."
    ),
    source="Mitchell et al. 2023, arXiv:2310.12962",
    arms={
        "small_tuned": Arm("the small model, tuned", {"base": "small", "tune": "small"}),
        "large_base": Arm("the large model, not tuned", {"base": "large", "tune": "none"}),
        "emulated": Arm("large base, small model's tuning", {}),
        "large_tuned": Arm("the large model, tuned", {"base": "large", "tune": "large"}),
        "down": Arm("small base, large model's tuning", {"base": "small", "tune": "large"}),
        "careful": Arm("emulated, where the tuned model finds tokens likely", {"top_p": 0.9}),
        "terse_75": Arm("emulated, three quarters terse", {"terse": 0.75}),
        "terse_50": Arm("emulated, half terse", {"terse": 0.5}),
        "terse_25": Arm("emulated, a quarter terse", {"terse": 0.25}),
        "terse_0": Arm("emulated, chatty", {"terse": 0.0}),
        "speculative": Arm("emulated, drafted by the small tuned model", {"ahead": 3}),
    },
    metric="reward",
    table=("terse", "chatty", "calls", "kept"),
    statements=(
        Statement("more factual than the small tuned model", "reward", "emulated", over="small_tuned", least=0.1),
        Statement("in the tuned manner, as the large base is not", "terse", "emulated", over="large_base", least=0.3),
        Statement("and nearly as the small tuned model is", "terse", "emulated", over="small_tuned", least=-0.1),
        Statement("as factual as tuning the large model", "reward", "emulated", over="large_tuned", least=-0.1),
        Statement("knowledge comes from the base: down-scaling has less", "reward", "emulated", over="down", least=0.1),
        Statement("more terse at three quarters than at one", "terse", "terse_75", over="terse_25", least=0.2),
        Statement("more chatty at one quarter than at three", "chatty", "terse_25", over="terse_75", least=0.2),
        Statement("half lies between: below all", "terse", "emulated", over="terse_50", least=0.05, claimed=False),
        Statement("half lies between: above none", "terse", "terse_50", over="terse_0", least=0.05, claimed=False),
        Statement("the filter costs no facts", "reward", "careful", over="emulated", least=-0.05, claimed=False),
        Statement(
            "drafting changes no facts", "reward", "speculative", over="emulated", least=-0.05, most=0.05, claimed=False
        ),
        Statement("nor the manner", "terse", "speculative", over="emulated", least=-0.05, most=0.05, claimed=False),
        Statement("and saves calls of the large model", "calls", "speculative", most=0.95, claimed=False),
    ),
    budget="Nothing is trained by an arm itself. All models of one size have read the same, all tunes were as long.",
    shared=(),
    scaled_down=(
        "Models of 15 000 and 230 000 weights instead of 7 and 70 billion, made-up facts of one digit instead of the "
        "world's, supervised tuning to a manner instead of chat models, and counting instead of GPT-4's judgement."
    ),
    real=(
        "rlft sample --model LARGE --mix SMALL-CHAT:SMALL:1 for checkpoints of one tokenizer, or "
        "mixed(emulated(large, tuned, small)) of three Language policies, drawn through Speculative."
    ),
    smoke={"imitation": 2, "tuning": 1, "problems": 8},
)
