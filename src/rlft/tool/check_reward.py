"""`rlft check-reward`: what a reward makes of a few rows, before anything is trained."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from rlft.errors import say
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.policies.language.policy import Language
from rlft.rewards.adapt import explained
from rlft.runs.folder import model_folder
from rlft.training.score import Scores, score
from rlft.types import Problem, Reward, Task, Text, UserError, field_of


def check_reward(
    data: str,
    rewards: Rewards = Rewards(),
    model: str | None = None,
    rows: int = 4,
    max_new_tokens: int = 64,
    fields: Fields = Fields(),
    explain: bool = False,
    seed: int = 0,
) -> int:
    """Run a reward on a few rows before training, and show what it saw and said.

    For each problem it scores the gold answer and the demonstration, if there is one (both should earn the full
    reward), an empty text, the answer of the next problem, and, with --model, a completion. Then it tries lazy answers,
    such as all numbers of the problem, and warns of those that are paid like the gold one.

    Args:
        data: a file of problems, or a task.
        model: a model to draw completions from.
        rows: problems.
        max_new_tokens: tokens in a completion at most.
        explain: say for each row how its reward came about: the answer, what was read in it, the rule that decided.
        seed: of the sampling noise.
    """
    task = load_task(data, fields)
    scored = reward_of(rewards, task)
    for sentence in repeated(task):
        say(sentence)
    problems = [task.at(index) for index in range(min(rows, task.size or rows))]
    policy = None if model is None else Language.load(model_folder(model), max_new_tokens=max_new_tokens)
    tokens = _words if policy is None else _of(policy)
    columns = _trial_outputs(problems, policy, tokens, seed)
    table = Table("prompt", "output", "text", "reward")
    said = {kind: _said(scored, problems, outputs) for kind, outputs in columns.items()}
    for row, problem in enumerate(problems):
        for place, (kind, outputs) in enumerate(columns.items()):
            prompt = "" if place else _short(problem.input)
            table.add_row(prompt, kind, _short(outputs[row]), said[kind][row], end_section=place == len(columns) - 1)
    Console().print(table)
    _tell_of_lazy(scored, problems, columns.get("gold answer"), tokens)
    for row, problem in enumerate(problems if explain else []):
        print(f"── {_short(problem.input)}")
        print("\n".join(f"{kind}: {explained(scored, problem, outputs[row])}" for kind, outputs in columns.items()))
    return 0


def repeated(task: Task, most: int = 10_000) -> list[str]:
    """What is wrong with a finite task's first problems: ids that several rows have, prompts that are there twice."""
    problems = [task.at(index) for index in range(min(task.size or 0, most))]
    found = []
    for what in ("id", "uid", "extra_info.index"):
        ids = collections.Counter(str(i) for p in problems if (i := field_of(p.columns, what)) is not None)
        if twice := [i for i, count in ids.items() if count > 1]:
            found.append(f"{len(twice)} values of the column {what} are those of several rows, {twice[0]} first")
    if same := sum(n - 1 for n in collections.Counter(str(p.input) for p in problems).values()):
        found.append(f"{same} of {len(problems)} prompts are there already")
    return found


def _trial_outputs(
    problems: Sequence[Problem], policy: Language | None, tokens: Callable[[str], Text], seed: int
) -> dict[str, list[Text]]:
    columns = {"nothing": [""] * len(problems)}
    if all(problem.answer is not None for problem in problems):
        answers = [str(problem.answer) for problem in problems]
        columns = {"gold answer": answers, **columns, "another's answer": answers[1:] + answers[:1]}
    if all(isinstance(problem.demonstration, str) for problem in problems):
        columns["demonstration"] = [problem.demonstration for problem in problems]
    found = {kind: [tokens(text) for text in texts] for kind, texts in columns.items()}
    if policy is not None:
        found["the model's"] = list(policy.sample(problems, 1, seed).outputs)
    return found


def _words(text: str) -> Text:
    """Without a model its words stand for tokens, and one for the end."""
    return Text(text, range(len(text.split()) + 1))


def _of(policy: Language) -> Callable[[str], Text]:
    def tokens(text: str) -> Text:
        try:
            return Text(text, [*policy.codec.tokens(Problem(0, text), text, False), *policy.ends[:1].tolist()])
        except UserError:  # the model could not say this
            return _words(text)

    return tokens


def lazy_answers(problem: Problem) -> dict[str, str]:
    """What a policy finds that learned the reward and not the task; empty where the problem has nothing of a kind."""
    asked = problem.input if isinstance(problem.input, str) else " ".join(_contents(problem.input))
    number, gold = r"-?\d+(?:\.\d+)?", str(problem.answer)
    expression = re.search(rf"{number}(?:\s*[-+*/×÷^]\s*{number})+", asked)
    listed = [str(n) for n in range(10) if str(n) != gold]
    return {
        "nothing": "",
        "the problem itself": asked,
        "all numbers of it": ", ".join(re.findall(number, asked)),
        "the gold answer in a list": "" if problem.answer is None else ", ".join([*listed[:4], gold, *listed[4:]]),
        "an expression, not worked out": expression.group() if expression else "",
    }


def _contents(messages: Any) -> list[str]:
    return [str(one.get("content", "")) for one in messages if isinstance(one, dict)] if messages else []


def _tell_of_lazy(
    reward: Reward, problems: Sequence[Problem], gold: Sequence[Text] | None, tokens: Callable[[str], Text]
) -> None:
    """What lazy answers earn on average, and a warning where it is what the gold one earns."""
    answers = [lazy_answers(problem) for problem in problems]
    full = None if gold is None else _totals(reward, problems, gold)
    table, warned = Table("lazy answer", "earns on average"), []
    for kind in answers[0]:
        there = [row for row, one in enumerate(answers) if one[kind] or kind == "nothing"]
        if not there:
            continue
        totals = _totals(reward, [problems[row] for row in there], [tokens(answers[row][kind]) for row in there])
        known = [total for total in totals if total == total]
        table.add_row(kind, f"{sum(known) / len(known):g}" if known else "not scored")
        paid = 0 if full is None else sum(totals[i] >= full[row] for i, row in enumerate(there))
        warned += [f"{kind} is paid like the gold answer in {paid} of {len(there)} rows"] if paid else []
    Console().print(table)
    for sentence in warned:
        print(f"warning: {sentence}: a policy may learn it instead of the task")


def _scored(reward: Reward, problems: Sequence[Problem], outputs: Sequence[Text]) -> Scores:
    return score(reward, problems, outputs, max(len(text.tokens) for text in outputs) or 1)


def _totals(reward: Reward, problems: Sequence[Problem], outputs: Sequence[Text]) -> list[float]:
    return _scored(reward, problems, outputs).total.tolist()


def _said(reward: Reward, problems: Sequence[Problem], outputs: Sequence[Text]) -> list[str]:
    scores = _scored(reward, problems, outputs)
    lines = []
    for row, total in enumerate(scores.total.tolist()):
        parts = ", ".join(f"{name} {values[row]:g}" for name, values in scores.parts.items())
        lines.append(("not scored" if total != total else f"{total:g}") + (f" ({parts})" if parts else ""))
    return lines


def _short(value: Any, width: int = 48) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"
