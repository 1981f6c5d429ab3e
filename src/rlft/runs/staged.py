"""A run of several stages as one loop: each begins with its parent's weights, checked by their hash.

It stands where a Trainer stands in a run: it can be stopped after any piece, between stages and inside one, and another
that is built in the same way goes on bit for bit. One stage alone is its Trainer, draw for draw; the seed of later
ones is hashed from the run's and their place, so that the same problems come in another order.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlft.advantages import uniform
from rlft.models.fingerprint import fingerprint
from rlft.models.soup import average
from rlft.noise import hashed
from rlft.runs.model import save_model
from rlft.runs.stages import BASE, Learned, Merged, Regenerated, Stage, Written, check, described
from rlft.runtime.local import Local
from rlft.training.ledger import Metrics
from rlft.training.loop import Loop
from rlft.training.trainer import Trainer
from rlft.types import Method, Policy, Reward, Rollouts, Runtime, Savable, Task, UserError, untrained

Weights = dict[str, Tensor]
# What a stage has spent in all, summed over its steps.
COUNTS = ("updates", "rows/drawn", "decisions/drawn", "rows/demonstrated", "rows/kept")
_COUNTED = ("hashes", "records", "written", "spent", "number", "steps_done")
# Draws rows and scores them; what is done with them is ours.
_DRAWING = Method(advantage=uniform, updates=(), name="regenerate")


class Staged(Loop):
    """These stages of one policy, in their order.

    policy, seed, runtime  as a Trainer's
    stages                 see `runs.stages`
    steps                  of all stages together
    records                of each stage that is done: `stage`, `kind`, `parents` (names and hashes of weights), `hash`,
                           `steps` and what it has spent, by the names of `COUNTS`
    written                what stages have written, by their names: a problem's index in its task, and the answer

    Weights are kept in memory, and in checkpoints, as long as a later stage begins with them; the base's are not in
    checkpoints. UserError for stages that cannot be run in this order, when it is made.
    """

    def __init__(self, policy: Policy, stages: Sequence[Stage], seed: int = 0, runtime: Runtime | None = None):
        check(stages)
        self.policy, self.stages, self.seed = policy, tuple(stages), seed
        self.runtime: Runtime = runtime or Local()
        self.seen: Callable[[int, Rollouts, Mapping[str, Tensor]], None] = lambda step, rollouts, parts: None
        self.steps, self.steps_done, self.number = sum(stage.steps for stage in stages), 0, 0
        learned = [stage for stage in stages if isinstance(stage, Learned)]
        self.method = replace(learned[-1].method if learned else _DRAWING, name=", ".join(s.name for s in stages))
        self.records: list[dict[str, Any]] = []
        self.written: dict[str, list[list[Any]]] = {}
        self.spent: dict[str, float] = {}
        self.trainer: Trainer | None = None
        self.hashes = {BASE: fingerprint(self._weights())}
        self.kept: dict[str, Weights] = {}
        if any(BASE in stage.parents for stage in stages[1:]):
            self.kept[BASE] = self._weights()

    @property
    def ends(self) -> list[int]:
        """How many steps are done when each stage has ended."""
        return [*itertools.accumulate(stage.steps for stage in self.stages)]

    @property
    def task(self) -> Task:
        """What is learned from first."""
        return next(self._task(stage) for stage in self.stages if not isinstance(stage, Merged))

    @property
    def reward(self) -> Reward | None:
        """The last that a stage is paid by."""
        return next((s.reward for s in reversed(self.stages) if not isinstance(s, Merged) and s.reward), None)

    @property
    def updates_done(self) -> int:
        """Of the step under way."""
        return 0 if self.trainer is None else self.trainer.updates_done

    @property
    def between(self) -> bool:
        """Whether a stage has just ended, and the next has not begun."""
        return self.trainer is None and self.number > 0

    def advance(self) -> Metrics | None:
        """The next piece of a step; the metrics of a whole one say of which `stage` it was, from 1."""
        stage = self.stages[self.number]
        if self.trainer is None:
            self.trainer = self._begun(stage)
        metrics = self._piece(stage, self.trainer)
        if metrics is None:
            return None
        self.steps_done += 1
        for name in COUNTS:
            self.spent[name] = self.spent.get(name, 0) + metrics.get(name, 0)
        told = {**metrics, "step": self.steps_done, "stage": self.number + 1}
        if self.trainer is None or self.trainer.steps_done == stage.steps:
            self._end(stage)
        return told

    def settle(self) -> None:
        """As a Trainer's, of the stage under way."""
        if self.trainer is not None:
            self.trainer.settle()

    def _piece(self, stage: Stage, trainer: Trainer | None) -> Metrics | None:
        if trainer is None:
            return {"updates": 0, "seconds/step": 0.0}
        return trainer.advance() if isinstance(stage, Learned) else self._write(stage, trainer)

    def _begun(self, stage: Stage) -> Trainer | None:
        """The policy with the weights that the stage begins with, and what does its steps."""
        if isinstance(stage, Merged):
            shares = {name: share / sum(stage.shares.values()) for name, share in stage.shares.items()}
            self._put(average([(self._of(name), share) for name, share in shares.items()]))
            return None
        self._put(self._of(stage.parent))
        seed = self.seed if self.number == 0 else hashed("stage", self.seed, self.number) % 2**31
        told: dict[str, Any] = {"seed": seed, "runtime": self.runtime}
        if isinstance(stage, Learned):
            trainer = Trainer(self.policy, stage.method, self._task(stage), stage.reward, **stage.numbers, **told)
        else:
            told |= {"prompts": stage.prompts, "group": stage.samples}
            trainer = Trainer(self.policy, _DRAWING, self._task(stage), stage.reward, **told)
        before = self.steps_done
        trainer.seen = lambda step, rollouts, parts: self.seen(before + step, rollouts, parts)
        return trainer

    def _task(self, stage: Learned | Regenerated) -> Task:
        if not isinstance(stage.task, str):
            return stage.task
        source = next(s for s in self.stages if s.name == stage.task)
        assert isinstance(source, Regenerated)
        rows = self.written.get(stage.task, [])
        if not rows and self.stages.index(source) < self.number:
            raise UserError(
                f"stage {stage.task!r} kept none of its answers, so {stage.name!r} has nothing to learn from"
            )
        return Written(stage.task, self._task(source), rows)

    def _of(self, name: str) -> Weights:
        """The weights that a stage ended with; `UserError` where they are not those any more."""
        weights = self.kept.get(name) or self._weights()  # what nobody else needs is what the policy has
        if fingerprint(weights) != self.hashes[name]:
            raise UserError(f"the weights are not those that {name!r} ended with ({self.hashes[name]}): start anew")
        return weights

    def _weights(self) -> Weights:
        """Those that learn, on the processor."""
        fixed = untrained(self.policy)
        return {n: w.detach().to("cpu", copy=True) for n, w in self.policy.state_dict().items() if n not in fixed}

    def _put(self, weights: Weights) -> None:
        self.policy.load_state_dict({**self.policy.state_dict(), **weights})

    def _write(self, stage: Stage, trainer: Trainer) -> Metrics:
        """A batch of problems answered; what is right and new is kept."""
        assert isinstance(stage, Regenerated)
        left = stage.asked - trainer.steps_done * stage.prompts
        rollouts = trainer.draw(min(stage.prompts, left))
        good = [
            [place, problem.index, output]
            for place, problem, output, reward in zip(
                rollouts.position.tolist(), rollouts.problems, rollouts.outputs, rollouts.rewards.tolist(), strict=True
            )
            if reward >= stage.right and stage.keep(problem, output)
        ]
        rows, before = self.written.setdefault(stage.name, []), len(self.written.get(stage.name, []))
        for _, index, answer in sorted(_exchanged(good, self.runtime)):
            same = [row for row in rows if row[0] == index]
            if [index, answer] not in same and len(same) < (stage.most or len(same) + 1):
                rows.append([index, answer])
        trainer.steps_done += 1
        return {**trainer.ledger.close(self.runtime), "rows/kept": len(rows) - before}

    def _end(self, stage: Stage) -> None:
        if self.trainer is not None:
            self.trainer.ahead.leave()  # rows of its own weights, and of its own reward
        weights = self._weights()
        self.hashes[stage.name] = fingerprint(weights)
        spent = {name: round(value) for name, value in self.spent.items()}
        parents = {name: self.hashes[name] for name in stage.parents}
        record = {"stage": stage.name, "kind": type(stage).__name__.lower(), "parents": parents}
        self.records.append({**record, "hash": self.hashes[stage.name], "steps": stage.steps, **spent})
        self.kept[stage.name] = weights
        self.number, self.trainer, self.spent = self.number + 1, None, {}
        needed = {name for later in self.stages[self.number :] for name in later.parents}
        self.kept = {name: held for name, held in self.kept.items() if name in needed}

    def state_dict(self) -> dict[str, Any]:
        """As a Trainer's; of a stage under way with its Trainer's inside, else with the weights."""
        inner = {"shared": None, "own": {"pending": None}} if self.trainer is None else self.trainer.state_dict()
        shared = {
            "stages": [described(stage) for stage in self.stages],
            "kept": {name: weights for name, weights in self.kept.items() if name != BASE},
            "policy": self._weights() if self.trainer is None else {},
            **{name: copy.deepcopy(getattr(self, name)) for name in _COUNTED},
            "updates_done": self.updates_done,
            "inner": inner["shared"],
        }
        return {"shared": shared, "own": inner["own"]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of a run of the same stages, built with the same base.

        UserError where a stage that has begun is not what it was, or the base is another.
        """
        shared = state["shared"]
        number, base = shared["number"], self.hashes[BASE]
        for stage, told in zip(self.stages[: number + 1], shared["stages"][: number + 1], strict=True):
            if described(stage) != told:
                raise UserError(f"stage {stage.name!r} is not what it was when this run was started; put it back")
        if shared["hashes"][BASE] != base:
            raise UserError("the base is not the one that this run was started with; put it back")
        for name in _COUNTED:
            setattr(self, name, copy.deepcopy(shared[name]))
        self.kept |= shared["kept"]
        self.trainer = None
        if shared["inner"] is None:
            self._put(shared["policy"])
            return
        done = shared["inner"]["steps_done"]
        self.steps_done -= done  # its Trainer counts on from where the stage began
        self.trainer = self._begun(self.stages[number])
        self.steps_done += done
        assert self.trainer is not None
        self.trainer.load_state_dict({"shared": shared["inner"], "own": state["own"]})


def keep(staged: Staged, folder: Path, finish: Callable[[Path], None] = lambda model: None) -> None:
    """What the last stage has come to, in `folder/stages/NAME`: its record, its model, and the rows that it wrote.

    stage.json   its record                   data.jsonl   one row a line: `prompt`, `answer`, `demonstration`
    model        the policy, where it can be saved
    """
    record = staged.records[-1]
    place = folder / "stages" / record["stage"]
    place.mkdir(parents=True, exist_ok=True)
    (place / "stage.json").write_text(json.dumps(record, indent=1) + "\n")
    stage = next(one for one in staged.stages if one.name == record["stage"])
    if isinstance(stage, Regenerated):
        task = Written(stage.name, staged._task(stage), staged.written[stage.name])
        problems = [task.at(index) for index in range(task.size)]
        rows = [{"prompt": p.input, "answer": p.answer, "demonstration": p.demonstration} for p in problems]
        (place / "data.jsonl").write_text("".join(json.dumps(row, default=repr) + "\n" for row in rows))
    elif isinstance(staged.policy, Savable):
        save_model(staged.policy, place, finish)


def _exchanged(rows: list[list[Any]], runtime: Runtime) -> list[list[Any]]:
    """The rows of all processes, sent as the bytes of a line of JSON; so an answer is what JSON makes of it."""
    line = torch.tensor(list((json.dumps(rows, default=_unwritten) + "\n").encode()), dtype=torch.uint8)
    return [row for told in bytes(runtime.gather(line).tolist()).decode().splitlines() for row in json.loads(told)]


def _unwritten(output: Any) -> Any:
    raise UserError(f"a stage that writes data keeps texts and lists of numbers, and no {type(output).__name__}")
