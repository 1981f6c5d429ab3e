"""Run folders: one run from its start, or from where it stopped, to its report. Decides nothing about training.

run.json           how it was started: command, arguments, seed, versions, revision, machine, state
metrics.jsonl      one line a step            samples.jsonl      some problems and their rows, every few steps
evaluations.jsonl  held-out problems          checkpoints/       see `rlft.runs.checkpoint`
model/             the trained policy         report.html        everything on one page
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from rlft import report
from rlft.offpolicy.learner import Learner
from rlft.report.live import LiveBar
from rlft.runs import checkpoint
from rlft.runs.folder import Cadence, Stopped, fingerprint, fingerprint_of_task
from rlft.runs.log import Log, facts_of, write_facts
from rlft.training.evaluate import Evaluation, evaluate
from rlft.training.ledger import Metrics, check_finite
from rlft.training.trainer import Trainer
from rlft.types import Measure, Problem, Reward, Rollouts, Sampler, Savable, Showable, Task, UserError


@dataclass
class Run:
    """What a recipe returns: a Trainer or Learner that is ready, how long it runs, and what it is measured on.

    trainer      built, not run
    steps        steps in all; 0 trains nothing
    held_out     problems evaluated before and after; None evaluates nothing
    reward       how they are scored; None takes the Trainer's
    problems     how many of them, None all
    samples      rollouts of each
    deploy       what is evaluated: the policy as it is used when trained (an ODE sampler, the mean action, a guided
                 sampler); None is the policy itself
    measures     what the reward cannot see
    probes       `policy -> {name: number}`, read off the policy itself at every evaluation: an exact distance, say
    every        steps between evaluations on the way; 0 is only before and after
    """

    trainer: Trainer | Learner
    steps: int
    held_out: Task | None = None
    reward: Reward | None = None
    problems: int | None = None
    samples: int = 1
    deploy: Sampler | None = None
    measures: Sequence[Measure] = ()
    probes: Sequence[Callable[[Any], Mapping[str, float]]] = ()
    every: int = 0


def drive(
    run: Run, folder: Path, cadence: Cadence | None = None, quiet: bool = False, page: bool = True
) -> dict[str, Evaluation]:
    """Run to the end: evaluate, train, evaluate, save, report. Goes on from the folder's newest checkpoint if any.

    Raises `Stopped` after a clean stop on Ctrl-C or SIGTERM. Only the first process writes and evaluates.
    """
    if run.steps < 0 or (run.steps == 0 and run.held_out is None):
        raise UserError(f"steps must be at least 1, or 0 to evaluate only; got {run.steps}")
    cadence, trainer = cadence or Cadence(), run.trainer
    log = Log(folder, trainer.runtime.rank == 0)
    _check_start(run, log)
    resumed = _resume(run, folder, log)
    if resumed and trainer.steps_done >= run.steps and facts_of(folder)["status"] == "done":
        print(f"rlft: {folder} is finished: {trainer.steps_done} steps are done", file=sys.stderr)
        return {}
    trainer.seen = _Samples(run, log, cadence).see
    found: dict[str, Evaluation] = {}
    try:
        if not resumed and run.held_out is not None and run.steps:
            found["before"] = _evaluate(run, log, "before", quiet)
        _train(run, folder, cadence, log, quiet)
        if run.held_out is not None:
            found["after"] = _evaluate(run, log, "after", quiet)
        if isinstance(trainer.policy, Savable):
            with trainer.runtime.gathered():
                if log.writes:
                    trainer.policy.save(folder / "model")
        log.status("done")
    except Stopped:
        log.status("stopped")
        raise
    except BaseException:
        if log.writes and trainer.steps_done == 0 and not resumed:
            shutil.rmtree(folder)  # nothing was done yet, and the same command should work once it is mended
        else:
            log.status("failed")
        raise
    if log.writes and page:
        report.write(folder)
    return found


def _train(run: Run, folder: Path, cadence: Cadence, log: Log, quiet: bool) -> None:
    trainer, checkpoints = run.trainer, folder / "checkpoints"
    if not any(checkpoints.glob("step-*")):
        checkpoint.save(checkpoints, trainer.state_dict(), trainer.runtime)
    console = Console(quiet=quiet or not log.writes)
    with LiveBar(run.steps, title=trainer.method.name, console=console) as bar, _stop_asked() as stop:
        while trainer.steps_done < run.steps:
            metrics = trainer.advance()
            if metrics is not None:
                log.line("metrics", metrics)
                if not metrics["updates"] and isinstance(trainer, Trainer) and log.writes:
                    print(
                        f"rlft: step {metrics['step']} had nothing to learn from: no rewards differed", file=sys.stderr
                    )
                bar.update(metrics)
                _sane(metrics)
            due = metrics is not None and (trainer.steps_done % cadence.save == 0 or trainer.steps_done == run.steps)
            # all processes stop at the same place, wherever the signal found each of them
            halt = bool(trainer.runtime.gather(torch.tensor([stop()])).any())
            on_the_way = metrics is not None and trainer.steps_done < run.steps
            if on_the_way and run.every and trainer.steps_done % run.every == 0:
                _evaluate(run, log, "during", quiet)
            if due or halt:
                checkpoint.save(checkpoints, trainer.state_dict(), trainer.runtime)
            if halt:
                raise Stopped(f"stopped after step {trainer.steps_done}; go on with `rlft train --resume {folder}`")


def _sane(metrics: Metrics) -> None:
    try:
        check_finite(metrics)
    except UserError as error:
        raise UserError(f"{error}. The last checkpoint is from before") from None


def _check_start(run: Run, log: Log) -> None:
    """The policy a run is resumed with must start from the weights it once started from: the KL is measured to them."""
    facts = facts_of(log.folder)
    found = {
        "model": fingerprint(run.trainer.runtime.whole(run.trainer.policy.state_dict())),
        "data": fingerprint_of_task(run.trainer.task),
    }
    for what, digest in found.items():
        if facts.get("start", found).get(what) != digest:
            raise UserError(
                f"the {what} that {log.folder} was started from has changed since; put it back, or start a new run"
            )
    if log.writes and "start" not in facts:
        write_facts(log.folder, {**facts, "start": found, "steps": run.steps})


def _resume(run: Run, folder: Path, log: Log) -> bool:
    """Load the newest whole checkpoint, if any, and cut the logs back to it."""
    checkpoints = folder / "checkpoints"
    if not any(checkpoints.glob("step-*")):
        return False
    state, path, passed = checkpoint.load(checkpoints, run.trainer.runtime)
    for sentence in passed:
        print(f"rlft: {sentence}", file=sys.stderr)
    run.trainer.load_state_dict(state)
    if run.trainer.steps_done < run.steps or facts_of(folder)["status"] != "done":
        log.cut(run.trainer.steps_done)
        log.status("running")
    print(f"rlft: going on from {path.name}", file=sys.stderr)
    return True


def _evaluate(run: Run, log: Log, when: str, quiet: bool) -> Evaluation:
    trainer, task = run.trainer, run.held_out
    assert task is not None and (run.reward or trainer.reward) is not None
    start = time.perf_counter()
    reward = run.reward or trainer.reward
    assert reward is not None
    with trainer.runtime.gathered():
        result = evaluate(
            run.deploy or trainer.policy,
            task,
            reward,
            problems=run.problems,
            samples=run.samples,
            seed=trainer.seed,
            measures=run.measures,
        )
        probed = {name: float(value) for probe in run.probes for name, value in probe(trainer.policy).items()}
    numbers = {"step": trainer.steps_done, "name": "held-out", "when": when, **result.numbers(), **probed}
    log.line("evaluations", {**numbers, "seconds": time.perf_counter() - start})
    if not quiet and log.writes:
        low, high = result.interval
        print(f"held-out {when}: reward {result.mean:.3f} [{low:.3f}, {high:.3f}] on {len(result.rewards)} problems")
    return result


class _Samples:
    """A few problems with all their rows, every few steps."""

    def __init__(self, run: Run, log: Log, cadence: Cadence, problems: int = 2):
        self.run, self.log, self.cadence, self.problems = run, log, cadence, problems

    def see(self, step: int, rollouts: Rollouts, parts: Mapping[str, Tensor]) -> None:
        last = step == self.run.steps
        if not self.log.writes or not (step == 1 or last or step % self.cadence.samples == 0):
            return
        policy, group = self.run.trainer.policy, rollouts.group
        if not isinstance(policy, Showable):
            return
        for first in range(0, min(self.problems * group, len(rollouts)), group):
            rows = [
                {
                    "reward": float(rollouts.rewards[row]),
                    "parts": {name: float(values[row]) for name, values in parts.items()},
                    **policy.show(rollouts.outputs[row]),
                }
                for row in range(first, first + group)
            ]
            self.log.line("samples", {"step": step, "problem": _plain(rollouts.problems[first]), "rows": rows})


def _plain(problem: Problem) -> dict[str, Any]:
    def simple(value: Any) -> Any:
        return value if isinstance(value, str | int | float | list | dict) else None  # an image is no caption

    return {"index": problem.index, "input": simple(problem.input), "answer": simple(problem.answer)}


@contextmanager
def _stop_asked() -> Iterator[Any]:
    """Turn the first Ctrl-C or SIGTERM into a request; a second Ctrl-C interrupts at once."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        for number in before:
            signal.signal(number, ask)
    except ValueError:  # not the main thread
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
