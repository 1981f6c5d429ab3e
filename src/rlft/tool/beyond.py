"""`rlft study beyond BASE TUNED … --data FILE`: does a tuned model solve what its base does not in very many draws?

After MATH-Beyond (arXiv:2510.11653). Draws and counts; what the counts say is `rlft.measure.beyond`.
"""

from __future__ import annotations

import json as files
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import tyro

from rlft.chances import powers
from rlft.collect.episodes import worded
from rlft.errors import say
from rlft.measure.beyond import Estimate, boundary, by_chance, defeated, mean_of, pass_at
from rlft.options.counts import at_least
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.language.folder import Loading
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.runs.log import finite
from rlft.tool.draws import Drawn, Draws, plain, reader, write_rows
from rlft.tool.show import aligned, counting
from rlft.types import Task, UserError

_SCREEN, _FRESH, _VERIFY = "screen", "fresh", "verify"


@dataclass(frozen=True)
class Screening:
    """Which problems are asked.

    Args:
        screened: draws from the base; a problem that one of them solves is not beyond it. Many more than samples, or
            the base itself solves them the next time. 0 takes all: the data are such a benchmark.
        bases: further bases, screened too.
        among: problems that at least one of the bases does not solve (union), or none does (intersection).
        without: files or tasks whose prompts are left out, such as what the models were trained on.
        verify: a stronger model, of whose draws one must be right, or a problem beyond the bases is left out: its
            answer may be wrong.
        verified: draws from it.
        most: problems beyond the bases that are kept, the first.
        only: draw for the problems beyond the bases alone, which says nothing of what was lost.
    """

    screened: int = 1024
    bases: tuple[str, ...] = ()
    among: Literal["union", "intersection"] = "union"
    without: tuple[str, ...] = ()
    verify: str | None = None
    verified: int = 2
    most: int | None = None
    only: bool = False


@dataclass(frozen=True)
class Counting:
    """How much is drawn.

    Args:
        samples: k, draws of each problem from the base again and from every tuned model.
        solved: the reward from which a draw is right.
        at_once: draws of a problem in one batch.
        batch: problems in one batch; memory, not results.
        seed: of the sampling noise, the same for all models.
    """

    samples: int = 64
    solved: float = 1.0
    at_once: int = 16
    batch: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, samples=1, at_once=1, batch=1)


def beyond(
    base: tyro.conf.Positional[str],
    tuned: tyro.conf.Positional[tuple[str, ...]],
    data: str,
    out: Path,
    reward: tuple[str, ...] = (),
    screening: tyro.conf.OmitArgPrefixes[Screening] = Screening(),
    counted: tyro.conf.OmitArgPrefixes[Counting] = Counting(),
    sampling: Sampling = Sampling(max_new_tokens=128),
    prompting: Prompting = Prompting(),
    loading: Loading = Loading(),
    fields: Fields = Fields(),
    split: str = "test",
    json: bool = False,
) -> int:
    """Whether tuned models solve problems that their base does not solve in very many draws, and what they lost.

    Problems that the base does not solve in --screened draws are a benchmark. On it, with --samples new draws:
    `expanded`, the share that a model solves, with its 95 % interval over problems; and `over base`, how much more than
    the base solves that is drawn from once more, the control: a base solves some of them the next time. On all others,
    with as many draws of each: `lost` of what the base solves, `kept`, and `surer`, the share of those kept that are
    right more often.

    $ rlft study beyond Qwen/Qwen2.5-Math-1.5B runs/grpo runs/distilled --data math.jsonl --reward math --out studies/a

    What has been drawn is in the folder at once: the same command goes on, and further models may be named.

    Args:
        base: the model before training: a folder, a hub id, or a run folder.
        tuned: after it, one or several.
        data: a file of problems, or a task with an end.
        out: a folder: counts.jsonl, the benchmark as benchmark.jsonl, result.json.
        reward: as for rlft train; a task that has its own needs none.
        split: of a task that has splits.
        json: print one JSON object instead of a table.
    """
    if not tuned:
        raise UserError("name a tuned model besides the base: rlft study beyond BASE TUNED --data …")
    task = load_task(data, fields, split)
    if task.size is None:
        raise UserError(f"{data} has no end: give it a size, or name a file")
    scored, told = reward_of(Rewards(reward), task), {"sampling": sampling, "prompting": prompting, "loading": loading}
    settings = {"data": data, "reward": list(reward), "split": split, **asdict(counted), **asdict(sampling)}
    settings |= {**asdict(prompting), **asdict(fields), "without": list(screening.without)}
    del settings["batch"]
    with counting(not json) as progress:
        draws = Draws(out, plain(settings), task, scored, partial(reader, task, told), counted, progress)
        asked = unlike(task, [load_task(name, Fields()) for name in screening.without])
        found = Chosen(*_chosen(draws, base, screening, asked))
        write_rows(out / "benchmark.jsonl", task, found.beyond)
        drawn_for = found.beyond if screening.only else sorted({*found.beyond, *found.others})
        drawn = {model: draws.of(model, _FRESH, drawn_for, counted.samples) for model in dict.fromkeys((base, *tuned))}
    result = said(found, drawn, base, counted.samples, screening)
    (out / "result.json").write_text(files.dumps(finite(result), indent=1) + "\n")
    print(files.dumps(finite(result)) if json else "\n".join(table(result)))
    return 0


@dataclass(frozen=True)
class Chosen:
    """Places of problems: those beyond the bases, and the others that were asked."""

    beyond: list[int]
    others: list[int]


def unlike(task: Task, others: Sequence[Task]) -> list[int]:
    """The places of problems whose prompts stand nowhere in these tasks, and in this one not before; capitals and white
    space make no difference."""
    seen = {_bare(other.at(place).input) for other in others for place in range(other.size or 0)}
    found: list[int] = []
    for place in range(task.size or 0):
        prompt = _bare(task.at(place).input)
        if prompt not in seen:
            found.append(place)
            seen.add(prompt)
    return found


def _bare(prompt: Any) -> str:
    return " ".join(worded(prompt).lower().split())


def _chosen(draws: Draws, base: str, screening: Screening, asked: list[int]) -> tuple[list[int], list[int]]:
    """The problems beyond the bases, and the others."""
    bases = list(dict.fromkeys((base, *screening.bases)))
    if not screening.screened:
        return asked[: screening.most], []
    # A problem that was solved is not drawn for any more.
    counts = [draws.of(one, _SCREEN, asked, screening.screened, until_solved=True).right for one in bases]
    places = set(defeated(counts, screening.among == "intersection"))
    hard = [index for place, index in enumerate(asked) if place in places]
    others = [index for place, index in enumerate(asked) if place not in places]
    if screening.verify is not None and hard:
        right = draws.of(screening.verify, _VERIFY, hard, screening.verified, until_solved=True).right
        say(f"{screening.verify} solves {sum(count > 0 for count in right)} of {len(hard)} problems beyond the bases")
        hard = [index for index, count in zip(hard, right, strict=True) if count]
    if not hard:
        raise UserError(
            f"no problem of {len(asked)} is beyond {', '.join(bases)} in {screening.screened} draws: give harder ones"
        )
    return hard[: screening.most], others


def said(found: Chosen, drawn: dict[str, Drawn], base: str, samples: int, screening: Screening) -> dict[str, Any]:
    """What the counts of new draws say, as plain values."""
    control = drawn[base]
    models: dict[str, Any] = {}
    for model, own in drawn.items():
        again, hard = control.at(found.beyond), own.at(found.beyond)
        more = [float(one > 0) - float(other > 0) for one, other in zip(hard, again, strict=True)]
        solves = pass_at(hard, samples, samples)
        numbers: dict[str, Any] = {"expanded": solves, **({} if model == base else {"over_base": mean_of(more)})}
        numbers |= {f"pass@{k}": pass_at(hard, samples, k) for k in powers(samples)}
        if found.others and not screening.only and model != base:
            sets = boundary(control.at(found.others), own.at(found.others))
            numbers |= {"lost": sets.shrinkage, "kept": sets.preservation, "surer": sets.consolidation}
        models[model] = {name: asdict(one) if isinstance(one, Estimate) else one for name, one in numbers.items()}
    told = {"problems": len(found.beyond), "others": len(found.others), "samples": samples}
    alone = screening.screened and not screening.bases  # of several bases this one may solve some
    expected = by_chance(screening.screened, samples) if alone else None
    return {"base": base, **told, "screened": screening.screened, "by_chance": expected, "models": models}


def table(result: dict[str, Any]) -> list[str]:
    """Lines for a screen: a model each, the base as the control."""
    lines = [
        f"{result['problems']} problems beyond the base in {result['screened']} draws, {result['others']} others; "
        f"{result['samples']} new draws of each"
    ]
    heads = ["expanded", "over_base", "pass@1", "lost", "kept", "surer"]
    having = [head for head in heads if any(head in numbers for numbers in result["models"].values())]
    cells = [["", *(head.replace("_", " ") for head in having)]]
    for model, numbers in result["models"].items():
        name = f"{model}, again" if model == result["base"] else model
        cells.append([name, *(str(Estimate(**numbers[h])) if h in numbers else "" for h in having)])
    lines += aligned(cells)
    if result["by_chance"] is not None:
        lines.append(
            "If every chance of success were as likely as any other, the base would solve "
            f"{result['by_chance']:.3f} of them the next time."
        )
    return lines
