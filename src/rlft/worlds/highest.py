"""A list that is read page by page, whose highest digit and latest letter are asked for, in a window that is too small.

A small character model was taught to read, to answer and to sum up by a careless teacher: now and then a value of a
summary or an answer is any other, or the answer comes before the end. An episode of 5 to 12 pages has up to 130 tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.environments.pages import Pages
from rlft.measure.text import text_measures, turn_measures
from rlft.noise import hashed
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.tasks.highest import DIGITS, LETTERS, Highest
from rlft.training.evaluate import evaluate
from rlft.training.stream import Stream
from rlft.types import Problem, Text, Transcript
from rlft.worlds import World
from rlft.worlds.characters import blank

# Raised when the base would come out otherwise.
VERSION = 1
Length = Literal["many", "few"]
PAGES: Mapping[Length, tuple[int, int]] = {"many": (5, 12), "few": (2, 3)}
LONGER = (16, 24)
_TOKENS, _CONTEXT, _SLIP = 4, 320, 0.1


def paged(
    window: int | None = 44,
    summaries: int = 3,
    more: int = 7,
    pages: Length = "many",
    imitation: int = 120,
    problems: int = 192,
    critic: bool = False,
    seed: int = 0,
) -> World:
    """The highest of a list that is read page by page.

    Args:
        window: tokens that are read and written at once, at most; none is what the model's context has room for, 320.
        summaries: how often an episode may go on from a summary.
        more: how often in the second of two evaluations on longer episodes.
        pages: episodes of 5 to 12 pages, or of 2 or 3.
        imitation: supervised steps of the base model on 64 single summaries each, and as many on 32 dialogues of a
            careless teacher.
        problems: held-out episodes.
    """
    task, test = (Highest(*PAGES[pages], split=split) for split in ("train", "test"))
    return World(
        reader(base(imitation, critic), window, summaries),
        task,
        test,
        task.reward,
        measures=[text_measures, turn_measures, kept],
        watched=[turn_measures],
        probes=[longer(window, summaries, more, problems // 3, seed)],
        problems=problems,
    )


def reader(language: Language, window: int | None, summaries: int) -> Conversation:
    """The language model, reading pages in a window of so many tokens."""
    turns = 2 * LONGER[1]
    return Conversation(language, Pages(), turns, window=Window(window, summaries, asks="#", goes_on=">"))


def longer(window: int | None, same: int, more: int, problems: int, seed: int) -> Callable[[Any], Mapping[str, float]]:
    """`longer/same`, `more`, `gain`: right answers on longer episodes, with so many summaries at most, and what the
    second number adds."""
    task = Highest(*LONGER, split="test")

    def probe(policy: Conversation) -> dict[str, float]:
        readers = {"same": reader(policy.language, window, same), "more": reader(policy.language, window, more)}
        found = {n: evaluate(r, task, task.reward, problems=problems, seed=seed).mean for n, r in readers.items()}
        return {f"longer/{name}": mean for name, mean in found.items()} | {"longer/gain": found["more"] - found["same"]}

    return probe


def kept(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """`kept`, what the reward does not see: the share of summaries that are right about the pages before them."""
    right = total = 0
    for problem, output in zip(problems, outputs, strict=True):
        read = 0
        for message in output.messages if isinstance(output, Transcript) else ():
            read += message.role == "user"
            if message.role == "summary":
                total += 1
                right += message.content.removesuffix(";") == highest(problem.columns["pages"][:read])
    return {"kept": right / max(total, 1)}


def highest(pages: Sequence[str]) -> str:
    """The highest digit and the latest letter on these pages."""
    entries = "".join(pages)
    return max(e for e in entries if e in DIGITS) + max(e for e in entries if e in LETTERS)


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 single summaries and as many of 32 careless dialogues."""

    def build() -> Language:
        language = blank(DIGITS + LETTERS + ":;n?#>\n", _TOKENS, width=48, layers=2, context=_CONTEXT)
        imitate(language, lambda step: [summed(hashed("summed", step, i)) for i in range(64)], imitation, lr=1e-2)
        stream = Stream(Highest(2, 12), seed=0)
        imitate(reader(language, None, 16), lambda step: [taught(p) for p in stream.take(32)], imitation)
        return language

    return cached_language(f"supo-{VERSION}-{imitation}", build, max_new_tokens=_TOKENS, critic=critic)


def summed(draw: int) -> Problem:
    """One to four pages, as they stand in a dialogue, and a summary of them."""
    pages = 1 + draw % 4
    problem = Highest(pages, pages).at(draw // 4)
    read = "".join(f"n;\n{page}\n" for page in problem.columns["pages"])
    return replace(problem, input=f":{read}\n#\n", answer=f"{problem.answer};")


def taught(problem: Problem) -> Problem:
    """The problem with a dialogue of a careless teacher, who sums up after every 2, 3 or 4 pages, or never.

    What a summary has lost is lost: those behind it and the answer speak of it and of the pages since. One dialogue in
    eight ends after any page.
    """
    draw = hashed("taught", problem.task, problem.index)
    every, pages = (0, 2, 3, 4)[draw % 4], problem.columns["pages"]
    if draw // 4 % 8 == 0:
        pages = pages[: 1 + draw // 32 % len(pages)]
    said, known, held = [_message("assistant", "n;")], "", 0
    for number, page in enumerate((*pages, "?"), 1):
        if every and held == every:
            known, held = _slipped(known, hashed(draw, len(said))), 0
            said[-1:] = [_message("summary", f"{known};"), _message("assistant", "n;")]
        known, held = (known if page == "?" else known + page), held + 1
        over = number > len(pages) or number == len(pages) < len(problem.columns["pages"])
        turn = _slipped(known, hashed(draw, "answer")) if over else "n"
        said += [_message("user", page), _message("assistant", f"{turn};")]
        if over:
            break
    return replace(problem, answer=said)


def _slipped(entries: str, draw: int) -> str:
    """The highest of each kind, each of which is any other with probability 0.1."""
    best = highest([entries])
    slips = [hashed(draw, kind) for kind in (DIGITS, LETTERS)]
    anything = [kind[slip // 1000 % len(kind)] for kind, slip in zip((DIGITS, LETTERS), slips, strict=True)]
    lost = [slip % 1000 < 1000 * _SLIP for slip in slips]
    return "".join(other if gone else right for right, other, gone in zip(best, anything, lost, strict=True))


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
