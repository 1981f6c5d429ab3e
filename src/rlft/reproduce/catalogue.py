"""The published systems, and how far the evidence for each has come. Reads files; runs nothing and judges nothing.

What the systems are stands in `systems.toml`; what became of them is read from the recipes and the committed results,
every time, so that no list of states can be wrong.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlft.errors import unknown
from rlft.reproduce import declared, results

VOCABULARY: Mapping[str, Mapping[str, str]] = {
    "modality": {
        "text": "language",
        "code": "programs, proofs and scripts that a machine checks",
        "vision-language": "images in, language out",
        "video": "moving pictures, in or out",
        "audio": "sound in, language out",
        "image": "pictures out",
        "biology": "molecules, DNA and RNA out",
        "control": "states or pictures in, actions out",
    },
    "task": {
        "mathematics": "problems with one right answer",
        "question-answering": "questions, with options or free",
        "science": "problems of the natural sciences",
        "medicine": "medical knowledge and diagnosis",
        "programming": "programs that must run",
        "proofs": "proofs that must check",
        "translation": "from one language into another",
        "simplification": "the same said more simply",
        "critique": "judging what another model wrote",
        "alignment": "what people prefer or should not be told",
        "tool-use": "many turns with tools",
        "pre-training": "plain text, without questions",
        "grounding": "where in a picture something is",
        "classification": "which class it is",
        "image-generation": "pictures to a prompt",
        "sequence-design": "sequences with a property",
        "navigation": "finding the way",
        "driving": "trajectories of a car",
        "locomotion": "moving a body",
        "manipulation": "moving things",
        "games": "games on a screen",
        "survey": "the field itself",
    },
    "changes": {
        "reward": "what a rollout is worth",
        "advantage": "how a reward becomes credit of decisions",
        "loss": "what the update minimises",
        "collect": "where rollouts come from",
        "policy": "what decides, and how it is sampled",
        "data": "problems, demonstrations and their order",
        "environment": "what answers the policy: tools, simulators, contexts",
        "measure": "what is found out about a model",
        "runtime": "how it is computed: parallel, cached, in which precision",
    },
    "reward": {
        "rule": "a comparison with a known answer or form",
        "verifier": "a prover, a compiler, test cases",
        "metric": "a graded score against references",
        "simulator": "what an environment pays, simulated or real",
        "learned-model": "a model's judgement",
        "intrinsic": "made from the policy's own outputs",
        "no-reward": "none while training, or nothing is trained",
    },
    "algorithm": {
        "SFT": "likelihood of demonstrations",
        "REINFORCE": "policy gradient with or without a baseline",
        "RLOO": "policy gradient, judged against the others of a group",
        "PPO": "clipped ratios",
        "GRPO": "clipped ratios, advantages normalised in a group, no critic",
        "regression": "log-ratios fitted to rewards",
        "ranking": "likelihoods put into the order of a ranking",
        "distribution-matching": "divergence to a known target",
        "expert-iteration": "likelihood of the best of one's own samples",
        "reward-gradient": "the gradient of a differentiable reward",
        "off-policy": "temporal differences on stored transitions",
        "model-based": "a learned model of the world, planned or trained in",
        "inference": "nothing is trained: composed, guided or searched",
        "unnamed-RL": "reinforcement learning that the abstract does not name",
    },
    "framework": {
        "TRL": "its trainers, also through Open-R1 and R1-V",
        "verl": "a copy of it, also as SimpleVLA-RL",
        "EasyR1": "verl for models that see",
        "OpenRLHF": "a copy of it",
        "ROLL": "part of it",
        "RLinf": "part of it",
        "Cosmos-RL": "a recipe on it",
        "PipelineRL": "its configuration",
        "LLaMA-Factory": "supervised stages",
        "Unsloth": "patched models under another's trainer",
        "diffusers": "models and schedulers under a loop of the authors'",
        "Brax": "its training on accelerators",
        "own-code": "a loop of the authors', on none of these",
        "unpublished": "no training code was found",
        "no-training": "nothing was trained",
    },
}
"""closed kind of tag -> its words, and what each means. A word belongs to one kind."""

OPEN: Mapping[str, str] = {
    "benchmark": "the data sets, test sets and worlds that the paper reports on, by name; `own-data` are tasks of the "
    "authors' without a name, `no-benchmark` is a paper that measures nothing",
}
"""kind of tag whose words are those in use, each spelled one way -> what they are."""

KINDS = (*VOCABULARY, *OPEN)

Stage = Literal["none", "recipe", "evidence", "survey"]
# As in verdict.py, which needs PyTorch.
VERDICTS = ("reproduced", "not reproduced", "inconclusive")


@dataclass(frozen=True)
class System:
    """A published system.

    number      place in the catalogue, from 1
    key         name of its recipe and of its result
    name        what it is called
    title       of the paper
    year        of the first version
    arxiv       number of the paper
    adds        what is new in it, in one sentence
    experiment  the arms of the least experiment that tests its claim, and what is measured
    code, data  owner/name of the authors' repository or data set, if known here

    The rest are its tags, words of `VOCABULARY`, and of `OPEN` kinds what there is; empty where it is not known.
    """

    number: int
    key: str
    name: str
    title: str
    year: int
    arxiv: str
    adds: str
    experiment: str
    modality: tuple[str, ...]
    task: tuple[str, ...]
    changes: tuple[str, ...]
    reward: tuple[str, ...]
    algorithm: tuple[str, ...]
    framework: tuple[str, ...]
    benchmark: tuple[str, ...]
    code: str | None = None
    data: str | None = None

    def tags(self) -> dict[str, tuple[str, ...]]:
        """Its tags of every kind."""
        return {kind: getattr(self, kind) for kind in KINDS}


@dataclass(frozen=True)
class State:
    """How far the evidence for a system has come.

    stage     none: no recipe; recipe: one that can be run; evidence: a committed result; survey: a map of the field,
              which has no arms to run: its evidence is the catalogue
    unknown   of a survey: tags of the catalogue that are not known
    declared  whether the recipe declares a claim
    verdict   of the result, as are `date` and `revision`
    stale     whether the claim was changed, or taken back, after the result was made
    """

    stage: Stage
    declared: bool = False
    verdict: str | None = None
    date: str | None = None
    revision: str | None = None
    stale: bool = False
    unknown: int = 0

    def __str__(self) -> str:
        if self.stage == "survey":
            return f"map, {self.unknown} tags unknown" if self.unknown else "map, complete"
        if self.verdict is not None:
            return f"{self.verdict} (stale)" if self.stale else self.verdict
        if self.stage == "none":
            return "no recipe yet"
        return "claim declared" if self.declared else "recipe"


def systems() -> list[System]:
    """Every system, in the order of the catalogue."""
    return list(_read())


def system(key: str) -> System:
    """The system of this key; an unknown one raises and gives the nearest."""
    for found in _read():
        if found.key == key:
            return found
    raise unknown("system", key, [found.key for found in _read()])


def title(key: str) -> str:
    """What a system is called; a recipe that is not in the catalogue is called by its key."""
    return next((found.name for found in _read() if found.key == key), key)


def others() -> list[str]:
    """The keys of claims about what is not in the catalogue: a newcomer's own, say. They are called by their keys."""
    known = {found.key for found in _read()}
    return [key for key in declared.claims() if key not in known]


def state(key: str) -> State:
    """How far the evidence for a system, or for a recipe that is none, has come. Another key raises.

    Only one with a result has its recipe imported, at most.
    """
    if not declared.has_recipe(key):
        system(key)
    result, claims = results.load(key), declared.declares(key)
    if result is None and not declared.has_recipe(key) and system(key).task == ("survey",):
        return State("survey", unknown=sum(map(len, not_known().values())))
    if result is None:
        return State("recipe" if declared.has_recipe(key) else "none", claims)
    stale = result["digest"] != declared.digest(key)
    return State("evidence", claims, result["verdict"], result["date"], result["revision"], stale)


def tagged(tag: str) -> list[System]:
    """The systems that carry a tag, of whatever kind; upper and lower case are the same."""
    words = {word.casefold(): word for kind in KINDS for word in words_of(kind)}
    if tag.casefold() not in words:
        raise unknown("tag", tag, list(words.values()))
    word = words[tag.casefold()]
    return [found for found in _read() if any(word in tags for tags in found.tags().values())]


def words_of(kind: str) -> list[str]:
    """The words of a kind of tag: a closed kind's in their order, an open one's that are in use by the alphabet."""
    if kind in VOCABULARY:
        return list(VOCABULARY[kind])
    if kind not in OPEN:
        raise unknown("kind of tag", kind, list(KINDS))
    return sorted({word for found in _read() for word in found.tags()[kind]}, key=str.casefold)


def not_known() -> dict[str, list[str]]:
    """kind of tag -> the systems of which nothing of this kind is known."""
    return {kind: [found.key for found in _read() if not found.tags()[kind]] for kind in KINDS}


def coverage(rows: str = "modality", columns: str = "changes") -> dict[str, dict[str, list[str]]]:
    """Two kinds of tags against each other: the keys of the systems that carry both, for every pair of words.

    A system with several words of a kind stands in several cells. A pair that no system has is an empty list.
    """

    def both(row: str, column: str) -> list[str]:
        return [found.key for found in _read() if row in found.tags()[rows] and column in found.tags()[columns]]

    return {row: {column: both(row, column) for column in words_of(columns)} for row in words_of(rows)}


def count_line(states: Sequence[State]) -> str:
    """How many there are of each: `61 systems: 12 with a recipe, 9 of them with a claim; 5 with evidence (…)`."""
    recipes = sum(one.stage in ("recipe", "evidence") for one in states)
    maps = sum(one.stage == "survey" for one in states)
    claims = sum(one.declared for one in states)
    verdicts = [one.verdict for one in states if one.verdict is not None]
    stale = sum(one.stale for one in states)
    parts = [f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS]
    parts += [f"{stale} of a claim that was changed since"] if stale else []
    found = f"{len(verdicts)} with evidence" + (f" ({', '.join(parts)})" if verdicts else "")
    noun = "system" if len(states) == 1 else "systems"
    last = f"; {maps} a map of the field, whose evidence is this catalogue" if maps else ""
    return f"{len(states)} {noun}: {recipes} with a recipe, {claims} of them with a claim; {found}{last}"


@functools.cache
def _read() -> tuple[System, ...]:
    entries = tomllib.loads((Path(__file__).parent / "systems.toml").read_text(encoding="utf-8"))["system"]
    tags = [{kind: tuple(entry[kind]) for kind in KINDS} for entry in entries]
    return tuple(System(**{"number": n, **entry, **tags[n - 1]}) for n, entry in enumerate(entries, start=1))
