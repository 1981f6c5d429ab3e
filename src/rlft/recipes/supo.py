"""Summaries in a working context that cannot hold the episode. Lu et al. 2025, "SUPO", arXiv:2510.06727.

A list is read page by page, a page a turn, and at its end the highest digit and the latest letter of all pages are
asked for. A small character model was taught to read, to answer and to sum up by a careless teacher: now and then a
value of a summary or an answer is any other, or the answer comes before the end. An episode of 5 to 12 pages has up to
130 tokens; the small window holds 44, four pages. Arms: GRPO that ends where the window is full, so that it must guess
from four pages; GRPO with a context that holds the episode; SUPO in the small window with up to three summaries. All
draw as many episodes and are judged on episodes that none has seen, each in the context it was trained in; `longer/…`
are episodes of 16 to 24 pages, with as many summaries as in training and with more. Ablations: summaries that are not
trained, the mean over segments. Control: 2 or 3 pages, which the window holds, where SUPO should be GRPO.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rlft.environments.pages import Pages
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.text import text_measures, turn_measures
from rlft.methods.grpo import grpo
from rlft.methods.supo import supo as summing_up
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.runs.drive import Run
from rlft.tasks.highest import DIGITS, LETTERS, Highest
from rlft.training.evaluate import evaluate
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime, Text, Transcript

# Raised when the base would come out otherwise.
VERSION = 1
Length = Literal["many", "few"]
PAGES: Mapping[Length, tuple[int, int]] = {"many": (5, 12), "few": (2, 3)}
LONGER = (16, 24)
_TOKENS, _CONTEXT, _SLIP = 4, 320, 0.1


def supo(
    method: Method = summing_up(),
    window: int | None = 44,
    summaries: int = 3,
    more: int = 7,
    pages: Length = "many",
    steps: int = 60,
    prompts: int = 8,
    group: int = 8,
    lr: float = 7e-4,
    rows: int | None = None,
    imitation: int = 120,
    problems: int = 192,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """The highest of a list that is read page by page.

    Args:
        window: tokens that are read and written at once, at most; none is what the model's context has room for, 320.
        summaries: how often an episode may go on from a summary.
        more: how often in the second of two evaluations on longer episodes.
        pages: episodes of 5 to 12 pages, or of 2 or 3.
        steps: steps in all.
        prompts: episodes in a step.
        group: rows of each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base model on 64 single summaries each, and as many on 32 dialogues of a
            careless teacher.
        problems: held-out episodes.
        seed: of everything random but the base.
    """
    language, task = base(imitation, critic=method.critic), Highest(*PAGES[pages])
    trainer = Trainer(
        reader(language, window, summaries),
        method,
        task,
        task.reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        measures=[turn_measures],
        runtime=runtime,
    )
    return Run(
        trainer,
        steps,
        Highest(*PAGES[pages], split="test"),
        problems=problems,
        measures=[text_measures, turn_measures, kept],
        probes=[longer(window, summaries, more, problems // 3, seed)],
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
        tokenizer = character_tokenizer(DIGITS + LETTERS + ":;n?#>\n")
        model = small_llama(len(tokenizer), width=48, layers=2, context=_CONTEXT)
        language = Language(model, tokenizer, max_new_tokens=_TOKENS)
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


_TRUNCATED: dict[str, Any] = {"method": grpo(beta=0.0), "summaries": 0, "more": 0}
CLAIM = Claim(
    sentence="Summaries that the policy writes as its window fills, trained end to end with one advantage for all "
    "segments of an episode, succeed more often than GRPO in the same window and in one that holds the episode, and "
    "more summaries at test time than in training help further.",
    source="Lu et al. 2025, arXiv:2510.06727",
    arms={
        "base": Arm("no training, the small window with summaries", {"steps": 0}, grid={}),
        "truncated": Arm("GRPO, an episode ends where the small window is full", _TRUNCATED),
        "long": Arm("GRPO, a window that holds every episode", {**_TRUNCATED, "window": None}),
        "supo": Arm("SUPO, the small window and up to three summaries"),
        "untrained": Arm("SUPO, its summaries not trained", {"method": summing_up(trained="turns")}),
        "segments": Arm("SUPO, statistics over segments", {"method": summing_up(normalise="segments")}, grid={}),
        "few": Arm("episodes that fit in the window, SUPO", {"pages": "few"}, grid={}),
        "few_truncated": Arm("episodes that fit in the window, GRPO", {**_TRUNCATED, "pages": "few"}, grid={}),
    },
    metric="reward",
    statements=(
        Statement("SUPO beats GRPO in the same window", "reward", "supo", "truncated", least=0.2),
        Statement("it beats GRPO with a context that holds the episode", "reward", "supo", "long", least=0.0),
        Statement("it is better for training its summaries", "reward", "supo", "untrained", least=0.05),
        Statement("which are right more often", "kept", "supo", "untrained", least=0.05),
        Statement("more summaries than in training solve longer episodes", "longer/gain", "supo", least=0.1),
        Statement(
            "it loses little to a context of three times the length",
            "reward", "supo", "long", least=-0.1, claimed=False,
        ),
        Statement(
            "counting rows once is not worse than counting segments",
            "reward", "supo", "segments", least=-0.05, claimed=False,
        ),
        Statement(
            "four pages of 5 to 12 hold both values in 0.28 of the episodes, and hardly more can be guessed",
            "reward", "truncated", None, most=0.4, claimed=False,
        ),
        Statement(
            "where the window holds the episode SUPO is GRPO",
            "reward", "few", "few_truncated", -0.05, 0.05, claimed=False,
        ),
    ),
    budget="60 steps of 8 episodes with 8 rows each. What else is spent differs, and is part of the claim: GRPO in the "
    "small window writes less, SUPO writes summaries. Every arm chooses its learning rate from the same two.",
    scaled_down="a character model of 0.06 million parameters for models of 32 and 36 billion, a list read page by "
    "page for CodeGym and BrowseComp-Plus, windows of 44 and 320 tokens for 4 and 32 thousand, 3 summaries for "
    "up to 8. Held-out success is that of 192 episodes, one row each, drawn at temperature 1; of longer ones 64.",
    real="rlft train --model Qwen/Qwen3-8B --data TRAIN.jsonl --reward math --method supo --tools TOOLS.py:search "
    "--turns 60 --window 4096 --summaries 7 --max-new-tokens 512 --group 8",
    table=("kept", "summaries", "turns", "truncated", "longer/same", "longer/more", "cost/decisions/drawn"),
    grid={"lr": (5e-4, 1e-3)},
    smoke={"steps": 2, "imitation": 2, "prompts": 4, "group": 4, "problems": 8},
    curve="reward",
)  # fmt: skip
