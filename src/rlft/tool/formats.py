"""`rlft study formats RUN --format NAME=REGEX …`: in which formats a run answers, how right, and which one wins.

After Echo Chamber (arXiv:2504.07912). Reads the samples that runs keep, and draws anew where that is asked for; the
measures are `rlft.measure.formats`.
"""

from __future__ import annotations

import json as files
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rlft.chances import powers
from rlft.measure import formats as measures
from rlft.measure.formats import Formats, Tally, majority, pass_within, tallied
from rlft.options.counts import at_least
from rlft.runs.log import Log, facts_of, finite
from rlft.tool.show import aligned, counting
from rlft.tool.texts import Row, Texts
from rlft.types import UserError


@dataclass(frozen=True)
class Fresh:
    """Draws besides the samples that a run keeps.

    Args:
        draws: K, new draws of each problem from the run's base and from the trained model; 0 makes none.
        problems: how many of the run's held-out problems, or without such of those it learned from.
        answer: a regular expression whose last match in a draw is its answer (its group, if it has one), for
            majority@K; none takes all of the text.
        at_once: draws of a problem in one batch.
        batch: problems in one batch; memory, not results.
        seed: of the sampling noise, the same for all models.
    """

    draws: int = 0
    problems: int = 64
    answer: str | None = None
    at_once: int = 16
    batch: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, draws=0, problems=1, at_once=1, batch=1)


def formats(
    run: tyro.conf.Positional[Path],
    second: tyro.conf.Positional[Path | None] = None,
    format: tuple[str, ...] = (),
    rest: str = measures.OTHER,
    solved: float = 1.0,
    at: float = 0.9,
    fresh: tyro.conf.OmitArgPrefixes[Fresh] = Fresh(),
    out: Path | None = None,
    json: bool = False,
    trust_run: bool = False,
) -> int:
    """In which formats a run's model answers, how right it is in each, and at which step one of them has won.

    The measures of "Echo Chamber" (arXiv:2504.07912). Of the samples that a run keeps, a line for each step: of every
    format its share of the rows and, in brackets, the share of these that are right. With --draws K also of K new draws
    of each problem from the run's base and from the trained model: pass@1, pass@K, majority@K.

    $ rlft study formats runs/a --format code='^def ' tags='<tool>' --draws 64 --out studies/formats

    What has been drawn is in the folder at once: the same command goes on.

    Args:
        run: a run folder.
        second: another, beside it; where it is drawn from, on the problems and by the reward of the first.
        format: NAME=REGEX, one or several, in this order: a text is in the first whose expression is found in it.
        rest: the name of the format of all other texts.
        solved: the reward from which a row is right.
        at: the share from which a format has won.
        out: a folder: result.json, and of new draws texts.jsonl.
        json: print one JSON object instead of tables.
        trust_run: with --draws, run the code that a run folder names although others have made it; asked once.
    """
    known, runs = measures.formats(format, rest), [one for one in (run, second) if one is not None]
    if fresh.draws and out is None:
        raise UserError("--draws needs a folder to keep what has been drawn: give --out")
    reads = _reader(fresh.answer)
    told = {str(one): over_steps(one, known, solved, at) for one in runs}
    result: dict[str, Any] = {"formats": list(known.names), "solved": solved, "at": at, "runs": told}
    if out is not None:
        with counting(not json) as progress:
            texts = Texts(out, runs, fresh, trust_run, progress)
            if fresh.draws:
                drawn = {model: texts.of(model) for model in texts.models}
                result |= {
                    "draws": fresh.draws,
                    "drawn": {m: of_draws(r, known, solved, reads) for m, r in drawn.items()},
                }
        (out / "result.json").write_text(files.dumps(finite(result), indent=1) + "\n")
    print(files.dumps(finite(result)) if json else "\n".join(said(result)))
    return 0


def over_steps(folder: Path, known: Formats, solved: float, at: float) -> dict[str, Any]:
    """What the samples of a run folder say: the formats at each step that has some, and when one of them has won."""
    facts_of(folder)
    rows: dict[int, list[tuple[str, bool | None]]] = {}
    for line in Log(folder, writes=False).lines("samples"):
        for row in line.get("rows", ()):
            if (text := _text(row)) is not None:
                reward = row.get("reward")
                rows.setdefault(line["step"], []).append((text, None if reward is None else reward >= solved))
    if not rows:
        raise UserError(
            f"{folder} keeps no samples of texts: a run of a language model does, every --samples-every steps"
        )
    steps = []
    for step, some in sorted(rows.items()):
        texts, rights = zip(*some, strict=True)
        steps.append({"step": step, **_plain(tallied(known, texts, rights))})
    won = measures.converged([one["step"] for one in steps], [one["share"] for one in steps], at)
    return {"steps": steps, "converged": None if won is None else {"step": won[0], "format": won[1]}}


def of_draws(rows: Mapping[int, Sequence[Row]], known: Formats, solved: float, reads: Any) -> dict[str, Any]:
    """What new draws of a model say, whole and by format."""
    groups = [[(text, reward is not None and reward >= solved) for text, reward in some] for some in rows.values()]
    count = len(groups[0])
    told = tallied(known, [t for some in groups for t, _ in some], [one for some in groups for _, one in some])
    votes = [majority([reads(text) for text, _ in some], [right for _, right in some]) for some in groups]
    rights = [(len(some), sum(right for _, right in some)) for some in groups]
    found: dict[str, Any] = {"problems": len(groups), **_plain(told)}
    found |= {f"pass@{k}": pass_within(rights, k) for k in powers(count)}
    found[f"majority@{count}"] = sum(votes) / len(votes)
    within = {name: [[right for text, right in some if known.of(text) == name] for some in groups] for name in told}
    found["pass"] = {
        name: {f"pass@{k}": pass_within([(len(own), sum(own)) for own in some], k) for k in powers(count)}
        for name, some in within.items()
    }
    return found | {"leads": measures.leading(told), "most_accurate": measures.most_accurate(told)}


def said(result: Mapping[str, Any]) -> list[str]:
    """Lines for a screen."""
    names, lines = result["formats"], []
    for run, told in result["runs"].items():
        cells = [["step", "rows", *names, "right"]]
        cells += [
            [str(one["step"]), str(one["rows"]), *(_cell(one, name) for name in names), _number(one["right"])]
            for one in told["steps"]
        ]
        won = told["converged"]
        lines += [run, *aligned(cells)]
        lines.append(
            f"none has won: what leads in the end has {result['at']:.0%} of the rows at none of these steps"
            if won is None
            else f"{won['format']} has won: {result['at']:.0%} of the rows for the first time at step {won['step']}"
        )
    if "drawn" in result:
        heads = ["pass@1", *([f"pass@{2 ** (result['draws'].bit_length() - 1)}"] if result["draws"] > 1 else [])]
        heads.append(f"majority@{result['draws']}")
        cells = [["new draws", *heads, *names]]
        for model, one in result["drawn"].items():
            cells.append([model, *(_number(one[head]) for head in heads), *(_cell(one, name) for name in names)])
        lines += aligned(cells)
        first, *others = result["drawn"].items()
        lines.append(f"most accurate in the base: {first[1]['most_accurate']}; leads there: {first[1]['leads']}")
        lines += [f"leads in {model}: {one['leads']}" for model, one in others]
    return lines


def _plain(told: Mapping[str, Tally]) -> dict[str, Any]:
    judged, right = (sum(getattr(tally, name) for tally in told.values()) for name in ("judged", "right"))
    return {
        "rows": sum(tally.rows for tally in told.values()),
        "right": right / judged if judged else float("nan"),
        "share": {name: tally.share for name, tally in told.items()},
        "accuracy": {name: tally.accuracy for name, tally in told.items()},
    }


def _text(row: Mapping[str, Any]) -> str | None:
    """What a kept row says, of a conversation what the model said in it; None of what is no text."""
    if row.get("kind") == "conversation":
        return "\n".join(str(one.get("text", "")) for one in row.get("messages", ()) if one.get("own"))
    return str(row["text"]) if row.get("kind") == "text" else None


def _reader(answer: str | None) -> Any:
    """What reads a draw's answer."""
    if answer is None:
        return lambda text: text.strip()
    try:
        pattern = re.compile(answer, re.MULTILINE)
    except re.error as error:
        raise UserError(f"the regular expression of --answer cannot be read: {error}") from error

    def read(text: str) -> str | None:
        found = None
        for found in pattern.finditer(text):  # noqa: B007 - the last one
            pass
        return None if found is None else found[pattern.groups and 1]

    return read


def _number(value: float) -> str:
    return "" if value != value else f"{value:.2f}"


def _cell(one: Mapping[str, Any], name: str) -> str:
    accuracy = _number(one["accuracy"][name])
    return _number(one["share"][name]) + (f" ({accuracy})" if accuracy else "")
