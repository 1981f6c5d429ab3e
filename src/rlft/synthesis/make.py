"""From topics to training data: expand, write, drop what is there already, validate, work out. Writes no file.

The steps of CHIMERA ("Compact Synthetic Data for Generalizable LLM Reasoning"): a strong model expands subjects into
topics and writes self-contained problems with one answer that can be checked; two others judge, each for itself,
whether a problem is well posed and its answer right, and only what both take is kept; a reasoning model works each out,
and its answer must be the problem's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rlft.errors import UserError
from rlft.synthesis.near import Unseen, words_of
from rlft.synthesis.replies import names_in, object_in
from rlft.synthesis.taxonomy import Path_, Taxonomy
from rlft.synthesis.validation import kept, verdict, why_not
from rlft.synthesis.writers import Says

EXPAND = (
    "List {count} different topics that belong to {topic}, each of which problems can be written about. "
    'Answer with a JSON list of their names: ["…", "…"]'
)
WRITE = (
    "Write a difficult problem about {topic}. It must be understandable without anything else, and have exactly one "
    "short answer that can be checked: a number, an expression or a word, no choice among options and no proof. It is "
    "the {number}. of {count}: make it unlike the others. Answer with one JSON object: "
    '{{"problem": "…", "answer": "…"}}'
)
CHECK = (
    "Problem:\n{problem}\n\nAnswer given:\n{answer}\n\nWork the problem out yourself. Is it well posed, so that it has "
    "exactly one answer? Is the answer given right? End with one JSON object: "
    '{{"valid": true or false, "correct": true or false}}'
)
_FIELDS = {"expand": {"topic", "count"}, "write": {"topic", "number", "count"}, "check": {"problem", "answer"}}
Same = Callable[[str, str], bool]
"""Whether the answer that a text ends with is this one: (answer, text)."""


@dataclass(frozen=True)
class Asked:
    """The prompts, with their fields in braces; {{ and }} are braces."""

    expand: str = EXPAND
    write: str = WRITE
    check: str = CHECK

    def __post_init__(self) -> None:
        for name, known in _FIELDS.items():
            text = getattr(self, name)
            found = set(re.findall(r"(?<!\{)\{(\w+)\}(?!\})", text))
            if not found <= known or not found & known:
                raise UserError(f"the prompt to {name} has the fields {sorted(known)}; this one has {sorted(found)}")


@dataclass(frozen=True)
class Made:
    """What became of one problem.

    why  "" for one that is kept; unread, repeated, unseen (it repeats what must stay unseen), unread verdict, invalid,
         incorrect, unsolved or above the number that each topic may have
    """

    topic: Path_
    problem: str
    answer: str
    demonstration: str = ""
    why: str = ""

    def row(self) -> dict[str, Any]:
        """As a line of a data file."""
        found = {"prompt": self.problem, "answer": self.answer, "subject": self.topic[0], "topic": self.topic[-1]}
        return found | ({"demonstration": self.demonstration} if self.demonstration else {})


@dataclass
class Data:
    """All problems that were written, kept and dropped, in the order of their topics."""

    taxonomy: Taxonomy
    problems: list[Made] = field(default_factory=list)

    @property
    def kept(self) -> list[Made]:
        """Those that are trained on."""
        return [one for one in self.problems if not one.why]

    def reasons(self) -> dict[str, int]:
        """How many were dropped, and why, most first."""
        return dict(Counter(one.why for one in self.problems if one.why).most_common())


def expanded(taxonomy: Taxonomy, writer: Says, topics: int, asked: Asked, seed: int = 0) -> Taxonomy:
    """`topics` new ones below each leaf, as the writer names them."""
    prompts = [asked.expand.format(topic=told(leaf), count=topics) for leaf in taxonomy.leaves]
    replies = writer.say(prompts, seed)
    new = {leaf: names_in(reply)[:topics] for leaf, reply in zip(taxonomy.leaves, replies, strict=True)}
    return taxonomy.under(new)


def written(taxonomy: Taxonomy, writer: Says, each: int, asked: Asked, seed: int = 0) -> list[Made]:
    """`each` problems of every leaf; `unread` where a reply has none."""
    places = [(leaf, number) for leaf in taxonomy.leaves for number in range(1, each + 1)]
    prompts = [asked.write.format(topic=told(leaf), number=number, count=each) for leaf, number in places]
    found = []
    for (leaf, _), reply in zip(places, writer.say(prompts, seed), strict=True):
        said = object_in(reply, "problem", "answer")
        problem, answer = (str(said[name]).strip() if said else "" for name in ("problem", "answer"))
        found.append(Made(leaf, problem, answer, why="" if problem and answer else "unread"))
    return found


def without_repeated(problems: Sequence[Made], unseen: Unseen) -> list[Made]:
    """Those equal in all words to an earlier one are `repeated`, those near what must stay unseen `unseen`."""
    seen, found = set[tuple[str, ...]](), []
    for one in problems:
        if not one.why:
            said = words_of(one.problem)
            one = replace(one, why="repeated" if said in seen else "unseen" if unseen.repeats(one.problem) else "")
            seen.add(said)
        found.append(one)
    return found


def validated(problems: Sequence[Made], validators: Sequence[Says], asked: Asked, seed: int = 0) -> list[Made]:
    """Without those that not all validators take; each is asked about all, and hears of none of the others."""
    at = [number for number, one in enumerate(problems) if not one.why]
    prompts = [asked.check.format(problem=problems[n].problem, answer=problems[n].answer) for n in at]
    said = [validator.say(prompts, seed) for validator in validators]
    found = list(problems)
    for place, number in enumerate(at):
        verdicts = [verdict(replies[place]) for replies in said]
        found[number] = problems[number] if kept(verdicts) else replace(problems[number], why=why_not(verdicts))
    return found


def worked_out(
    problems: Sequence[Made], solver: Says, tries: int, same: Same, instruct: str = "", seed: int = 0
) -> list[Made]:
    """With the first of `tries` workings whose answer is the problem's as what is imitated; `unsolved` without one."""
    at = [number for number, one in enumerate(problems) if not one.why]
    prompts = [f"{problems[number].problem}{instruct}" for number in at for _ in range(tries)]
    replies = solver.say(prompts, seed)
    found = list(problems)
    for place, number in enumerate(at):
        own = replies[place * tries : (place + 1) * tries]
        right = next((text for text in own if text and same(problems[number].answer, text)), "")
        found[number] = replace(problems[number], demonstration=right, why="" if right else "unsolved")
    return found


def balanced(problems: Sequence[Made], most: int | None) -> list[Made]:
    """At most so many kept ones of each topic, the first; by None all."""
    count, found = Counter[Path_](), []
    for one in problems:
        if not one.why:
            count[one.topic] += 1
            one = replace(one, why="above" if most is not None and count[one.topic] > most else "")
        found.append(one)
    return found


def told(topic: Path_) -> str:
    """A topic as prompts name it, with the subjects above it."""
    return topic[-1] if len(topic) == 1 else f"{topic[-1]} ({' / '.join(topic[:-1])})"


def shares(counts: Mapping[str, int]) -> str:
    """`3 invalid, 1 repeated`."""
    return ", ".join(f"{number} {why}" for why, number in counts.items()) or "none"
