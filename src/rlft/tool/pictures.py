"""`rlft eval` and `rlft sample` of a pipeline: rewards of what it draws; pictures as PNG files and films as mp4."""

from __future__ import annotations

import json as text
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft.options.guide import Led, guided, looks_ahead
from rlft.options.mix import Mixing, drawn
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.folder import Reading
from rlft.policies.pipelines.pictures import suffix, write
from rlft.policies.pipelines.pipeline import Pipeline
from rlft.runs.log import finite
from rlft.tool.show import counting, show
from rlft.training.evaluate import Rated, evaluate
from rlft.types import Problem, Reward, Sampler, UserError


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
    mixing: Mixing = Mixing(),
    guide: str | None = None,
    guide_reward: tuple[str, ...] = (),
    evaluating: Evaluating = Evaluating(),
    drawing: Drawing = Drawing(),
    reading: Reading = Reading(),
    fields: Fields = Fields(),
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Evaluate a text-to-image or text-to-video pipeline on prompts: mean reward with its 95 % interval over prompts.

    Pictures are drawn without noise between the steps, as the pipeline draws them, but for a --guide that chooses
    among next states: those are drawn with the noise that --noise says.

    Args:
        model: a folder, a hub id, an adapter's folder, or a run folder, whose trained model is taken.
        data: a file of prompts.
        reward: as for rlft train.
        guide: draw by looking ahead: "best_of(8)", "svdd(alpha=0.01, candidates=20)", "smc(…)", "svdd_r(…)". See
            rlft.guidance.
        guide_reward: what it is led by, as --reward; by default the reward of the evaluation, which is cheating unless
            you have it when you use the model.
        out: a new folder for every picture as PNG or film as mp4, and rows.jsonl with a line for each.
        json: print one JSON object instead of a table.
    """
    task = load_task(data, fields, "test")
    scored = reward_of(Rewards(reward), task)
    policy = drawn(model, mixing, drawing, reading)
    count = evaluating.problems if evaluating.problems is not None else task.size
    policy.check(task.at(index) for index in range(min(count or 256, task.size or 256)))
    sampler = _led(policy, guide, guide_reward, scored)
    seen = _kept(out, policy.family.rate)
    with counting(not json) as progress:
        told = {**vars(evaluating), "progress": progress, "seen": seen}
        result = evaluate(sampler, task, scored, **told)
    spent = sampler.spent.per_row() if isinstance(sampler, Led) else {}
    said = {name: value for name, value in {"mix": list(mixing.mix), "guide": guide}.items() if value}
    return show({"model": model, **said, "data": data, **result.numbers(), **spent}, json)


def sample(
    model: str,
    prompt: str,
    out: Path = Path("pictures"),
    n: int = 1,
    mixing: Mixing = Mixing(),
    guide: str | None = None,
    reward: tuple[str, ...] = (),
    drawing: Drawing = Drawing(),
    reading: Reading = Reading(),
    json: bool = False,
    seed: int = 0,
) -> int:
    """Draw pictures or films of a prompt with a pipeline, as PNG or mp4 files in a new folder.

    With --guide "svdd(alpha=0.01, candidates=20)" --reward NAME, each step is the one of 20 whose picture, as it is
    foreseen, earns most; with --mix TUNED:1.6, by more of a tuning than it was trained.

    Args:
        model: a folder, a hub id, an adapter's folder, or a run folder, whose trained model is taken.
        prompt: what to draw.
        out: a new folder for the pictures, and rows.jsonl with a line for each.
        n: pictures or films.
        guide: draw by looking ahead: "best_of(8)", "svdd(alpha=0.01, candidates=20)", "smc(…)", "svdd_r(…)". See
            rlft.guidance.
        reward: what --guide is led by, as for rlft train.
        json: print one JSON object a picture.
        seed: of the noise that pictures begin with.
    """
    if n < 1:
        raise UserError(f"-n must be at least 1; got {n}")
    _free(out)
    problem = Problem(0, prompt, task="prompt", split="sample")
    policy = drawn(model, mixing, drawing, reading)
    policy.check([problem])
    rate = policy.family.rate
    seen = _kept(out, rate)
    sampler = _led(policy, guide, reward)
    for number, picture in enumerate(sampler.sample([problem], n, seed).outputs):
        seen([(problem, picture, float("nan"))])
        film = {} if rate is None else {"frames": picture.shape[1], "rate": rate}
        line = {"file": str(out / _name(number, rate)), "size": [picture.shape[-1], picture.shape[-2]], **film}
        show(line, True) if json else print(line["file"])
    return 0


def _led(policy: Pipeline, guide: str | None, specs: Sequence[str], own: Reward | None = None) -> Sampler:
    """The pipeline as it is used, led as `guide` says; a guide that chooses among next states has them drawn."""
    if not looks_ahead(guide):
        return guided(policy.deployed(), guide, specs, own)
    if not policy.noisy:
        raise UserError(f"--guide {guide!r} chooses among next states, and --noise ode has one: leave --noise out")
    return guided(policy, guide, specs, own)


def _free(out: Path) -> None:
    """UserError for a folder that is there already."""
    if out.exists():
        raise UserError(f"{out} exists already and nothing in it will be overwritten; choose another --out")


def _kept(out: Path | None, rate: float | None) -> Callable[[Sequence[Rated]], None]:
    """What writes rows into a new folder as they are rated, or nowhere; UserError for one that is there already."""
    if out is None:
        return lambda rows: None
    _free(out)
    suffix(rate)  # what cannot be written is said before anything is drawn
    count = 0

    def keep(rows: Sequence[Rated]) -> None:
        nonlocal count
        try:
            out.mkdir(parents=True, exist_ok=True)
            with (out / "rows.jsonl").open("a") as file:
                for problem, picture, reward in rows:
                    name = _name(count, rate)
                    write(picture, out / name, rate)
                    row: dict[str, Any] = {"file": name, "index": problem.index, "prompt": problem.input}
                    file.write(text.dumps(finite({**row, "reward": reward})) + "\n")
                    count += 1
        except OSError as error:
            raise UserError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error

    return keep


def _name(number: int, rate: float | None) -> str:
    return f"{number:05d}{suffix(rate)}"
