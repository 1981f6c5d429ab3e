"""`rlft check-reward`: what a reward makes of a few rows, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import explained
from rlft.runs.folder import model_folder
from rlft.training.score import score
from rlft.types import Problem, Reward, Task, Text


def check_reward(
    data: str,
    reward: tuple[str, ...] = (),
    model: str | None = None,
    rows: int = 4,
    max_new_tokens: int = 64,
    fields: Fields = Fields(),
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
        explain: say for each row how its reward came about: the answer, what was read in it, the rule that decided.
        seed: of the sampling noise.
    """
    task = load_task(data, fields)
    scored = reward_of(Rewards(reward), task)
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
        policy = Language.load(model_folder(model), max_new_tokens=max_new_tokens)
        found["the model's"] = list(policy.sample(problems, 1, seed).outputs)
    return found


def _said(reward: Reward, problems: Sequence[Problem], outputs: Sequence[Text]) -> list[str]:
    scores = score(reward, problems, outputs, max(len(text.tokens) for text in outputs) or 1)
    lines = []
    for row, total in enumerate(scores.total.tolist()):
        parts = ", ".join(f"{name} {values[row]:g}" for name, values in scores.parts.items())
        lines.append(("not scored" if total != total else f"{total:g}") + (f" ({parts})" if parts else ""))
    return lines


def _short(value: Any, width: int = 48) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"
