"""A served language model that orders the rows of a problem, `ranking`: one request for each group of rows.

What a row earns is its place, from 0 for the last to 1 for the first. What is shown to the judge besides, static
demonstrations and those of the problem's own column, are rankings of other rows, the best first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from rlft.collect.agreed import DEMONSTRATIONS
from rlft.errors import UserError
from rlft.noise import permuted
from rlft.rewards.judging.asked import written
from rlft.rewards.judging.judge import Judge, judging
from rlft.rewards.judging.verdicts import said
from rlft.types import Parts, Problem, Reward

ASKED = (
    "Below are a question and several answers to it, each under a number. Order the answers from the best to the "
    "worst: the more helpful, honest and harmless an answer is, the better.\n\n{demonstrations}Question: {prompt}\n\n"
    "{responses}\n\nEnd with a line that orders the numbers of all answers, the best first, as in `Ranking: 2 > 3 > "
    "1`; put = between answers that are equally good."
)
_LINE = re.compile(r"ranking\W*:[\s*_`]*(\[?\d+\]?(?:\s*[>=]\s*\[?\d+\]?)*)", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """How an order is read from a reply: its last `Ranking: 2 > 3 = 1`. Nothing is guessed, and thoughts are not read.

    `form`, `least` and `most` are of judges, see `verdicts.Reading`, and have no say here.
    """

    form: str = "ranking"
    least: float = 0.0
    most: float = 1.0

    def places(self, reply: str, count: int) -> list[float] | None:
        """The place of each of so many answers, 1 for the best and 0 for the worst: the share of the others that it
        stands before, half of those that it is tied with. None where an answer is missing, or named twice."""
        text = said(reply)
        found = None if text is None else _LINE.findall(text)
        if not found:
            return None
        ranks: dict[int, int] = {}
        tiers = [[int(name) for name in re.findall(r"\d+", tier)] for tier in found[-1].split(">")]
        for rank, tier in enumerate(tiers):
            ranks |= dict.fromkeys(tier, -rank)
        if sum(map(len, tiers)) != count or sorted(ranks) != list(range(1, count + 1)):
            return None
        return placed(torch.tensor([[float(ranks[name]) for name in range(1, count + 1)]]))[0].tolist()

    def of(self, reply: str) -> float | None:
        """1 where there is an order of any answers; None where there is none."""
        text = said(reply)
        return 1.0 if text is not None and _LINE.search(text) else None


def placed(scores: Tensor) -> Tensor:
    """[P G] numbers as places within each list: the share of the others that are less, and half of those that are
    equal. 1 for the best and 0 for the worst; of one alone NaN."""
    above = (scores[:, :, None] > scores[:, None, :]).double() + 0.5 * (scores[:, :, None] == scores[:, None, :])
    return (above.sum(2) - 0.5) / (scores.shape[1] - 1) if scores.shape[1] > 1 else torch.full_like(scores, torch.nan)


def groups(problems: Sequence[Problem]) -> list[list[int]]:
    """The rows of each problem, which stand behind one another."""
    found: list[list[int]] = []
    for row, problem in enumerate(problems):
        if row and problem.key == problems[row - 1].key:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def ranking(
    *,
    url: str,
    model: str,
    prompt: str = ASKED,
    demonstrations: str = "",
    temperature: float = 0.0,
    max_tokens: int = 512,
    concurrency: int = 16,
    timeout: float = 120.0,
    patience: float = 300.0,
    cache: str = "",
    price: Sequence[float] = (0.0, 0.0),
    key: str = "OPENAI_API_KEY",
    extra: Mapping[str, Any] | None = None,
) -> Reward:
    """The place of a row among the rows of its problem, by a model behind an OpenAI-compatible server: 0 to 1.

    prompt          a file, or the text itself, with {responses}, numbered, {prompt}, {demonstrations} and other fields,
                    see `judging.asked.Template`
    demonstrations  a file of JSON lines with `prompt` and `answers`, the best first: what is always shown. Behind them
                    stand those of a problem's column `demonstrations`, of the same form; a method such as cyclealign
                    fills it

    The rest is `judge`'s. One request is made for the rows of a problem that stand together. NaN for all of them where
    its reply puts not every answer in its place once, is cut off, or is none because the server refuses; and for a row
    that stands alone. Watched, on average over rows: what `judge` watches, each on the first row of a problem, and
    `unranked`, the share of rows that have no place.
    """
    body = {"model": model, "temperature": temperature, "max_tokens": max_tokens, **dict(extra or {})}
    asked = judging(url, key, timeout, patience, body, prompt, Order(), cache, 1, concurrency, price)
    if "{responses}" not in asked.template.text:
        raise UserError(f"the judge's prompt has no {{responses}} in it, so it sees no answers: {prompt[:80]!r}")
    return Ranked(asked, _static(demonstrations))


@final
class Ranked:
    """The reward that `ranking` makes."""

    def __init__(self, judge: Judge, static: Sequence[Mapping[str, Any]] = ()):
        self.judge, self.static = judge, list(static)

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        lists = [rows for rows in groups(problems) if len(rows) > 1]
        places = torch.full((len(problems),), torch.nan)
        watch: dict[str, Tensor] = {}
        if lists:
            asked = [self._asked(problems[rows[0]], [outputs[row] for row in rows]) for rows in lists]
            replies, seen = self.judge.replied(asked, [""] * len(asked))
            for rows, (reply,) in zip(lists, replies, strict=True):
                found = None if reply is None else Order().places(reply, len(rows))
                if found is not None:
                    places[rows] = torch.tensor(found, dtype=places.dtype)
            first = torch.tensor([rows[0] for rows in lists])
            watch = {n: torch.zeros(len(problems)).index_put((first,), v.float()) for n, v in seen.items()}
        return Parts({"ranking": places}, {**watch, "unranked": places.isnan().float()})

    def state_dict(self) -> dict[str, Any]:
        """The judge's."""
        return self.judge.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let it remember that."""
        self.judge.load_state_dict(state)

    def _asked(self, problem: Problem, answers: Sequence[Any]) -> Problem:
        """The problem with what the judge is asked of it, in columns."""
        shown = [*self.static, *problem.columns.get(DEMONSTRATIONS, ())]
        told = {"responses": numbered([str(one) for one in answers]), DEMONSTRATIONS: "".join(map(demonstrated, shown))}
        return replace(problem, columns={**problem.columns, **told})


def numbered(answers: Sequence[str]) -> str:
    """The answers, each under its number."""
    return "\n\n".join(f"[{number}]\n{answer}" for number, answer in enumerate(answers, 1))


def demonstrated(told: Mapping[str, Any]) -> str:
    """A demonstration as it is shown: answers in an order that their texts decide, so that the first is not the best,
    and how they rank."""
    answers, count = [str(one) for one in told["answers"]], len(told["answers"])
    order = [permuted(place, count, "shown", told["prompt"], *answers) for place in range(count)]
    names = [order.index(place) + 1 for place in range(count)]
    ranked = " > ".join(map(str, names))
    shown = numbered([answers[place] for place in order])
    return f"Question: {written(told['prompt'])}\n\n{shown}\n\nRanking: {ranked}\n\n"


def _static(told: str) -> list[dict[str, Any]]:
    """The demonstrations of a file."""
    if not told:
        return []
    try:
        lines = Path(told).expanduser().read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"demonstrations={told!r} is no file of JSON lines that can be read: {error}") from None
    for number, one in enumerate(found, 1):
        answers = one.get("answers") if isinstance(one, dict) else None
        if not isinstance(answers, list) or len(answers) < 2 or "prompt" not in one:
            raise UserError(
                f"{told}: demonstration {number} needs `prompt` and `answers`, two or more, the best first; it has "
                f"{str(one)[:80]}"
            )
    return found
