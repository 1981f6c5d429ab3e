"""`rlft eval`: a model on problems, or a run folder as its recipe says. Trains nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from rlft.options.task import load_task
from rlft.tool.show import counting, messages, show
from rlft.types import Problem, UserError


def eval_(
    model: str,
    data: str | None = None,
    reward: tuple[str, ...] = (),
    mix: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    guide: str | None = None,
    guide_reward: tuple[str, ...] = (),
    problems: int | None = None,
    samples: int | None = None,
    batch: int = 64,
    max_new_tokens: int = 128,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    stop: tuple[str, ...] = (),
    system: str | None = None,
    tools: tuple[str, ...] = (),
    turns: int = 8,
    tool_seconds: float = 10.0,
    window: int | None = None,
    summaries: int = 0,
    dtype: str = "float32",
    device: str | None = None,
    prompt_field: str | None = None,
    answer_field: str | None = None,
    split: str = "test",
    out: Path | None = None,
    json: bool = False,
    seed: int = 0,
) -> int:
    """Evaluate a model on problems: mean reward with its 95 % interval over problems, pass@k.

    A language model is evaluated on --data; without it, the run folder of any recipe on its own held-out problems, with
    its own reward, in whatever way it is sampled there.

    Args:
        model: a folder, a hub id, or a run folder, whose trained model is taken.
        data: a file of problems, or a task: arithmetic, reasoning_gym:NAME. None for the run folder's own.
        reward: as for rlft train; a task that has its own needs none.
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes the model TUNED from --model, TUNED:REFERENCE:WEIGHT what
            distinguishes it from the model REFERENCE, in log-probabilities; repeat it for several. See rlft sample.
        guide: sample by looking ahead: "best_of(8)", and for policies that refine a state "svdd(alpha=0.01)", "smc(…)",
            "svdd_r(…)". See rlft.guidance.
        guide_reward: what it is led by, as --reward; by default the reward of the evaluation, which is cheating unless
            you have it when you use the model.
        problems: how many, by default all of a file.
        samples: completions of each; by default 1, of a run folder its recipe's number.
        batch: problems sampled at once; memory, not results.
        max_new_tokens: tokens in a completion at most.
        temperature: 0 is greedy.
        top_p: nucleus that is sampled.
        top_k: likeliest tokens that are sampled; 0 is all.
        stop: strings that end a completion.
        system: a system prompt for chat models.
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        turns: with tools, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        window: with tools, tokens that are read and written at once, at most; by default what the model has room for.
        summaries: with tools, how often a conversation that fills the window may go on from the model's own summary.
        dtype: of the weights.
        device: cpu, cuda; a GPU where there is one.
        prompt_field: the data's column of prompts.
        answer_field: the data's column of answers.
        split: of a task that has splits.
        out: a new JSONL file for every completion and its reward.
        json: print one JSON object instead of a table.
        seed: of the sampling noise.
    """
    from rlft.measure.text import text_measures, turn_measures
    from rlft.options import guide as guiding
    from rlft.options import mix as steering
    from rlft.options import tools as conversing
    from rlft.options.reward import reward_of
    from rlft.tool.evaluate_run import evaluated
    from rlft.training.evaluate import evaluate

    if data is None:
        _check_run(model, reward, mix, tools, out)
        found = evaluated(Path(model), guide, guide_reward, problems=problems, samples=samples, seed=seed)
        return show(found, json)
    if out is not None and out.exists():
        raise UserError(f"{out} exists already and will not be overwritten; choose another --out")
    task = load_task(data, prompt_field=prompt_field, answer_field=answer_field, split=split)
    scored = reward_of(reward, (), task)
    language = steering.loaded(
        model,
        mix,
        dtype=dtype,
        device=device,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop=stop,
        system=system,
    )
    policy = conversing.talking(language, tools, turns, tool_seconds, window, summaries)
    count = problems if problems is not None else task.size
    policy.check(task.at(index) for index in range(min(count or 256, task.size or 256)))
    sampler = guiding.guided(policy, guide, guide_reward, scored)
    with counting(not json) as progress:
        told = {"problems": problems, "samples": samples or 1, "seed": seed, "batch": batch, "progress": progress}
        watched = [text_measures, *([turn_measures] if tools else [])]
        result = evaluate(sampler, task, scored, measures=watched, **told)
    if out is not None:
        _write_rows(out, result.rows)
    spent = sampler.spent.per_row() if isinstance(sampler, guiding.Led) else {}
    said = {"mix": list(mix), "guide": guide}
    return show(
        {"model": model, **{n: v for n, v in said.items() if v}, "data": data, **result.numbers(), **spent}, json
    )


def _check_run(model: str, *told: Any) -> None:
    """Without --data it is a run folder that is evaluated, by its recipe."""
    if not (Path(model) / "run.json").is_file():
        raise UserError(f"--data is needed: {model} is not the run folder of a recipe, which has problems of its own")
    if any(told):
        raise UserError(
            "--reward, --mix, --tools and --out are for --data: a run folder is evaluated as its recipe says"
        )


def _write_rows(path: Path, rows: Sequence[tuple[Problem, Any, float]]) -> None:
    with path.open("x") as file:
        for problem, output, reward in rows:
            row = {"index": problem.index, "prompt": problem.input, "answer": problem.answer}
            said = {"completion": str(output), "reward": reward, **messages(output)}
            file.write(json.dumps({**row, **said}, default=str) + "\n")
