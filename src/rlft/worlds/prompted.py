"""A small model that writes hints for a frozen generator of verified programs, and hears what the verifier says.

    // count up                                  start step
    method M(k: int, n: int) …                   { r := 2; var i := k; … }  This loop invariant might not …: r

The generator has read programs by teachers who get wrong what nobody reminds them of, most often two things, which
ones depends on the kind of the method. A hint has room for two words, and nobody tells the prompter which. Whether a
program is right is said by Dafny, or by `verifiers.conditions`, which says the same and is not a hundredth as slow.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.environments.generated import VERIFIER, Attempt, Generated, Judged, advised
from rlft.environments.scripted import Rule, Scripted
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.noise import hashed
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.attempts import Discounted, LastAttempt
from rlft.tasks.methods import ASPECTS, Methods, ways_of, written
from rlft.training.stream import Stream
from rlft.types import Message, Problem, Rollouts, Teachable, Transcript
from rlft.verifiers.conditions import AFTER, ENDS, ENTRY, KEPT, verified
from rlft.verifiers.dafny import Contract, Dafny
from rlft.verifiers.hardware import Circuit, Hardware
from rlft.verifiers.proved import Proved
from rlft.verifiers.unrolled import design, reference
from rlft.worlds import World

# Raised when a base would come out otherwise.
VERSION = 3
Writer = Literal["policy", "plain", "random", "table", "generator"]
Heeds = Literal["hints", "nothing"]
Shows = Literal["all", "nothing"]
Judge = Literal["own", "tools"]
PLAIN, MOST = " please", 2
HINTS = tuple(f" {aspect}" for aspect in ASPECTS)
WEAK = {
    ("up", 1): ("range", "step"),
    ("up", 2): ("start", "relation"),
    ("down", 1): ("relation", "guard"),
    ("down", 2): ("count", "range"),
}
"""What the generator's teachers get wrong most often, by how a method counts and how many sums it has."""
_OFTEN, _SELDOM, _REMINDED = 0.6, 0.05, 0.03
_HEAD = "method M(k: int, n: int) returns (r: int{})\n  requires k <= n\n"
WORDS = (
    *(
        "// count up\n",
        "// count down\n",
        _HEAD.format(""),
        _HEAD.format(", s: int"),
        "  ensures r == ",
        "  ensures s == ",
    ),
    *("\n", "{\n", "  r := ", "  s := ", ";\n", "  var i := k;\n", "  var i := n;\n", "  {\n", "  }\n}\n"),
    *(f"  while i {guard}\n" for guard in ("< n", "<= n", "> k", ">= k")),
    *(f"    invariant {chain}\n" for chain in ("k <= i <= n", "k <= i < n", "k < i <= n")),
    *(
        "    invariant r == ",
        "    invariant s == ",
        "    r := r",
        "    s := s",
        "    i := i + 1;\n",
        "    i := i - 1;\n",
    ),
    *map(str, range(10)),
    *(" + ", " - ", " * n", " * k", " * i"),
    *(f"{said}: " for said in (ENTRY, KEPT, ENDS, AFTER)),
    *("k", "r", "s", "i", "nothing was written", "unreadable"),
    *(PLAIN, *HINTS),
)
_GENERATED, _ADVICE = 56, MOST + 1
_READ, _BATCH = 16384, 32


def prompted(
    writer: Writer = "policy",
    heeds: Heeds = "hints",
    shows: Shows = "all",
    judge: Judge = "own",
    turns: int = 3,
    sums: int = 1,
    methods: int = 512,
    held_out: int = 256,
    checked: int = 48,
    reading: int = 1400,
    imitation: int = 200,
    critic: bool = False,
    needs: tuple[type, ...] = (),
    seed: int = 0,
) -> World:
    """Hints for a frozen generator of programs, which are verified.

    Args:
        writer: of the hints, the policy; or a rule in its place that gives none, random ones, or those that a table has
            for what the verifier said; or none while the generator itself is the policy.
        heeds: what the generator is told, the hints or nothing.
        shows: what comes back of an attempt, the program and what is wrong with it, or nothing.
        judge: who looks at held-out programs besides, Dafny, Yosys and Icarus; or nobody.
        turns: attempts of the generator at most.
        sums: sums of a method at most, 1 or 2; both are what the models have read.
        methods: problems to learn from, over and over.
        held_out: held-out problems.
        checked: how many of their different programs the tools look at.
        reading: supervised steps of the generator, 32 programs each.
        imitation: supervised steps of the prompter, 32 conversations each.
    """
    train, test = Methods(size=methods, sums=sums), Methods("test", held_out, sums)
    told = Tools(checked).told if judge == "tools" else None
    if writer == "generator":
        policy = generator(reading, critic)
        heard = generated(Drawing(policy), heeds, shows, seed, known=0)
        spoken = Scripted(_plainly, heard, turns)
        measure = measured(heard, told)
        return World(policy, Plain(train), test, _proves, LastAttempt(heard), [measure], deploy=spoken)
    heard = generated(generator(reading), heeds, shows, seed)
    policy = Conversation(prompter(imitation, reading, critic), heard, turns)
    rules: dict[str, Rule] = {"plain": _plainly, "random": _randomly, "table": _by_table}
    spoken = Scripted(rules[writer], heard, turns) if writer in rules else None
    shown = Solved(train, heard, turns) if Teachable in needs else train
    measure = measured(heard, told)
    return World(policy, shown, test, Discounted(heard, turns), LastAttempt(heard), [measure], deploy=spoken)


class Drawing:
    """A policy that changes, as what draws and no more."""

    def __init__(self, policy: Language):
        self.policy = policy

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """As the policy draws now."""
        return self.policy.sample(problems, group, seed)


class Plain:
    """The problems of a task as the generator reads them that is given no hint."""

    def __init__(self, task: Methods):
        self.task, self.name, self.split, self.size = task, f"plain-{task.name}", task.split, task.size

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        return _ASKS(self.task.at(index), PLAIN)


class Solved:
    """Those problems of a task that the table solves, and as answers its conversations; all, if it solves none."""

    def __init__(self, task: Methods, heard: Generated, turns: int):
        assert task.size is not None
        self.name, self.split = task.name, task.split
        rows = Scripted(_by_table, heard, turns).sample([task.at(index) for index in range(task.size)], 1, 0)
        won = LastAttempt(heard)(rows.problems, rows.outputs).tolist()
        every = list(zip(rows.problems, rows.outputs, won, strict=True))
        found = [row for row in every if row[2]] or every
        self.each = [replace(p, index=i, demonstration=_spoken(said)) for i, (p, said, _) in enumerate(found)]
        self.size = len(self.each)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        return self.each[index]


def _spoken(said: Transcript) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in said.messages]


_ASKS = advised("{prompt}{advice}\n")


def _heard(problem: Problem, advice: str) -> Problem:
    """What the generator is asked: of what was written, the hints. Of more than two words none is heard."""
    words = advice.split()
    hints = "".join(f" {word}" for word in words if word in ASPECTS and len(words) <= MOST)
    return _ASKS(problem, hints or PLAIN)


def _unheard(problem: Problem, advice: str) -> Problem:
    return _ASKS(problem, PLAIN)


def generated(drawn: Any, heeds: Heeds, shows: Shows, seed: int, known: int = 65536) -> Generated:
    """The generator with its verifier."""
    asks = _heard if heeds == "hints" else _unheard
    form = "{output}{said}" if shows == "all" else ""
    return Generated(drawn, judged, asks, form, seed=seed, known=known)


def judged(problems: Sequence[Problem], outputs: Sequence[Any]) -> list[Judged]:
    """What the verifier says, a line for each fault: the sentence, and what the condition begins with."""
    return [_judged(verified(p.columns["header"], str(output))) for p, output in zip(problems, outputs, strict=True)]


def _judged(said: Proved) -> Judged:
    if said.ok:
        return Judged(1.0)
    if said.reason != "unproved":
        return Judged(0.0, 5, "unreadable")
    faults = [fault.rpartition(": ") for fault in said.detail.split("; ") if ": " in fault]
    return Judged(0.0, len(faults), "\n".join(f"{_named(what)}: {about[0]}" for what, _, about in faults))


def _named(what: str) -> str:
    return next((one for one in (ENTRY, KEPT, AFTER) if one in what), ENDS)


def _proves(problems: Sequence[Problem], outputs: Sequence[Any]) -> list[float]:
    return [one.score or 0.0 for one in judged(problems, outputs)]


def _plainly(problem: Problem, said: Sequence[Message], sample: int) -> str:
    return PLAIN


def _randomly(problem: Problem, said: Sequence[Message], sample: int) -> str:
    draw = random.Random(hashed("random", problem.split, problem.index, problem.visit, len(said), sample))
    return "".join(draw.sample(HINTS, MOST))


def _by_table(problem: Problem, said: Sequence[Message], sample: int) -> str:
    """Two hints at most, of those that the sentences call for, the latest first."""
    found: list[str] = []
    for message in reversed(said):
        if message.role == VERIFIER:
            found += _called_for(message.content)
    return "".join(list(dict.fromkeys(found))[:MOST]) or PLAIN


def _called_for(content: str) -> list[str]:
    """Hints for what the verifier says, and behind them those for invariants that are missing."""
    table = {ENTRY: (" range", " start"), KEPT: (" guard", " step"), ENDS: (" count", " count")}
    lines = [line.rpartition(": ") for line in content.splitlines()]
    return [table[what][about != "k"] for what, _, about in lines if what in table] + [" range", " relation"]


def measured(heard: Generated, told: Callable[..., dict[str, float]] | None) -> Callable[..., dict[str, float]]:
    """Of conversations with the generator:

    verified      share in which an attempt is verified in the end
    first         share in which the first is
    attempts      how many there are in the mean
    aimed         share of first turns that name both weaknesses of the kind
    and what the tools say (`Tools`)
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Transcript]) -> dict[str, float]:
        each = heard.attempts(problems, [output.messages for output in outputs])
        count = len(each)
        aims = [set(one[0].advice.split()) == set(weak(problem)) for problem, one in zip(problems, each, strict=True)]
        found = {
            "verified": sum(heard.done(one[-1]) for one in each) / count,
            "first": sum(heard.done(one[0]) for one in each) / count,
            "attempts": sum(map(len, each)) / count,
            "aimed": sum(aims) / count,
        }
        return found if told is None else found | told(problems, each)

    return measure


class Tools:
    """Dafny, Yosys and Icarus on different programs of the first `checked` problems, or fewer."""

    def __init__(self, checked: int):
        self.checked, self.dafny, self.hardware = checked, Dafny(), Hardware()

    def told(self, problems: Sequence[Problem], each: Sequence[Sequence[Attempt]]) -> dict[str, float]:
        """Of the last attempts at problems:

        dafny/agrees      share of which Dafny says what the verifier of this process says
        silicon           share of those verified whose hardware is proved to compute what the contract says
        silicon/unproved  the same of those that are not verified, but have been read
        """
        rows = {
            (problem.columns["header"], some[-1].output): some[-1].judged
            for problem, some in zip(problems, each, strict=True)
            if some[-1].judged.said not in ("unreadable", "nothing was written")
        }
        asked = list(rows)[: self.checked]
        said = self.dafny.check([(Contract(header), text) for header, text in asked])
        right = [bool(rows[pair].score) for pair in asked]
        made = self.hardware.check([(Circuit(reference=reference(head)), design(head, text)) for head, text in asked])
        equal = [one.reason == "proved" for one in made]
        found = {"dafny/agrees": _share([one.ok == own for one, own in zip(said, right, strict=True)])}
        for name, wanted in (("silicon", True), ("silicon/unproved", False)):
            found[name] = _share([one for one, own in zip(equal, right, strict=True) if own == wanted])
        return found


def _share(each: Sequence[bool]) -> float:
    return sum(each) / max(len(each), 1)


def generator(reading: int, critic: bool = False) -> Language:
    """The cached generator after `reading` batches of programs."""

    def build() -> Language:
        policy = _blank(_GENERATED, 64, 3, 128)
        stream = Stream(Methods(size=min(_READ, _BATCH * reading)), seed=0)
        imitate(policy, lambda step: [read(one) for one in stream.take(_BATCH)], reading, lr=3e-3)
        return policy

    return cached_language(f"generator-{VERSION}-{reading}", build, max_new_tokens=_GENERATED, critic=critic)


def read(problem: Problem) -> Problem:
    """A program by a teacher who was given any hints."""
    draw = random.Random(hashed("read", problem.index, problem.visit))
    hints = draw.sample(ASPECTS, draw.choice((0, 1, MOST, MOST)))
    way, sums = ways_of(problem)
    wrong = [one for one in ASPECTS if draw.random() < slips(weak(problem), one, hints)]
    return replace(_heard(problem, " ".join(hints)), demonstration=written(way, sums, wrong, draw))


def weak(problem: Problem) -> tuple[str, str]:
    """What the generator's teachers get wrong most often of this problem."""
    way, sums = ways_of(problem)
    return WEAK[way, len(sums)]


def slips(weaknesses: Sequence[str], aspect: str, hints: Sequence[str]) -> float:
    """How often a teacher with these weaknesses gets an aspect wrong."""
    if aspect in hints:
        return _REMINDED
    return _OFTEN if aspect in weaknesses else _SELDOM


def prompter(imitation: int, reading: int, critic: bool = False) -> Language:
    """The cached prompter after `imitation` batches of conversations in which hints are any; every third answers what
    the verifier said."""

    def build() -> Language:
        heard = generated(generator(reading), "hints", "all", 0)
        policy = _blank(_ADVICE, 64, 2, 256)
        count = min(1024, 8 * imitation)
        stream = Stream(Methods(size=count), seed=1)
        rows = Scripted(_carelessly, heard, 3).sample([Methods(size=count).at(i) for i in range(count)], 1, 0)
        shown = [replace(p, demonstration=_spoken(said)) for p, said in zip(rows.problems, rows.outputs, strict=True)]
        taught = Conversation(policy, heard, 3)
        imitate(taught, lambda step: [shown[one.index] for one in stream.take(_BATCH)], imitation, lr=3e-3)
        return policy

    return cached_language(f"prompter-{VERSION}-{imitation}-{reading}", build, max_new_tokens=_ADVICE, critic=critic)


def _carelessly(problem: Problem, said: Sequence[Message], sample: int) -> str:
    answers = said and hashed("answers", problem.index, len(said)) % 3 == 0
    return _by_table(problem, said, sample) if answers else _randomly(problem, said, sample)


def _blank(tokens: int, width: int, layers: int, context: int) -> Language:
    tokenizer = word_tokenizer(WORDS)
    return Language(
        small_llama(len(tokenizer), width=width, layers=layers, context=context), tokenizer, max_new_tokens=tokens
    )
