"""`rlft study levels MODEL --data FILE`: how hard each problem is for a model, as columns to choose data by.

After AlphaMed (arXiv:2505.17952), whose levels are the number of right ones of five draws of the base.
"""

from __future__ import annotations

import json as files
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import tyro

from rlft.collect.episodes import worded
from rlft.measure.difficulty import level_of
from rlft.measure.informative import flat_after
from rlft.options.counts import at_least
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.language.folder import Loading
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.runs.log import finite
from rlft.tool.draws import Draws, plain, reader, write_rows
from rlft.tool.show import aligned, counting
from rlft.types import UserError

LENGTHS = ("short", "middle", "long")


@dataclass(frozen=True)
class Levelling:
    """How much is drawn.

    Args:
        samples: k, draws of each problem; levels are L1, all of them right, to L(k+1), none.
        solved: the reward from which a draw is right.
        group: G of a run to come, for how many of its groups would teach nothing.
        batch: problems in one batch; memory, not results.
        seed: of the sampling noise.
    """

    samples: int = 5
    solved: float = 1.0
    group: int = 8
    batch: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, samples=1, group=1, batch=1)

    @property
    def at_once(self) -> int:
        """All draws of a problem."""
        return self.samples


def levels(
    model: tyro.conf.Positional[str],
    data: str,
    out: Path,
    reward: tuple[str, ...] = (),
    levelling: tyro.conf.OmitArgPrefixes[Levelling] = Levelling(),
    sampling: Sampling = Sampling(max_new_tokens=128),
    prompting: Prompting = Prompting(),
    loading: Loading = Loading(),
    fields: Fields = Fields(),
    split: str = "train",
    json: bool = False,
) -> int:
    """How hard each problem of your data is for a model, and how much each tells; written as columns to choose by.

    Of --samples draws of each problem so many are right: all of them is level L1, none is L6 where there are five
    (arXiv:2505.17952). `levels.jsonl` in the folder has the data's rows with `level`, `right`, `words` of the prompt, a
    proxy of how informative it is, and `length`, in which third of the data it is by them: short, middle or long.

    $ rlft study levels Qwen/Qwen2.5-7B-Instruct --data medqa.jsonl --chat --reward choice --out studies/levels
    $ rlft train --data studies/levels/levels.jsonl --where level=L2 level=L4 level=L6 --each 400 --eval-by level …

    What has been drawn is in the folder at once: the same command goes on.

    Args:
        model: the model before training: a folder, a hub id, or a run folder.
        data: a file of problems, or a task with an end.
        out: a folder: counts.jsonl, levels.jsonl, result.json.
        reward: as for rlft train; a task that has its own needs none.
        split: of a task that has splits.
        json: print one JSON object instead of a table.
    """
    task = load_task(data, fields, split)
    if task.size is None:
        raise UserError(f"{data} has no end: give it a size, or name a file")
    scored, told = reward_of(Rewards(reward), task), {"sampling": sampling, "prompting": prompting, "loading": loading}
    settings = {"data": data, "reward": list(reward), "split": split, **asdict(levelling), **asdict(sampling)}
    settings |= {**asdict(prompting), **asdict(fields)}
    del settings["batch"], settings["group"]
    everything = range(task.size)
    with counting(not json) as progress:
        draws = Draws(out, plain(settings), task, scored, partial(reader, task, told), levelling, progress)
        right = draws.of(model, "levels", everything, levelling.samples).right
    columns = labelled(right, levelling.samples, [words(task.at(index).input) for index in everything])
    write_rows(out / "levels.jsonl", task, everything, columns)
    result = said(columns, levelling.samples, levelling.group)
    (out / "result.json").write_text(files.dumps(finite(result), indent=1) + "\n")
    print(files.dumps(finite(result)) if json else "\n".join(table(result)))
    return 0


def words(prompt: Any) -> int:
    """How many words a prompt has, whatever parts it has besides."""
    return len(worded(prompt).split())


def labelled(right: Sequence[int], of: int, lengths: Sequence[int]) -> list[dict[str, Any]]:
    """The columns of each problem, of which so many draws of `of` are right and whose prompt is so long.

    `length` is its third of all problems by words; those of one length are in one third, the lower one.
    """
    order = sorted(lengths)
    bounds = [order[-(-len(order) * part // 3) - 1] for part in (1, 2)] if order else []
    return [
        {"level": level_of(count, of), "right": count, "words": size, "length": LENGTHS[sum(size > b for b in bounds)]}
        for count, size in zip(right, lengths, strict=True)
    ]


def said(columns: Sequence[Mapping[str, Any]], of: int, group: int) -> dict[str, Any]:
    """Of each level how many problems there are, their words, and how many groups of G would teach nothing."""
    lines = {}
    for right in range(of, -1, -1):
        own = [one["words"] for one in columns if one["right"] == right]
        lines[level_of(right, of)] = {
            "right": right,
            "problems": len(own),
            "words": mean(own) if own else float("nan"),
            "flat": flat_after(right, of, group),
        }
    count = max(1, len(columns))
    return {
        "problems": len(columns),
        "samples": of,
        "group": group,
        "levels": lines,
        "accuracy": sum(one["right"] for one in columns) / (of * count),
        "flat": sum(line["flat"] * line["problems"] for line in lines.values()) / count,
        "lengths": {name: sum(one["length"] == name for one in columns) for name in LENGTHS},
    }


def table(result: Mapping[str, Any]) -> list[str]:
    """Lines for a screen."""
    cells = [["level", "right", "problems", "words", "teaches nothing"]]
    for name, line in result["levels"].items():
        size = f"{line['words']:.1f}" if line["problems"] else ""
        cells.append([name, f"{line['right']}/{result['samples']}", str(line["problems"]), size, f"{line['flat']:.0%}"])
    return [
        *aligned(cells),
        f"{result['problems']} problems, accuracy {result['accuracy']:.3f}; of groups of {result['group']} about "
        f"{result['flat']:.0%} would be all right or all wrong",
    ]
