"""The library in one call, for scripts and notebooks. The tool does the same from a command line.

import rlft
from rlft.methods.grpo import grpo

policy = rlft.Language.load("path/or/hub-id", max_new_tokens=64)
rlft.train(policy, data="prompts.jsonl", reward=lambda problems, outputs: [-len(o) for o in outputs],
           method=grpo(beta=0.04), steps=100, lr=1e-5, out="runs/first")
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft import rewards
from rlft.errors import shown
from rlft.methods.grpo import grpo
from rlft.options.arguments import plain
from rlft.options.fitting import fitting, to_check
from rlft.options.learning import HeldOut, Learning, run_of, trainer_of
from rlft.options.reward import load_reward
from rlft.options.task import load_task
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.policy import Language
from rlft.policies.language.remembered import remembered
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.known import is_pipeline
from rlft.policies.pipelines.load import load as load_pipeline
from rlft.rewards.adapt import named
from rlft.runs import checkpoint
from rlft.runs.drive import drive
from rlft.runs.folder import Cadence, begin, circumstances, model_folder, refuse_existing
from rlft.runs.lock import held
from rlft.runs.log import facts_of, write_facts
from rlft.runs.model import WEIGHTS, load_weights
from rlft.runs.tracked import Tracking
from rlft.tasks.files import Files
from rlft.tool.again import Again, built
from rlft.trackers import checked
from rlft.training.evaluate import Evaluation
from rlft.types import Measure, Method, Policy, Reward, Runtime, Task, Teachable, UserError
from rlft.types.values import overlaid

Rewarded = Reward | str
Data = str | Path | Sequence[Mapping[str, Any]] | Task


def train(
    policy: Policy,
    data: Data,
    reward: Rewarded | Sequence[Rewarded] | None = None,
    method: Method | None = None,
    *,
    out: str | Path,
    learning: Learning = Learning(),
    eval_data: Data | None = None,
    eval_problems: int | None = 200,
    measures: Sequence[Measure] = (),
    seed: int = 0,
    reward_weights: Sequence[float] = (),
    resume: bool = False,
    save_every: int = 20,
    quiet: bool = False,
    changed_anyway: bool = False,
    runtime: Runtime | None = None,
    **told: Any,
) -> dict[str, Evaluation]:
    """Fine-tune a policy in place, in a run folder; evaluations `before` and `after` where there is held-out data.

    data      a file, the name of a task (`arithmetic`), a list of rows with a `prompt`, or any Task
    reward    a function (ours, TRL's or verl's signature), a name or `file.py:function`; several add, each times its
              weight in `reward_weights`; None is the task's own
    out       a new folder; with `resume=True` one that was started by the same call, which goes on bit for bit
    changed_anyway  with `resume`, go on although data have changed since; `run.json` then says so
    learning  the numbers of the run, `told` the same by name: `rlft.train(…, steps=100, lr=1e-5)`; and trackers, see
              `rlft.trackers`: `track=("tensorboard",)`

    Raises `UserError` for what cannot work, before any work is done where that can be seen.
    """
    learning, followed = overlaid(told, learning, Tracking())
    track = checked(followed.track)
    chosen, task = method or grpo(), _task(data, "train")
    rewarded = _reward(reward, reward_weights, task)
    held_out = None if eval_data is None else _task(eval_data, "test")
    if isinstance(policy, Language | Conversation):
        lessons = Teachable in chosen.needs
        task, held_out = fitting(task, policy, lessons), held_out and fitting(held_out, policy, lessons)
        for source in filter(None, (task, held_out)):
            policy.check(to_check(source))
    trainer = trainer_of(learning, policy, chosen, task, rewarded, measures=measures, seed=seed, runtime=runtime)
    run = run_of(learning, trainer, held_out, HeldOut(eval_problems=eval_problems), measures=measures)
    folder = Path(out)
    first = trainer.runtime.rank == 0
    if resume:
        facts_of(folder)  # before it is held: one that is not there is not made
    elif first:
        refuse_existing(folder)
    with held(folder, first):
        if not resume and first:
            said = {"data": str(data) if isinstance(data, str | Path) else task.name, "reward": _said(reward)}
            facts = {"recipe": "rlft.train", "method": chosen.name, "seed": seed, "track": track}
            facts |= {"arguments": plain({"learning": learning, "method": chosen, **said})}
            begin(folder, {**facts, **circumstances(_script())})
        elif first and track:
            write_facts(folder, {**facts_of(folder), "track": track})
        checkpoint.meet(trainer.runtime)
        return drive(run, folder, Cadence(save=save_every), quiet, anyway=changed_anyway)


def load(run: str | Path, into: Any = None, *, trust: bool = False) -> Any:
    """The trained policy of a run folder: `policy = rlft.load("runs/digits")`.

    A language model or a text-to-image pipeline is loaded from the run's `model` with what it remembers (see
    `policies.language.remembered`; tools are given to it anew). Any other recipe's policy is built again from the words
    of the run, which imports the recipe's file, and reads `model/weights.safetensors`.

    into   a policy that is built as the run's was, and gets its weights: for a run that Python has started, whose
           network nobody else knows, and for a `weights.safetensors` alone
    trust  run the code of a folder that others have made; see `--trust-run`

    Raises `UserError` for a run without a trained model, and for weights of another network.
    """
    folder = Path(run)
    if into is not None:
        load_weights(into, folder)
        return into
    if (folder / "model" / WEIGHTS).is_file():
        policy = built(folder, Again(trust=trust), refuse=False).trainer.policy
        load_weights(policy, folder)
        return policy
    place = model_folder(str(folder))
    if is_pipeline(place):
        told = {f.name for f in dataclasses.fields(Drawing)}
        return load_pipeline(place, Drawing(**{n: v for n, v in remembered(place).items() if n in told}))
    options = vars(Sampling()) | vars(Prompting())
    return Language.load(place, **{name: value for name, value in remembered(place).items() if name in options})


def _said(reward: Rewarded | Sequence[Rewarded] | None) -> list[str]:
    """The rewards by their names, as a run remembers them."""
    if isinstance(reward, str) or callable(reward):
        return named([reward])
    return named(list(reward or ()))


def _script() -> list[Path]:
    """The file that Python was started with: what a run depends on besides this library. None in a notebook."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return [Path(file)] if file and Path(file).is_file() else []


def _task(data: Data, split: str) -> Task:
    if isinstance(data, str | Path):
        return load_task(str(data), split=split)
    if isinstance(data, Sequence):
        return Files(data, split=split)
    return data


def _reward(reward: Rewarded | Sequence[Rewarded] | None, weights: Sequence[float], task: Task) -> Reward:
    if isinstance(reward, list | tuple) or weights:
        given = list(reward) if isinstance(reward, list | tuple) else [_reward(reward, (), task)]
        if weights and len(weights) != len(given):
            raise UserError(f"{len(given)} rewards and {len(weights)} reward weights: give one weight for each")
        names = named(given)
        parts = {name: _reward(one, (), task) for name, one in zip(names, given, strict=True)}
        return rewards.combine(parts, dict(zip(names, weights, strict=True)) if weights else None)
    if isinstance(reward, str):
        return load_reward(reward)
    if callable(reward):
        return rewards.adapted(reward)
    if reward is not None:
        raise UserError(f"the reward is {shown(reward)}; expected a function, a name, or a list of these")
    own = getattr(task, "reward", None)
    if own is None:
        raise UserError(f"{task.name} has no reward of its own: give one")
    return own
