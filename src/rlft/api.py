"""The library in one call, for scripts and notebooks. The tool does the same from a command line.

import rlft
from rlft.methods.grpo import grpo

policy = rlft.Language.load("path/or/hub-id", max_new_tokens=64)
rlft.train(policy, data="prompts.jsonl", reward=lambda problems, outputs: [-len(o) for o in outputs],
           method=grpo(beta=0.04), steps=100, lr=1e-5, out="runs/first")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft import rewards
from rlft.methods.grpo import grpo
from rlft.options.arguments import plain
from rlft.options.learning import HeldOut, Learning, run_of, trainer_of
from rlft.options.reward import load_reward
from rlft.options.task import load_task
from rlft.runs import checkpoint
from rlft.runs.drive import drive
from rlft.runs.folder import Cadence, begin, circumstances, refuse_existing
from rlft.runs.lock import held
from rlft.runs.log import facts_of
from rlft.tasks.files import Files
from rlft.training.evaluate import Evaluation
from rlft.types import Measure, Method, Policy, Reward, Runtime, Task, UserError
from rlft.types.values import overlaid

Data = str | Path | Sequence[Mapping[str, Any]] | Task


def train(
    policy: Policy,
    data: Data,
    reward: Reward | str | None = None,
    method: Method | None = None,
    *,
    out: str | Path,
    learning: Learning = Learning(),
    eval_data: Data | None = None,
    eval_problems: int | None = 200,
    measures: Sequence[Measure] = (),
    seed: int = 0,
    resume: bool = False,
    save_every: int = 20,
    quiet: bool = False,
    runtime: Runtime | None = None,
    **told: Any,
) -> dict[str, Evaluation]:
    """Fine-tune a policy in place, in a run folder; evaluations `before` and `after` where there is held-out data.

    data      a file, the name of a task (`arithmetic`), a list of rows with a `prompt`, or any Task
    reward    a function (ours, TRL's or verl's signature), a name or `file.py:function`; None is the task's own
    out       a new folder; with `resume=True` one that was started by the same call, which goes on bit for bit
    learning  the numbers of the run, `told` the same by name: `rlft.train(…, steps=100, lr=1e-5)`

    Raises `UserError` for what cannot work, before any work is done where that can be seen.
    """
    (learning,) = overlaid(told, learning)
    chosen, task = method or grpo(), _task(data, "train")
    rewarded = _reward(reward, task)
    trainer = trainer_of(learning, policy, chosen, task, rewarded, measures=measures, seed=seed, runtime=runtime)
    held_out = None if eval_data is None else _task(eval_data, "test")
    run = run_of(learning, trainer, held_out, HeldOut(eval_problems=eval_problems), measures=measures)
    folder = Path(out)
    first = trainer.runtime.rank == 0
    if resume:
        facts_of(folder)  # before it is held: one that is not there is not made
    elif first:
        refuse_existing(folder)
    with held(folder, first):
        if not resume and first:
            facts = {"recipe": "rlft.train", "method": chosen.name, "seed": seed}
            begin(folder, {**facts, "arguments": plain({"learning": learning, "method": chosen}), **circumstances()})
        checkpoint.meet(trainer.runtime)
        return drive(run, folder, Cadence(save=save_every), quiet)


def _task(data: Data, split: str) -> Task:
    if isinstance(data, str | Path):
        return load_task(str(data), split=split)
    if isinstance(data, Sequence):
        return Files(data, split=split)
    return data


def _reward(reward: Reward | str | None, task: Task) -> Reward:
    if isinstance(reward, str):
        return load_reward(reward)
    if reward is not None:
        return rewards.adapted(reward)
    own = getattr(task, "reward", None)
    if own is None:
        raise UserError(f"{task.name} has no reward of its own: give one")
    return own
