"""A small model that learned to calculate, then what the signs of illnesses are and how residents examine patients.

It is told one complaint, says what it takes the patient to have and asks for a finding, up to three times, and then
cites its evidence and names the illness. Residents ask for any finding, one to three times, name the likeliest illness,
leave out a quarter of what they found, and cite signs from the book that they never asked for. A small classifier read
conversations of theirs with the verdict of one who knows whether the evidence is sound.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor

from rlft.cache import cached
from rlft.environments.records import ASK, Records, asked
from rlft.measure.text import text_measures
from rlft.metrics.boxes import span
from rlft.models.sequence import Reader
from rlft.models.small_language import small_classifier, small_llama, word_tokenizer
from rlft.models.soup import average
from rlft.noise import hashed, permuted
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import column
from rlft.rewards.evidence import cited, evidence
from rlft.rewards.learned.fitting import Fitting, Labelled, fit
from rlft.rewards.learned.scored import Reads, Scored
from rlft.rewards.text import label
from rlft.tasks.patients import FINDINGS, Illnesses, Patients
from rlft.tasks.steps import LETTERS, Steps
from rlft.training.evaluate import evaluate
from rlft.types import Measure, Message, Problem, Reward, Text, Transcript
from rlft.worlds import World

# Raised when a model or the classifier would come out otherwise.
VERSION = 1
ILLNESSES, BUDGET = 12, 3
LEVELS = (3, 4, 5)
_TURN, _CHAIN = 13, 18  # tokens of a turn, and of a calculation
_APART = 10**6  # a seed of its own for the conversations that were judged
Stage = Literal["general", "medical"]
Paid = Literal["outcome", "rule", "classifier", "last-turn"]


def diagnosed(
    stage: Stage = "medical",
    paid: Paid = "rule",
    shown: Literal["residents", "specialists"] = "residents",
    weight: float = 1.0,
    merged: float = 0.3,
    imitation: int = 500,
    tuning: int = 1000,
    judged: int = 4000,
    questions: int = 400,
) -> World:
    """Patients to be examined.

    Args:
        stage: what the model has learned: to calculate (general), and then medicine.
        paid: for the illness alone (outcome); for it and the f1 of what is cited, found and required (rule); for it and
            the probability of sound evidence by a classifier that reads the conversation, or its last turn alone.
        shown: whose examinations are imitated, if any are.
        weight: of the evidence beside the illness.
        merged: share of the weights before reinforcement in the merged model.
        imitation: supervised steps of the general model, 64 calculations each.
        tuning: then so many of examinations and of the signs of illnesses.
        judged: conversations of residents that the classifier is fitted to.
        questions: held-out patients, and half as many calculations.
    """
    illnesses = Illnesses(ILLNESSES)
    policy = talking(general(imitation) if stage == "general" else medical(imitation, tuning))
    train, test = Shown(Patients(illnesses), shown), Patients(illnesses, questions, "test")
    grounds = evidence()
    extra: dict[Paid, Reward | None] = {"outcome": None, "rule": grounds}
    if paid in ("classifier", "last-turn"):
        extra[paid] = verdicts(paid, judged)
    return World(
        policy,
        train,
        test,
        rewarded(extra[paid], weight),
        judged=test.reward,
        measures=[examined(illnesses), text_measures],
        watched=[examined(illnesses)],
        probes=[kept(questions // 2), averaged(copy.deepcopy(policy.language), test, merged, questions // 2)],
    )


def rewarded(extra: Reward | None, weight: float) -> Reward:
    """The illness, and what else counts."""
    right = label()

    def reward(problems: Sequence[Problem], outputs: Any) -> dict[str, Tensor]:
        parts = {"illness": column(right(problems, outputs))}
        return parts if extra is None else {**parts, "evidence": weight * _only(extra(problems, outputs))}

    return reward


def _only(parts: Any) -> Tensor:
    return next(iter(dict(parts).values()))


class Shown:
    """Patients with somebody's examination as what is imitated."""

    size = None

    def __init__(self, task: Patients, by: str):
        self.task, self.by, self.name, self.split = task, by, task.name, task.split
        self._by = {"residents": resident, "specialists": specialist}[by]

    def at(self, index: int) -> Problem:
        """The patient with this index."""
        problem = self.task.at(index)
        return replace(problem, demonstration=self._by(self.task.illnesses, problem, hashed(index, self.by)))


def resident(illnesses: Illnesses, problem: Problem, lot: int) -> list[dict[str, str]]:
    """An examination as it mostly is: any findings, one to three, and evidence that is not all found or told."""
    order = [FINDINGS[permuted(place, len(FINDINGS), "ask", lot)] for place in range(len(FINDINGS))]
    known = dict.fromkeys(problem.columns["known"], True)
    messages = []
    for finding in [one for one in order if one not in known][: 1 + lot % BUDGET]:
        messages += _question(problem, _likeliest(illnesses.posterior(known)), finding)
        known[finding] = problem.columns["record"][finding] == finding
    named = _likeliest(illnesses.posterior(known))
    signs = illnesses.signs[named]
    told = [one for one in FINDINGS if known.get(one) and hashed(lot, "told", one) % 4]
    guessed = [one for one in FINDINGS if one in signs and one not in known and hashed(lot, "book", one) % 4 == 0]
    return [*messages, _conclusion([*told, *guessed], named)]


def specialist(illnesses: Illnesses, problem: Problem, lot: int) -> list[dict[str, str]]:
    """An examination as it should be: three findings, each the most informative one, and all evidence found."""
    known = dict.fromkeys(problem.columns["known"], True)
    messages = []
    for _ in range(BUDGET):
        finding = illnesses.informative(known)
        messages += _question(problem, _likeliest(illnesses.posterior(known)), finding)
        known[finding] = problem.columns["record"][finding] == finding
    named = _likeliest(illnesses.posterior(known))
    return [
        *messages,
        _conclusion([one for one in FINDINGS if known.get(one) and one in illnesses.signs[named]], named),
    ]


def _question(problem: Problem, suspected: str, finding: str) -> list[dict[str, str]]:
    turn = f" maybe {suspected}{ASK[0]} {finding}{ASK[1]}"
    return [{"role": "assistant", "content": turn}, {"role": "user", "content": problem.columns["record"][finding]}]


def _conclusion(told: Sequence[str], named: str) -> dict[str, str]:
    return {"role": "assistant", "content": f"<evidence>{';'.join(f' {one}' for one in told)}<answer> {named}</answer>"}


def _likeliest(chances: Mapping[str, float]) -> str:
    return max(chances, key=lambda name: chances[name])


def sound(illnesses: Illnesses, problem: Problem, output: Text) -> bool:
    """Whether evidence is so by one who knows: at least two findings, all found, all signs of the illness named."""
    named, parts = cited(output), evidence()([problem], [output])
    signs = illnesses.signs.get(span(str(output)), frozenset())
    return len(named) > 1 and named <= signs and not parts.watch["unseen"][0]


def examined(illnesses: Illnesses) -> Measure:
    """How patients are examined.

    right      share of illnesses named rightly
    f1, precision, recall   of what is cited, against the signs that the patient has, as far as they were asked for
    unseen     share of what is cited that was neither asked for nor told
    sound      share of conclusions whose evidence is sound to one who knows
    questions  findings asked for
    """
    grounds = evidence()

    def measure(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
        parts = grounds(problems, outputs)
        told = {name: float(value.mean()) for name, value in parts.watch.items()}
        well = [sound(illnesses, one, output) for one, output in zip(problems, outputs, strict=True)]
        asks = [sum(asked(m.content) is not None for m in said(output) if m.own) for output in outputs]
        return {
            "right": float(label()(problems, outputs).mean()),
            "f1": float(parts["evidence"].mean()),
            **told,
            "sound": sum(well) / len(well),
            "questions": sum(asks) / len(asks),
        }

    return measure


def said(output: Text) -> Sequence[Message]:
    """The messages of a conversation; none of what is none."""
    return output.messages if isinstance(output, Transcript) else ()


def talking(language: Language) -> Conversation:
    """The model before a patient."""
    return Conversation(language, Records(), turns=BUDGET + 1)


def kept(questions: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe: `general`, the share of held-out calculations that the model still gets right."""

    def probe(policy: Conversation) -> Mapping[str, float]:
        return {"general": calculating(policy.language, questions)}

    return probe


def calculating(policy: Language, questions: int) -> float:
    """The accuracy on held-out calculations, one answer each."""
    view = copy.copy(policy)
    view.sampling = replace(policy.sampling, max_new_tokens=_CHAIN)
    task = Steps(LEVELS, questions, max(LEVELS), "test")
    return evaluate(view, task, task.reward).mean


def averaged(start: Language, test: Patients, share: float, patients: int) -> Callable[[Any], Mapping[str, float]]:
    """A probe of the mean of its weights and the general model's: `merged`, right on patients, and `merged/general`."""

    def probe(policy: Conversation) -> Mapping[str, float]:
        one = copy.deepcopy(policy)
        weights = average([(start.causal.state_dict(), share), (policy.language.causal.state_dict(), 1 - share)])
        one.language.causal.load_state_dict(weights)
        right = evaluate(one, Patients(test.illnesses, patients, "test"), label()).mean
        return {"merged": right, "merged/general": calculating(one.language, patients)}

    return probe


def general(imitation: int) -> Language:
    """The cached model after so many batches of 64 calculations, step by step."""

    def lessons(step: int) -> list[Problem]:
        return [calculations(64 * step + row) for row in range(64)]

    def build() -> Language:
        tokenizer = word_tokenizer(vocabulary())
        policy = Language(small_llama(len(tokenizer), width=64, layers=2, context=96), tokenizer, max_new_tokens=_TURN)
        imitate(policy, lessons, steps=imitation)
        return policy

    return cached_language(f"diagnosed-{VERSION}-{imitation}", build, max_new_tokens=_TURN)


def medical(imitation: int, tuning: int) -> Language:
    """That model after so many batches of 44 examinations by residents, 12 illnesses with their signs and 8 of the
    calculations."""
    illnesses = Illnesses(ILLNESSES)
    task = Shown(Patients(illnesses), "residents")

    def lessons(step: int) -> list[Problem]:
        seen = [task.at(44 * step + row) for row in range(44)]
        again = [calculations(8 * step + row) for row in range(8)]
        return [*seen, *(book(illnesses, 12 * step + row) for row in range(12)), *again]

    def build() -> Language:
        policy = general(imitation)
        imitate(talking(policy), lessons, steps=tuning, lr=2e-3)
        return policy

    return cached_language(f"diagnosed-medical-{VERSION}-{imitation}-{tuning}", build, max_new_tokens=_TURN)


def calculations(number: int) -> Problem:
    """One of the calculations that are learned."""
    return Steps(LEVELS, places=max(LEVELS)).at(number)


def book(illnesses: Illnesses, lot: int) -> Problem:
    """An illness and its signs, as the book has them."""
    name = illnesses.names[lot % len(illnesses.names)]
    told = "".join(f"; {one}" for one in FINDINGS if one in illnesses.signs[name])
    return Problem(lot, f" signs of {name} :", None, {}, "book", "train", demonstration=told)


def verdicts(paid: Paid, conversations: int) -> Scored:
    """The classifier's probability that evidence is sound."""
    reads: Reads = "conversation" if paid == "classifier" else "completion"
    return Scored(reading(reads, conversations), lambda logits: logits[:, 0].sigmoid(), "sound", batch=256, reads=reads)


def reading(reads: Reads, conversations: int) -> Reader:
    """The cached classifier of one label, fitted to what so many residents said, with the verdicts of one who knows."""
    illnesses = Illnesses(ILLNESSES)
    task = Shown(Patients(illnesses), "residents")

    def build() -> Reader:
        tokenizer = word_tokenizer(vocabulary())
        reader = Reader(small_classifier(len(tokenizer), 1, width=64, layers=2, context=96), tokenizer)
        rows = [_verdict(illnesses, task.at(_APART + number), reads) for number in range(conversations)]
        fit(reader, rows, Fitting(epochs=8, lr=2e-3, batch=64, held_out=0.0))
        return reader

    name = f"diagnosed-{reads}-{VERSION}-{conversations}"
    return cached(name, build, lambda made, path: made.save(path), Reader.load)


def _verdict(illnesses: Illnesses, problem: Problem, reads: Reads) -> Labelled:
    messages = [Message(one["role"], one["content"]) for one in problem.demonstration]
    whole = Transcript(messages[-1].content, (), False, messages)
    shown = messages if reads == "conversation" else messages[-1].content
    return Labelled(problem.input if reads == "conversation" else "", shown, int(sound(illnesses, problem, whole)))


def vocabulary() -> list[str]:
    """All that is said, one token each."""
    illnesses = Illnesses(ILLNESSES)
    marks = [
        *ASK,
        "<evidence>",
        "<answer>",
        "</answer>",
        ";",
        " maybe",
        " :",
        " signs of",
        *(f"\n{told}\n" for one in FINDINGS for told in (one, f"no {one}")),
    ]
    words = [f" {word}" for word in (*FINDINGS, *illnesses.names)]
    return [*marks, *words, "\nnot recorded\n", "not recorded", *LETTERS, *"0123456789+-*=."]
