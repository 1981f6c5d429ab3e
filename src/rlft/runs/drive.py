"""Run folders: one run from its start, or from where it stopped, to its report. Decides nothing about training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from rich.console import Console

from rlft import report
from rlft.errors import Unavailable, say
from rlft.models.fingerprint import fingerprint
from rlft.offpolicy.learner import Learner
from rlft.report.live import LiveBar
from rlft.runs import checkpoint, lock, sources, staged, tracked
from rlft.runs.card import write_cards
from rlft.runs.estimate import estimate
from rlft.runs.folder import Cadence, Stopped, discard, fingerprint_of_task
from rlft.runs.log import LOGS, Log, facts_of, write_facts
from rlft.runs.model import save_model
from rlft.runs.samples import Samples
from rlft.runs.staged import Staged
from rlft.runs.stopping import stop_asked
from rlft.training.evaluate import Evaluation, evaluate
from rlft.training.ledger import Metrics, check_finite
from rlft.training.trainer import Trainer
from rlft.types import Measure, Reward, Sampler, Savable, Task, UserError


@dataclass
class Run:
    """What a recipe returns: a Trainer, Learner or Staged that is ready, how long it runs, what it is measured on.

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
    at           steps after which it is evaluated besides, such as those that end the stages of a `Staged`
    shown        held-out problems whose rows are kept among the samples, before and after, for the page to show
    """

    trainer: Trainer | Learner | Staged
    steps: int
    held_out: Task | None = None
    reward: Reward | None = None
    problems: int | None = None
    samples: int = 1
    deploy: Sampler | None = None
    measures: Sequence[Measure] = ()
    probes: Sequence[Callable[[Any], Mapping[str, float]]] = ()
    every: int = 0
    at: Sequence[int] = ()
    shown: int = 0


def drive(
    run: Run,
    folder: Path,
    cadence: Cadence | None = None,
    quiet: bool = False,
    page: bool = True,
    anyway: bool = False,
) -> dict[str, Evaluation]:
    """Run to the end: evaluate, train, evaluate, save, report. Goes on from the folder's newest checkpoint if any.

    Raises `Stopped` after a clean stop on Ctrl-C or SIGTERM. Only the first process writes and evaluates. The folder is
    this process's alone meanwhile, see `lock`. Changed data are refused, unless it is to go on `anyway`.
    """
    if run.steps < 0 or (run.steps == 0 and run.held_out is None):
        raise UserError(f"steps must be at least 1, or 0 to evaluate only; got {run.steps}")
    with lock.held(folder, run.trainer.runtime.rank == 0) as hold:
        return _Drive(run, folder, cadence or Cadence(), quiet, hold).go(page, anyway)


class _Drive:
    """One run in its folder."""

    def __init__(self, run: Run, folder: Path, cadence: Cadence, quiet: bool, hold: lock.Hold):
        self.run, self.folder, self.cadence, self.quiet, self.hold = run, folder, cadence, quiet, hold
        self.trainer, self.checkpoints = run.trainer, folder / "checkpoints"
        self.log = Log(folder, run.trainer.runtime.rank == 0)
        self.found: dict[str, Evaluation] = {}
        self.followed: list[tracked.Following] = []
        self.stop = lambda: False
        self.whole = 0

    def go(self, page: bool, anyway: bool) -> dict[str, Evaluation]:
        """Everything, from where it stands; the status of the run says how it ended."""
        going = False
        try:
            if self._ready(anyway):
                tracked.end(self._follow(), self.folder, "done")  # one that it did not have, or that has missed some
                if self.log.writes and page and not (self.folder / "report.html").exists():
                    self._page()
                return {}
            going = True
            with stop_asked(said=self.log.writes and not self.quiet) as self.stop:
                self._steps()
            self.log.status("done")
            tracked.end(self.followed, self.folder, "done")
        except (Stopped, KeyboardInterrupt):
            self._ended("stopped", going)
            raise
        except Unavailable as error:
            self._ended("stopped", going)
            raise Stopped(
                f"{error}. Stopped after step {self.trainer.steps_done}, and no score was made up; when it answers, go "
                f"on from the last checkpoint with `rlft train --resume {self.folder}`"
            ) from error
        except BaseException:
            self._ended("failed", going)
            raise
        if self.log.writes and page:
            self._page()
        return self.found

    def _ended(self, status: str, going: bool) -> None:
        """After an end before its time: nothing stays of a new run that did nothing, of another how it ended."""
        if self.log.writes and self.hold.began and self.trainer.steps_done == 0 and status == "failed":
            tracked.end(self.followed, self.folder, status)
            discard(self.folder)  # the same command should work once it is mended
        elif going:
            try:
                self.log.status(status)
            except OSError as error:  # what went wrong before is what is to be said
                say(f"could not write {self.folder / 'run.json'}: {error.strerror}")
            tracked.end(self.followed, self.folder, status)

    def _ready(self, anyway: bool) -> bool:
        """Build on what is there; whether nothing is left to do."""
        run, trainer = self.run, self.trainer
        _check_start(run, self.log, anyway)
        if self.log.writes and self.hold.left is not None:
            say(f"the last run in {self.folder} ended without a word ({lock.told(self.hold.left)}):")
            say("it was killed, or a reward or a library ended it (os._exit)")
        resumed = _resume(run, self.folder, self.log, self.hold.began)
        if (resumed or not run.steps) and trainer.steps_done >= run.steps and facts_of(self.folder)["status"] == "done":
            say(f"{self.folder} is finished: {trainer.steps_done} steps are done")
            return True
        self.log.status("running", steps=run.steps)
        trainer.seen = self._samples().see
        self.followed = self._follow()
        return False

    def _samples(self) -> Samples:
        return Samples(self.trainer.policy, self.log, self.cadence.samples, self.run.steps)

    def _follow(self) -> list[tracked.Following]:
        return tracked.follow(self.log, facts_of(self.folder).get("track", ()))

    def _steps(self) -> None:
        if self.run.steps:
            if not checkpoint.there(self.checkpoints):
                self._save()
            self._evaluate_if_due()
            self._train()
        if self.run.held_out is not None:
            self.found["after"] = self._evaluate("after")
        if isinstance(self.trainer.policy, Savable):
            with self.trainer.runtime.gathered():
                if self.log.writes:
                    save_model(self.trainer.policy, self.folder, partial(write_cards, run=self.folder))

    def _train(self) -> None:
        run, trainer = self.run, self.trainer
        console = Console(quiet=self.quiet or not self.log.writes)
        with LiveBar(run.steps, title=trainer.method.name, console=console) as bar:
            while trainer.steps_done < run.steps:
                metrics = trainer.advance()
                if metrics is not None:
                    self._logged(metrics)
                    bar.update(metrics)
                    self._estimate(metrics)
                    _sane(metrics)
                # all processes stop at the same place, wherever the signal found each of them
                halt = bool(trainer.runtime.gather(torch.tensor([self.stop()])).any())
                if metrics is not None and trainer.steps_done < run.steps and not halt:
                    halt = self._evaluate_if_due()
                due = trainer.steps_done % self.cadence.save == 0 or trainer.steps_done == run.steps
                if halt or ((due or self._stage_ended) and metrics is not None):
                    self._save()
                if halt:
                    raise Stopped(
                        f"stopped after step {trainer.steps_done}; go on with `rlft train --resume {self.folder}`"
                    )

    def _logged(self, metrics: Metrics) -> None:
        self.log.line("metrics", metrics)
        if not metrics["updates"] and isinstance(self.trainer, Trainer) and self.log.writes:
            say(f"step {metrics['step']} had nothing to learn from: no rewards differed")

    def _estimate(self, metrics: Metrics) -> None:
        """Say once, after a first whole step in this process, how long the others will take.

        The first that updates is whole where rows are drawn anew; in a buffer it may have begun to update half-way.
        """
        self.whole += bool(metrics["updates"])
        if self.quiet or not self.log.writes or self.whole != (1 if isinstance(self.trainer, Trainer) else 2):
            return
        self.whole += 1  # said, or not worth a line
        told, evaluated = facts_of(self.folder).get("arguments", {}), self.run.held_out is not None
        if said := estimate(self.trainer.steps_done, metrics["seconds/step"], self.run.steps, told, evaluated):
            say(said)

    @property
    def _stage_ended(self) -> bool:
        return isinstance(self.trainer, Staged) and self.trainer.between

    def _save(self) -> None:
        """A checkpoint, once everything that was logged before it is on the disk; of a stage that ended its own."""
        if isinstance(self.trainer, Staged) and self.trainer.between and self.log.writes:
            staged.keep(self.trainer, self.folder, partial(write_cards, run=self.folder))
        self.trainer.settle()  # what is logged of rows drawn ahead is logged before the logs are measured
        try:
            logs = self.log.sizes()
        except OSError as error:
            raise UserError(f"could not write the logs of {self.folder}: {error.strerror}; free some space") from error
        checkpoint.save(self.checkpoints, self.trainer.state_dict(), self.trainer.runtime, logs=logs)

    def _evaluate_if_due(self) -> bool:
        """Evaluate between two steps where that is due and was not done; whether it was stopped on request."""
        run, step = self.run, self.trainer.steps_done
        when = "before" if step == 0 else "during"
        due = step == 0 or (step < run.steps and (step in run.at or (run.every > 0 and step % run.every == 0)))
        if run.held_out is None or not due or self.trainer.updates_done:
            return False
        missing = self.log.writes and not self.log.has("evaluations", step=step, when=when)
        if not bool(self.trainer.runtime.gather(torch.tensor([missing])).any()):
            return False
        try:
            self.found[when] = self._evaluate(when)
        except Stopped:
            if step:
                return True
            raise
        return False

    def _evaluate(self, when: str) -> Evaluation:
        run, trainer, task = self.run, self.trainer, self.run.held_out
        reward = run.reward or trainer.reward
        assert task is not None
        assert reward is not None
        start = time.perf_counter()
        trainer.settle()  # the reward is asked of one thing at a time
        with trainer.runtime.gathered():
            result = evaluate(
                run.deploy or trainer.policy,
                task,
                reward,
                problems=run.problems,
                samples=run.samples,
                seed=trainer.seed,
                measures=run.measures,
                progress=self._stop_in_between,
            )
            probed = {name: float(value) for probe in run.probes for name, value in probe(trainer.policy).items()}
        if run.shown and when != "during":
            self._samples().keep(trainer.steps_done, result, run.shown)
        numbers = {"step": trainer.steps_done, "name": "held-out", "when": when, **result.numbers(), **probed}
        self.log.line("evaluations", {**numbers, "seconds": time.perf_counter() - start})
        if not self.quiet and self.log.writes:
            (low, high), count = result.interval, len(result.rewards)
            with suppress(OSError):
                print(f"held-out {when}: reward {result.mean:.3f} [{low:.3f}, {high:.3f}] on {count} problems")
        return result

    def _stop_in_between(self, done: int, count: int) -> None:
        """One process alone need not finish an evaluation before it stops; several go on together."""
        if self.stop() and self.trainer.runtime.world == 1 and done < count:
            raise Stopped(f"stopped in an evaluation; go on with `rlft train --resume {self.folder}`")

    def _page(self) -> None:
        try:
            report.write(self.folder)
        except OSError as error:  # the run is done all the same
            say(f"could not write the page: {error.strerror}; `rlft report {self.folder}` makes it")


def _sane(metrics: Metrics) -> None:
    try:
        check_finite(metrics)
    except UserError as error:
        raise UserError(f"{error}. The last checkpoint is from before") from None


def _check_start(run: Run, log: Log, anyway: bool) -> None:
    """A run goes on with the weights it once started from, for the KL is measured to them, and with the same data."""
    facts = facts_of(log.folder)
    before = facts.get("start", {})
    model = fingerprint(run.trainer.runtime.whole(run.trainer.policy.state_dict()))
    if before.get("model", model) != model:
        raise UserError(
            f"the model that {log.folder} was started from has changed since; put it back, or start a new run"
        )
    if not log.writes:
        return
    tasks = {"data": run.trainer.task} | ({} if run.held_out is None else {"held-out data": run.held_out})
    found: dict[str, Any] = {"model": model}
    changes: list[str] = []
    for what, task in tasks.items():
        found[what] = digest = sources.rows(task)
        known = before.get(what, digest)
        if isinstance(known, str):  # of a folder from before all rows were read
            same = known == fingerprint_of_task(task)
            changes += [] if same else [f"the {what} is not what it was"]
            found[what] = known if same else digest
        else:
            changes += sources.changed_rows(what, known, digest)
    if changes:
        accept(changes, log.folder, anyway)
    if before != found:
        facts = facts_of(log.folder)
        write_facts(log.folder, {**facts, "start": found, "steps": facts.get("steps", run.steps)})


def accept(
    changes: Sequence[str],
    folder: Path,
    anyway: bool,
    writes: bool = True,
    now: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Go on with what has changed if that was asked for, and let `run.json` say so, and what is `now`."""
    told = "; ".join(changes)
    if not anyway:
        raise UserError(
            f"since {folder} was started, {told}. Put it back, or go on with --changed-anyway; then it is not the "
            "run that it was"
        )
    say(f"going on although {told}")
    if writes:
        facts = facts_of(folder)
        write_facts(folder, {**facts, **now, "changed": [*facts.get("changed", []), *changes]})


def _resume(run: Run, folder: Path, log: Log, began: bool) -> bool:
    """Load the newest whole checkpoint, if any, and cut the logs back to it."""
    checkpoints = folder / "checkpoints"
    if not checkpoint.there(checkpoints):
        if run.steps and not began and any(log.has(name) for name in LOGS) | (folder / "model").exists():
            raise UserError(
                f"{folder} has no checkpoints, so there is nothing to go on from, and what it holds stays as it is; "
                "start a new run with another --out"
            )
        return False
    state, path, passed = checkpoint.load(checkpoints, run.trainer.runtime)
    if log.writes:
        with suppress(OSError):  # a folder that cannot be written into is said where that matters
            checkpoint.tidy(checkpoints, path)
    for sentence in passed:
        say(sentence)
    try:
        run.trainer.load_state_dict(state)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(
            f"checkpoint {path} does not fit what the run is built of now ({type(error).__name__}: {error!s:.200}); "
            "was it made by another version?"
        ) from error
    if run.trainer.steps_done < run.steps or facts_of(folder)["status"] != "done":
        for sentence in log.cut(run.trainer.steps_done, checkpoint.logs_at(path)):
            say(sentence)
    say(f"going on from {path.name}")
    return True
