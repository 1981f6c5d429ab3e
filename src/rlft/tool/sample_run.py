"""A run folder sampled as its recipe says, whatever it draws: images as PNG, numbers as .npy, texts as they are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rlft.environments.protocol import Episode
from rlft.options.guide import guided
from rlft.runs.log import finite
from rlft.tool.again import trained
from rlft.tool.show import show
from rlft.training.score import score
from rlft.types import Problem, Showable, UserError


def sampled(
    folder: Path,
    words: str | None,
    specs: Sequence[str],
    out: Path | None,
    as_json: bool,
    *,
    problems: int,
    group: int,
    seed: int,
    trusted: bool,
) -> int:
    """Draw `group` rows of the recipe's first held-out problems (without such, of those it learned from), and say them.

    The policy is the trained one as the recipe deploys it, led by `words` if there are any. With `out` everything is
    written into that folder: `rows.jsonl` with a line for each row and the names of its files, which begin with the
    number of the row. `UserError` for a folder that is there already.
    """
    if min(problems, group) < 1:
        raise UserError(f"--problems and -n must be at least 1; got {problems} and {group}")
    if out is not None and out.exists():
        raise UserError(f"{out} exists already and nothing in it will be overwritten; choose another --out")
    run = trained(folder, trusted)
    task, reward = run.held_out or run.trainer.task, run.reward or run.trainer.reward
    asked = [task.at(index) for index in range(min(problems, task.size or problems))]
    policy = run.trainer.policy
    rollouts = (guided(policy, words, specs, reward) if words else run.deploy or policy).sample(asked, group, seed)
    paid = [math.nan] * len(rollouts)
    if reward is not None:
        paid = score(reward, rollouts.problems, rollouts.outputs, rollouts.mask.shape[1]).total.tolist()
    for row, (problem, earned) in enumerate(zip(rollouts.problems, paid, strict=True)):
        output = rollouts.outputs[row]
        shown = policy.show(output) if isinstance(policy, Showable) else {}
        line = {**_line(problem, row % group, earned), **told(output)}
        if out is not None:
            line["files"] = written(out, f"{row:04d}", output, shown)
            with (out / "rows.jsonl").open("a") as file:
                file.write(json.dumps(finite(line), default=str) + "\n")
        _say(line, as_json)
    return 0


def _line(problem: Problem, number: int, earned: float) -> dict[str, Any]:
    return {"index": problem.index, "input": problem.input, "row": number, "reward": earned}


def told(output: Any) -> dict[str, Any]:
    """An output in a few plain words: a text, the shape of a tensor, how an episode ended."""
    match output:
        case Tensor():
            return {"shape": list(output.shape), "mean": float(output.float().mean())}
        case Episode():
            paid = float(output.rewards.sum())
            return {"length": len(output), "return": paid, "terminated": output.terminated}
        case _:
            return {"text": str(output)}


def written(out: Path, name: str, output: Any, shown: dict[str, Any]) -> list[str]:
    """Write the files of an output, `name` and what each of them is; their names. None of a text.

    shown  the output as its policy shows it: of an `image` a PNG of its own size is written too
    """
    arrays: dict[str, Tensor] = {}
    match output:
        case Tensor():
            arrays = {f"{name}.npy": output}
        case Episode():
            parts = {"observations": output.observations, "actions": output.actions, "rewards": output.rewards}
            arrays = {f"{name}.{part}.npy": values for part, values in parts.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, values in arrays.items():
            np.save(out / file, values.detach().cpu().numpy())
        if shown.get("kind") != "image":
            return list(arrays)
        from rlft.report import pictures  # here, for matplotlib takes a while to import

        (out / f"{name}.png").write_bytes(pictures.png_file(shown["pixels"]))
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    return [f"{name}.png", *arrays]


def _say(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(finite(line), True)
        return
    about = {key: value for key, value in line.items() if key not in ("index", "row", "text", "files")}
    words = [f"{key} {f'{value:.4g}' if isinstance(value, float) else value}" for key, value in about.items()]
    print(f"── problem {line['index']}, row {line['row'] + 1}: {', '.join(words)}")
    for text in [*([line["text"]] if "text" in line else []), *([" ".join(line["files"])] if "files" in line else [])]:
        print(text)
