"""What the tool does besides running recipes. Each function is a command: its signature is the command line."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from rlft import runs
from rlft.rollouts import Problem, Text, Transcript
from rlft.types import Reward, Task, UserError


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
    from rlft import conversing, guiding, steering, tasks
    from rlft.evaluate import evaluate
    from rlft.measure.text import text_measures, turn_measures
    from rlft.recipes.train import reward_of

    if data is None:
        _check_run(model, reward, mix, tools, out)
        found = guiding.evaluated(Path(model), guide, guide_reward, problems=problems, samples=samples, seed=seed)
        return _show(found, json)
    if out is not None and out.exists():
        raise UserError(f"{out} exists already and will not be overwritten; choose another --out")
    task = tasks.load(data, prompt_field=prompt_field, answer_field=answer_field, split=split)
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
    with _counting(not json) as progress:
        told = {"problems": problems, "samples": samples or 1, "seed": seed, "batch": batch, "progress": progress}
        watched = [text_measures, *([turn_measures] if tools else [])]
        result = evaluate(sampler, task, scored, measures=watched, **told)
    if out is not None:
        _write_rows(out, result.rows)
    spent = sampler.spent.per_row() if isinstance(sampler, guiding.Led) else {}
    said = {"mix": list(mix), "guide": guide}
    return _show(
        {"model": model, **{n: v for n, v in said.items() if v}, "data": data, **result.numbers(), **spent}, json
    )


def sample(
    model: str,
    prompt: str,
    n: int = 1,
    mix: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    guide: str | None = None,
    reward: tuple[str, ...] = (),
    max_new_tokens: int = 128,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    stop: tuple[str, ...] = (),
    chat: bool = False,
    system: str | None = None,
    tools: tuple[str, ...] = (),
    turns: int = 8,
    tool_seconds: float = 10.0,
    window: int | None = None,
    summaries: int = 0,
    dtype: str = "float32",
    device: str | None = None,
    json: bool = False,
    seed: int = 0,
) -> int:
    """Print completions of a prompt.

    With --mix, of a model with other models laid over it. A tune further than it was trained, or half as far:
    --mix TUNED:1.5, --mix TUNED:0.5. Two tunes of the model: --mix ONE:0.7 --mix OTHER:0.3. A small model's tuning on a
    large base, --model LARGE: --mix SMALL-TUNED:SMALL:1. Away from a weaker model: --mix WEAKER:-0.5. All of them must
    share one tokenizer, whose prompts, ends and chat template are those of --model.

    With --guide "best_of(8)" --reward NAME, each completion is the best of eight by that reward.

    Args:
        model: a folder, a hub id, or a run folder, whose trained model is taken.
        prompt: the text to continue, or with --chat the user's message.
        n: completions.
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes the model TUNED from --model, TUNED:REFERENCE:WEIGHT what
            distinguishes it from the model REFERENCE, in log-probabilities; repeat it for several.
        guide: sample by looking ahead: "best_of(8)". See rlft.guidance.
        reward: what --guide is led by, as for rlft train.
        max_new_tokens: tokens in a completion at most.
        temperature: 0 is greedy.
        top_p: nucleus that is sampled.
        top_k: likeliest tokens that are sampled; 0 is all.
        stop: strings that end a completion.
        chat: send the prompt through the model's chat template.
        system: a system prompt for chat models.
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        turns: with tools, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        window: with tools, tokens that are read and written at once, at most; by default what the model has room for.
        summaries: with tools, how often a conversation that fills the window may go on from the model's own summary.
        dtype: of the weights.
        device: cpu, cuda; a GPU where there is one.
        json: print one JSON object a completion.
        seed: of the sampling noise.
    """
    from rlft import conversing, guiding, steering

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
    asked: Any = [{"role": "user", "content": prompt}] if chat else prompt
    sampler = guiding.guided(policy, guide, reward)
    rollouts = sampler.sample([Problem(0, asked, task="prompt", split="sample")], n, seed)
    for number, (text, logp) in enumerate(zip(rollouts.outputs, rollouts.logp_old.sum(1).tolist(), strict=True), 1):
        if json:
            said = {"text": str(text), "tokens": len(text.tokens), "truncated": text.truncated, "logp": logp}
            _show({**said, **_messages(text)}, True)
        else:
            ended = "cut by a limit" if text.truncated else "ended by the model"
            print(f"── {number} of {n}, {len(text.tokens)} tokens, {ended}\n{_spoken(text)}")
    return 0


def check_reward(
    data: str,
    reward: tuple[str, ...] = (),
    model: str | None = None,
    rows: int = 4,
    max_new_tokens: int = 64,
    prompt_field: str | None = None,
    answer_field: str | None = None,
    demonstration_field: str | None = None,
    explain: bool = False,
    seed: int = 0,
) -> int:
    """Run a reward on a few rows before training, and show what it saw and said.

    For each problem it scores the gold answer and the demonstration, if there is one (both should earn the full
    reward), an empty text, the answer of the next problem, and, with --model, a completion.

    Args:
        data: a file of problems, or a task.
        reward: as for rlft train.
        model: a model to draw completions from.
        rows: problems.
        max_new_tokens: tokens in a completion at most.
        prompt_field: the data's column of prompts.
        answer_field: the data's column of answers.
        demonstration_field: the data's column of demonstrations, by default demonstration if there is one.
        explain: say for each row how its reward came about: the answer, what was read in it, the rule that decided.
        seed: of the sampling noise.
    """
    from rich.console import Console
    from rich.table import Table

    from rlft import tasks
    from rlft.recipes.train import reward_of
    from rlft.rewards.adapt import explained

    task = tasks.load(
        data, prompt_field=prompt_field, answer_field=answer_field, demonstration_field=demonstration_field
    )
    scored = reward_of(reward, (), task)
    problems = [task.at(index) for index in range(min(rows, task.size or rows))]
    columns = _trial_outputs(task, problems, model, max_new_tokens, seed)
    table = Table("prompt", "output", "text", "reward")
    said = {kind: _said(scored, problems, outputs) for kind, outputs in columns.items()}
    for row, problem in enumerate(problems):
        for place, (kind, outputs) in enumerate(columns.items()):
            prompt = "" if place else _short(problem.input)
            table.add_row(prompt, kind, _short(outputs[row]), said[kind][row], end_section=place == len(columns) - 1)
    Console().print(table)
    for row, problem in enumerate(problems if explain else []):
        print(f"── {_short(problem.input)}")
        print("\n".join(f"{kind}: {explained(scored, problem, outputs[row])}" for kind, outputs in columns.items()))
    return 0


def report(folders: tyro.conf.Positional[tuple[Path, ...]], out: Path | None = None) -> int:
    """Write the report of a run, or one page that compares several.

    Args:
        folders: run folders.
        out: where the comparison goes.
    """
    from rlft import report as pages

    try:
        page = pages.write(folders[0]) if len(folders) == 1 else pages.compare(folders, out)
    except (ValueError, IndexError) as error:
        raise UserError(str(error) or "give at least one run folder") from error
    print(page)
    return 0


def doctor() -> int:
    """Say what this machine has, which extras work, and prove the engine on four small policies in ten seconds."""
    import torch

    from rlft import selftest

    print(f"python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"gpu    {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none'}")
    for extra, modules in selftest.EXTRAS.items():
        missing = [module for module in modules if not selftest.there(module)]
        state = f"missing {', '.join(missing)}: pip install 'rlft[{extra}]'" if missing else "works"
        print(f"extra  {extra:<10} {state}")
    failed = 0
    for name, problem in selftest.run():
        failed += problem is not None
        print(f"test   {name:<44} {problem or 'ok'}")
    return 1 if failed else 0


def _trial_outputs(
    task: Task, problems: Sequence[Problem], model: str | None, max_new_tokens: int, seed: int
) -> dict[str, list[Text]]:
    columns = {"nothing": [""] * len(problems)}
    if all(problem.answer is not None for problem in problems):
        answers = [str(problem.answer) for problem in problems]
        columns = {"gold answer": answers, **columns, "another's answer": answers[1:] + answers[:1]}
    if all(isinstance(problem.demonstration, str) for problem in problems):
        columns["demonstration"] = [problem.demonstration for problem in problems]
    found = {kind: [Text(text) for text in texts] for kind, texts in columns.items()}
    if model is not None:
        from rlft.policies.language import Language

        policy = Language.load(runs.model_folder(model), max_new_tokens=max_new_tokens)
        found["the model's"] = list(policy.sample(problems, 1, seed).outputs)
    return found


def _said(reward: Reward, problems: Sequence[Problem], outputs: Sequence[Text]) -> list[str]:
    from rlft.score import score

    scores = score(reward, problems, outputs, max(len(text.tokens) for text in outputs) or 1)
    lines = []
    for row, total in enumerate(scores.total.tolist()):
        parts = ", ".join(f"{name} {values[row]:g}" for name, values in scores.parts.items())
        lines.append(("not scored" if total != total else f"{total:g}") + (f" ({parts})" if parts else ""))
    return lines


def _short(value: Any, width: int = 48) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _show(numbers: dict[str, Any], as_json: bool) -> int:
    """Print them, and say that all went well."""
    if as_json:
        print(json.dumps(numbers))
        return 0
    for name, value in numbers.items():
        written = f"[{', '.join(map(_number, value))}]" if isinstance(value, list) else _number(value)
        print(f"  {name:<12} {written}")
    return 0


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


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
            said = {"completion": str(output), "reward": reward, **_messages(output)}
            file.write(json.dumps({**row, **said}, default=str) + "\n")


def _messages(output: Any) -> dict[str, Any]:
    """What was said in a conversation, as chat messages; nothing of a plain completion."""
    if not isinstance(output, Transcript):
        return {}
    return {"messages": [{"role": message.role, "content": message.content} for message in output.messages]}


def _spoken(output: Text) -> str:
    """A completion, or a conversation turn by turn."""
    if not isinstance(output, Transcript):
        return output
    return "\n".join(m.content if m.role == "assistant" else f"  {m.role}: {m.content}" for m in output.messages)


def _counting(shown: bool) -> Any:
    """A progress bar for `evaluate`."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def counting() -> Any:
        with Progress(console=Console(stderr=True, quiet=not shown), transient=True) as bar:
            task = bar.add_task("problems", total=None)
            yield lambda done, count: bar.update(task, completed=done, total=count)

    return counting()
