"""The loop: problems → sample → reward → collect → credit → update. Knows no modality, no method, no file.

    step   = collect rollouts, credit them, then epochs x minibatches updates
    update = one optimiser step: losses add up over micro-batches and processes, and are divided once

A Trainer can be stopped after any update and its `state_dict` saved; another that is built the same way and loads it
goes on bit for bit, also inside a step.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from rlft.collect import one_batch
from rlft.memory import large, spared
from rlft.noise import hashed
from rlft.runtime.local import Local
from rlft.training.ahead import Ahead, Drawing
from rlft.training.checks import check as _check
from rlft.training.ledger import Ledger, Metrics
from rlft.training.loop import Loop
from rlft.training.optimizing import Masters, Optimizing
from rlft.training.paid import columns
from rlft.training.pending import as_state, from_state
from rlft.training.score import Scores, graded, score
from rlft.training.still import Start, frozen
from rlft.training.stream import Stream
from rlft.types import (
    HasValue,
    Measure,
    Method,
    Packing,
    Policy,
    Problem,
    Remote,
    Resumable,
    Reward,
    Rollouts,
    Runtime,
    Stateful,
    Task,
    Through,
    Update,
    UserError,
    untrained,
    visited,
)
from rlft.types.values import overlaid

# How many draws in a row may have no row that could be scored.
PATIENCE = 5


class Trainer(Loop):
    """One policy, one method, one task, one reward.

    policy, method, task, reward   see `rlft.types`
    prompts, group                 P problems a step, G rollouts of each
    rows                           rows in one forward pass of an update; None is all: memory, not results
    budget                         tokens in one, instead of `rows`: rows of like length go together (`types.Packing`)
    lr                             learning rate
    optimizing                     see `Optimizing`; its fields are taken by name too, `Trainer(…, max_grad_norm=0.5)`
    ahead                          steps that rows are drawn before their turn, see `training.ahead`; taken by name
    reference                      what the KL is measured to; by default the policy as it is now, if it is needed
    watch_kl                       keep a reference even if the method needs none, to log `kl`
    measures                       `(problems, outputs) -> {name: number}`, of every batch: what the reward cannot see
    """

    def __init__(
        self,
        policy: Policy,
        method: Method,
        task: Task,
        reward: Reward | None = None,
        *,
        prompts: int = 16,
        group: int = 8,
        rows: int | None = None,
        budget: int | None = None,
        lr: float = 1e-3,
        optimizing: Optimizing = Optimizing(),
        seed: int = 0,
        reference: Policy | None = None,
        watch_kl: bool = False,
        measures: Sequence[Measure] = (),
        runtime: Runtime | None = None,
        **told: Any,
    ):
        self.policy, self.method, self.task, self.reward = policy, method, task, reward
        self.prompts, self.group, self.rows, self.budget = prompts, group, rows, budget
        self.optimizing, drawing = overlaid(told, optimizing, Drawing())
        self.lr, self.seed, self.measures = lr, seed, measures
        # Called with each batch of rewarded rollouts and the reward's parts: a run logs samples so.
        self.seen: Callable[[int, Rollouts, Mapping[str, Tensor]], None] = lambda step, rollouts, parts: None
        self.runtime: Runtime = runtime or Local()
        self.ahead = Ahead(drawing.ahead, orderly=isinstance(reward, Stateful))
        _check(self)
        self.reference = reference or (frozen(policy) if method.reference or watch_kl else None)
        self.masters = Masters([weight for u in method.updates for weight in u.parameters(policy)])
        made, of = self.optimizing.optimizer, self.masters.of
        self.optimizers = {u.name: made(of(u.parameters(policy)), lr * u.lr) for u in method.updates}
        self.start = Start(method, policy, self.masters, self.optimizers)
        self.large = large(policy.parameters() if isinstance(policy, torch.nn.Module) else ())
        self.stream, self.ledger = Stream(task, seed), Ledger()
        self.steps_done, self.updates_done = 0, 0  # updates within the step
        self.pending: Rollouts | None = None
        self.notes: dict[str, float] = {}
        self.tally = torch.zeros(3, dtype=torch.long)  # of a draw: rows, those scored, their decisions

    def advance(self) -> Metrics | None:
        """The next piece of a step, collection or one update; the step's metrics once it is complete."""
        if self.pending is None:
            self.pending = self.credit(self.collect())
            self.start.back()
            return None
        with self.ledger.timed("update"), spared(self.large):
            for update in self.method.updates:
                if self.updates_done % update.every == 0:
                    self.minimise(update, self.minibatch(self.pending))
        self.updates_done += 1
        if self.updates_done < self.method.epochs * self.method.minibatches:
            return None
        self.steps_done, self.updates_done, self.pending = self.steps_done + 1, 0, None
        return {"step": self.steps_done, **self.ledger.close(self.runtime)}

    def collect(self) -> Rollouts:
        """This step's rollouts, rewarded. What cannot be scored at all is left, and the next problems are drawn.

        All processes decide so together; `UserError` after `PATIENCE` such draws.
        """
        for skipped in range(PATIENCE):
            self.notes.clear()
            self.tally.zero_()
            rollouts = (self.ahead if self.ahead.steps else self.method.collect or one_batch)(self)
            drawn, scored, decided = self.runtime.gather(self.tally[None]).sum(0).tolist()
            if drawn and not decided and not self.method.pathwise:
                raise UserError(
                    "no row has a decision of the policy's own, so nothing can be learned: is it deterministic?"
                )
            if scored or not drawn:
                self.ledger.note({**self.notes, **({"draws/skipped": skipped} if skipped else {})})
                return rollouts
            if self.runtime.rank == 0:
                warnings.warn(
                    f"step {self.steps_done + 1}: none of {drawn} rows could be scored; skipped", stacklevel=2
                )
        raise UserError(
            f"the reward could not score any of {drawn} rows, {PATIENCE} times in a row: try it with rlft check-reward"
        )

    @torch.no_grad()
    def draw(self, count: int) -> Rollouts:
        """This process's share of rollouts for the next `count` problems, rewarded."""
        return self._asked(self.stream.take(count))

    @torch.no_grad()
    def ask(self, places: Sequence[tuple[int, int]]) -> Rollouts:
        """This process's share of rollouts for the problems with these indices, each at a visit, rewarded."""
        return self._asked([visited(self.task, index, visit) for index, visit in places])

    def _asked(self, problems: Sequence[Problem]) -> Rollouts:
        return self.rewarded(self._rows(problems))

    @torch.no_grad()
    def drawn_ahead(self, count: int) -> Callable[[], Rollouts]:
        """What gives this process's share of rollouts for the next `count` problems, of the weights as they are."""
        problems = self.stream.take(count)
        if isinstance(self.runtime, Remote):
            return self.runtime.begun(self.policy, problems, self.group, self.seed)
        rollouts = self._rows(problems)
        return lambda: rollouts

    def _rows(self, problems: Sequence[Problem]) -> Rollouts:
        with self.ledger.timed("sample"):
            return self.runtime.sample(self.policy, problems, self.group, self.seed)

    @torch.no_grad()
    def resume(self, rollouts: Rollouts, at: Tensor, group: int) -> Rollouts:
        """`group` continuations of each of this process's rows from decision `at` [N] on, rewarded."""
        with self.ledger.timed("sample"), self.runtime.gathered():
            branches = cast(Resumable, self.policy).resume(rollouts, at, group, self.seed)
        place = rollouts.position[:, None] * group + torch.arange(group, device=rollouts.position.device)
        return self.rewarded(branches.place(place.flatten()))

    def rewarded(self, rollouts: Rollouts) -> Rollouts:
        """The rows with their rewards, measured and logged."""
        with self.ledger.timed("reward"):
            scores = self.judged(rollouts.problems, rollouts.outputs, rollouts.mask.shape[1])
        rollouts = self.paid(rollouts, scores, self.ledger, self.steps_done + 1)
        self.count(rollouts)
        return rollouts

    def judged(self, problems: Sequence[Problem], outputs: Any, decisions: int) -> Scores:
        """What the reward says of rows; it touches nothing else of the Trainer's."""
        if self.reward is None:
            raise UserError(f"method {self.method.name} learns from a reward, and none was given")
        reward = self.runtime.rewarded(self.reward) if isinstance(self.runtime, Remote) else self.reward
        return score(reward, problems, outputs, decisions)

    @torch.no_grad()
    def paid(self, rollouts: Rollouts, scores: Scores, ledger: Ledger, step: int) -> Rollouts:
        """The rows with these rewards, measured and logged as rows of this step."""
        rollouts = rollouts.fill(**columns(scores, self.policy, rollouts))
        ledger.rewards(rollouts, scores.parts)
        for measure in self.measures:
            ledger.measured(measure(rollouts.problems, rollouts.outputs), len(rollouts))
        self.seen(step, rollouts, scores.parts)
        return rollouts

    def count(self, rollouts: Rollouts) -> None:
        """Take rewarded rows into the account of this draw."""
        scored, decided = int(rollouts.rewards.isfinite().sum()), int(rollouts.mask.sum())
        self.tally += torch.tensor([len(rollouts), scored, decided])

    @torch.no_grad()
    def demonstrate(self, count: int) -> Rollouts:
        """This process's share of demonstrations of the next `count` problems."""
        rollouts = self._taught(self.stream.take(count))
        self.ledger.lengths(rollouts)
        return rollouts

    @torch.no_grad()
    def teach(self, indices: Sequence[int]) -> Rollouts:
        """This process's share of demonstrations of the problems with these indices."""
        return self._taught([self.task.at(index) for index in indices])

    def _taught(self, problems: Sequence[Problem]) -> Rollouts:
        with self.ledger.timed("sample"):
            rollouts = self.runtime.sample(_Demonstrator(self.policy), problems, 1, self.seed)
        self.ledger.demonstrated(rollouts)
        return rollouts.fill(rewards=torch.full((len(rollouts),), torch.nan, device=rollouts.mask.device))

    @torch.no_grad()
    def credit(self, rollouts: Rollouts) -> Rollouts:
        """Fill `logp_ref`, `values` and `advantages`; decisions with NaN advantages leave the mask."""
        with self.ledger.timed("credit"):
            if self.ahead.steps:
                self.ledger.add("version/lag", float(self.ahead.lag), 1.0)
            if self.method.drawn and self.ahead.lag:
                rollouts = self.proximal(rollouts)
            if self.reference is not None:
                rollouts = rollouts.fill(logp_ref=self.forward(self.reference.log_prob, rollouts))
                self.ledger.kl(rollouts)
            if self.method.critic:
                rollouts = rollouts.fill(values=self.forward(cast(HasValue, self.policy).value, rollouts))
            wide = rollouts.wide(self.method.advantage(rollouts, self.runtime))
            mask = rollouts.mask & ~wide["advantages"].isnan()
            rollouts = replace(rollouts, mask=mask).fill(**{n: torch.where(mask, c, 0) for n, c in wide.items()})
            self.ledger.advantages(rollouts)
        return rollouts

    def proximal(self, rollouts: Rollouts) -> Rollouts:
        """Rows of older weights with `logp_old` of the policy as it is; who drew them is left in `logp_drawn`."""
        drawn = {} if rollouts.has("logp_drawn") else {"logp_drawn": rollouts.logp_old}
        rollouts = replace(rollouts, logp_old=self.forward(self.policy.log_prob, rollouts)).fill(**drawn)
        self.ledger.mismatch(rollouts, "staleness")
        return rollouts

    def forward(self, column: Callable[[Rollouts], Tensor], rollouts: Rollouts) -> Tensor:
        """A column computed a few rows at a time, without gradient."""
        cuts = self.cuts(rollouts)
        parts = [column(batch) for batch in self.passes(rollouts, cuts)]
        if not parts:
            return torch.zeros_like(rollouts.logp_old)
        # Passes may take rows in any order, that of their lengths for instance; columns stand in the rollouts' own.
        order = torch.tensor([row for cut in cuts for row in cut], dtype=torch.long).argsort()
        return torch.cat(parts)[order.to(parts[0].device)]

    def minibatch(self, rollouts: Rollouts) -> Rollouts:
        """This process's rows of the update that is due: each epoch shuffles the groups and cuts them anew."""
        epoch, part = divmod(self.updates_done, self.method.minibatches)
        if self.method.minibatches == 1:
            return rollouts
        # Hashed from the place in the run, not drawn from a generator: a resumed step shuffles as the straight one did,
        # and every process the same.
        generator = torch.Generator().manual_seed(hashed("minibatches", self.seed, self.steps_done, epoch))
        order = torch.randperm(self.prompts, generator=generator)
        chosen = order.tensor_split(self.method.minibatches)[part]
        return rollouts[torch.isin(rollouts.position.cpu() // rollouts.group, chosen).nonzero()[:, 0]]

    def cuts(self, rollouts: Rollouts) -> list[list[int]]:
        """The rows of each forward pass: whole groups where the method compares their rows."""
        if self.budget is not None:
            return cast(Packing, self.policy).packed(rollouts, self.budget, self.method.whole_groups)
        size = self.rows or max(len(rollouts), 1)
        if self.method.whole_groups:
            size = max(size // rollouts.group, 1) * rollouts.group
        return [list(range(start, min(start + size, len(rollouts)))) for start in range(0, len(rollouts), size)]

    def passes(self, rollouts: Rollouts, cuts: Sequence[Sequence[int]]) -> list[Rollouts]:
        """These rows for each forward pass.

        Where the model is sharded every process takes as many passes as the busiest, with rows that decide nothing.
        """
        passes = [rollouts[cut] for cut in cuts]
        if self.runtime.lockstep:
            most = int(self.runtime.gather(torch.tensor([len(passes)])).max())
            spare = self.pending if self.pending is not None else rollouts
            silent = replace(spare[: rollouts.group], mask=torch.zeros_like(spare[: rollouts.group].mask))
            passes += [silent] * (most - len(passes))
        return passes

    def minimise(self, update: Update, batch: Rollouts) -> None:
        """One optimiser step. How the batch is cut into passes and processes does not change the gradient."""
        optimizer = self.optimizers[update.name]
        parameters = self.masters.of(update.parameters(self.policy))
        optimizer.zero_grad(set_to_none=True)
        # float64, so that how many passes there were cannot be seen in the sums that are logged.
        loss, weight = torch.zeros(2, dtype=torch.float64, device=batch.mask.device).unbind()
        through = (Through(graded(self.reward), self.reference),) if self.method.pathwise else ()
        for rows in self.passes(batch, self.cuts(batch)):
            total = update.loss(self.policy, rows, *through)
            # Sums and not means: gradients add up over passes, and over processes below, and are divided once. A mean
            # of means would make the size of a pass a hyper-parameter.
            total.sum.backward()
            self.masters.gather()
            loss, weight = loss + total.sum.detach(), weight + total.weight.detach()
            self.ledger.watch(total, first=self.updates_done == 0)
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        # A process whose rows had nothing for a parameter adds zeros: all must take part in the sum.
        self.runtime.sum_([*gradients, loss, weight])
        if weight == 0:  # nothing to learn from: momentum alone would still move the weights
            return
        norm = self.runtime.norm(gradients) / float(weight)
        scale = min(1.0, self.optimizing.max_grad_norm / max(norm, 1e-12)) / float(weight)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.mul_(scale)
        for group in optimizer.param_groups:
            group["lr"] = self.lr * update.lr * self.optimizing.schedule(self.steps_done)
        optimizer.step()
        # As large as the weights, and of no use while rows are drawn, which takes room of its own.
        optimizer.zero_grad(set_to_none=True)
        self.masters.write()
        self.ledger.update(update.name, loss, weight, norm)

    def state_dict(self) -> dict[str, Any]:
        """`shared`, the same on every process, and `own`, this process's part of a step that is under way.

        Weights that are not trained, as those of the model under an adapter, are not in it: they are what they were.
        """
        fixed = untrained(self.policy)
        self.settle()
        shared = {
            "policy": self.runtime.whole({n: w for n, w in self.policy.state_dict().items() if n not in fixed}),
            "optimizers": {name: self.runtime.whole(o.state_dict()) for name, o in self.optimizers.items()},
            "parts": {name: part.state_dict() for name, part in self.parts().items()},
            "masters": self.runtime.whole(self.masters.state_dict()),
            "stream": self.stream.state_dict(),
            "steps_done": self.steps_done,
            "updates_done": self.updates_done,
        }
        own = {"ledger": self.ledger.state_dict(), "pending": as_state(self.pending)}
        return {"shared": shared, "own": {**own, **({"ahead": self.ahead.state_dict()} if self.ahead.steps else {})}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of a Trainer that was built in the same way."""
        shared, own = state["shared"], state["own"]
        here = self.policy.state_dict()
        fixed = {name: here[name] for name in untrained(self.policy) & here.keys()}
        self.policy.load_state_dict(self.runtime.spread({**fixed, **shared["policy"]}, here))
        kept = shared.get("masters", {})  # checkpoints from before there were any have none
        self.masters.load_state_dict(self.runtime.spread(kept, self.masters.state_dict() if kept else {}))
        for name, optimizer in self.optimizers.items():
            # a copy: an optimiser takes the very tensors it is given
            optimizer.load_state_dict(copy.deepcopy(shared["optimizers"][name]))
            for parameter, moments in optimizer.state.items():
                optimizer.state[parameter] = self.runtime.spread(moments, dict.fromkeys(moments, parameter))
        for name, part in self.parts().items():
            part.load_state_dict(shared["parts"][name])
        self.stream.load_state_dict(shared["stream"])
        self.steps_done, self.updates_done = shared["steps_done"], shared["updates_done"]
        self.ledger.load_state_dict(own["ledger"])
        self.pending = from_state(own["pending"], self.task)
        self.ahead.load_state_dict(own.get("ahead", []), self.task, self.steps_done > 0 or self.pending is not None)

    def settle(self) -> None:
        """Wait for the rewards of rows that were drawn ahead: nothing goes on in the background then."""
        self.ahead.settle(self)

    def parts(self) -> dict[str, Stateful]:
        """The parts that remember something from step to step."""
        parts = {"advantage": self.method.advantage, "collect": self.method.collect, "reward": self.reward}
        return {name: part for name, part in parts.items() if isinstance(part, Stateful)}


class _Demonstrator:
    """A teachable policy seen as one that samples its teacher."""

    def __init__(self, policy: Any):
        self.policy = policy

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        return self.policy.demonstrate(problems, seed)
