"""`rlft eval` and `rlft sample` of a text-to-image pipeline: rewards of its pictures, and pictures as PNG files."""

from __future__ import annotations

import json as text
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.folder import Reading
from rlft.policies.pipelines.load import load
from rlft.policies.pipelines.pictures import write
from rlft.runs.folder import model_folder
from rlft.runs.log import finite
from rlft.tool.show import counting, show
from rlft.training.evaluate import Rated, evaluate
from rlft.types import Problem, UserError


@dataclass(frozen=True)
class Evaluating:
    """How much is evaluated.

    Args:
        problems: how many, by default all of a file.
        samples: pictures of each.
        batch: problems drawn at once; memory, not results.
        seed: of the noise that pictures begin with.
    """

    problems: int | None = None
    samples: int = 1
    batch: int = 4
    seed: int = 0


def eval_(
    model: str,
    data: str,
    reward: tuple[str, ...] = (),
    evaluating: Evaluating = Evaluating(),
    drawing: Drawing = Drawing(),
    reading: Reading = Reading(),
    fields: Fields = Fields(),
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Evaluate a text-to-image pipeline on prompts: mean reward with its 95 % interval over prompts.

    Pictures are drawn without noise between the steps, as the pipeline draws them.

    Args:
        model: a folder, a hub id, an adapter's folder, or a run folder, whose trained model is taken.
        data: a file of prompts.
        reward: as for rlft train.
        out: a new folder for every picture as PNG, and rows.jsonl with a line for each.
        json: print one JSON object instead of a table.
    """
    task = load_task(data, fields, "test")
    scored = reward_of(Rewards(reward), task)
    policy = load(model_folder(model), drawing, reading=reading).deployed()
    count = evaluating.problems if evaluating.problems is not None else task.size
    policy.check(task.at(index) for index in range(min(count or 256, task.size or 256)))
    seen = _kept(out)
    with counting(not json) as progress:
        told = {**vars(evaluating), "progress": progress, "seen": seen}
        result = evaluate(policy, task, scored, **told)
    return show({"model": model, "data": data, **result.numbers()}, json)


def sample(
    model: str,
    prompt: str,
    out: Path = Path("pictures"),
    n: int = 1,
    drawing: Drawing = Drawing(),
    reading: Reading = Reading(),
    json: bool = False,
    seed: int = 0,
) -> int:
    """Draw pictures of a prompt with a text-to-image pipeline, as PNG files in a new folder.

    Args:
        model: a folder, a hub id, an adapter's folder, or a run folder, whose trained model is taken.
        prompt: what to draw.
        out: a new folder for the pictures, and rows.jsonl with a line for each.
        n: pictures.
        json: print one JSON object a picture.
        seed: of the noise that pictures begin with.
    """
    if n < 1:
        raise UserError(f"-n must be at least 1; got {n}")
    seen = _kept(out)
    problem = Problem(0, prompt, task="prompt", split="sample")
    policy = load(model_folder(model), drawing, reading=reading).deployed()
    policy.check([problem])
    for number, picture in enumerate(policy.sample([problem], n, seed).outputs):
        seen([(problem, picture, float("nan"))])
        line = {"file": str(out / _name(number)), "size": [picture.shape[2], picture.shape[1]]}
        show(line, True) if json else print(line["file"])
    return 0


def _kept(out: Path | None) -> Callable[[Sequence[Rated]], None]:
    """What writes rows into a new folder as they are rated, or nowhere; UserError for one that is there already."""
    if out is None:
        return lambda rows: None
    if out.exists():
        raise UserError(f"{out} exists already and nothing in it will be overwritten; choose another --out")
    count = 0

    def keep(rows: Sequence[Rated]) -> None:
        nonlocal count
        try:
            out.mkdir(parents=True, exist_ok=True)
            with (out / "rows.jsonl").open("a") as file:
                for problem, picture, reward in rows:
                    write(picture, out / _name(count))
                    row: dict[str, Any] = {"file": _name(count), "index": problem.index, "prompt": problem.input}
                    file.write(text.dumps(finite({**row, "reward": reward})) + "\n")
                    count += 1
        except OSError as error:
            raise UserError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error

    return keep


def _name(number: int) -> str:
    return f"{number:05d}.png"
