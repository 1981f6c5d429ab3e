"""Stages: in order, from the weights that are named, checked; killed anywhere they go on bit for bit."""

import copy
import json
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.models.fingerprint import fingerprint
from rlft.models.soup import average
from rlft.runs.drive import Run, drive
from rlft.runs.folder import Cadence, begin
from rlft.runs.lock import held
from rlft.runs.staged import Staged
from rlft.runs.stages import Learned, Merged, Regenerated
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Table, share

TASK, OTHER = Cards(size=16), Cards(size=8)
NUMBERS = {"prompts": 4, "group": 4, "lr": 0.05, "watch_kl": True}
RIGHT = 2 / 3


def plan(rl=3):
    """Imitation, rows of one's own, imitation of these from the base, RL, and the mean of two."""
    return [
        Learned("sft", "base", sft(), TASK, steps=4, numbers={"prompts": 4, "lr": 0.1}),
        Regenerated("own", "sft", TASK, share, samples=6, problems=10, prompts=4, right=RIGHT, most=2),
        Learned("again", "base", sft(), "own", steps=2, numbers={"prompts": 4, "lr": 0.1}),
        Learned("rl", "again", grpo(beta=0.1), TASK, share, steps=rl, numbers=NUMBERS),
        Merged("mean", {"sft": 1.0, "rl": 3.0}),
    ]


def staged(stages=None, seed=5):
    return Staged(Table(), stages or plan(), seed=seed)


@pytest.fixture(scope="module")
def straight():
    """All of the plan in one go, what each step logged, and the weights after each."""
    trainer, weights, lines = staged(), [], []
    while trainer.steps_done < trainer.steps:
        lines.append(trainer.step())
        weights.append({n: w.clone() for n, w in trainer.policy.state_dict().items()})
    return trainer, lines, weights


def test_the_order_and_what_each_has_spent(straight):
    trainer, lines, weights = straight
    assert [line["stage"] for line in lines] == [1] * 4 + [2] * 3 + [3] * 2 + [4] * 3 + [5]
    assert [line["step"] for line in lines] == list(range(1, 14))
    told = [
        (r["stage"], r["kind"], r["steps"], r["updates"], r["rows/drawn"], r["rows/demonstrated"])
        for r in trainer.records
    ]
    assert told == [
        ("sft", "learned", 4, 4, 0, 16),
        ("own", "regenerated", 3, 0, 60, 0),  # six answers to ten problems
        ("again", "learned", 2, 2, 0, 8),
        ("rl", "learned", 3, 3, 48, 0),
        ("mean", "merged", 1, 0, 0, 0),
    ]
    hashes = {"base": fingerprint(Table().state_dict())} | {r["stage"]: r["hash"] for r in trainer.records}
    ends = {"sft": 3, "own": 6, "again": 8, "rl": 11, "mean": 12}
    assert all(hashes[name] == fingerprint(weights[place]) for name, place in ends.items())
    assert hashes["own"] == hashes["sft"] and len(set(hashes.values())) == 5
    parents = {"sft": ["base"], "own": ["sft"], "again": ["base"], "rl": ["again"], "mean": ["sft", "rl"]}
    assert [r["parents"] for r in trainer.records] == [{p: hashes[p] for p in names} for names in parents.values()]
    mixed = {n: (weights[3][n] + 3 * weights[11][n]) / 4 for n in weights[0]}
    assert_close(weights[12], mixed)


def test_a_stage_alone_is_its_trainer(straight):
    _, _, weights = straight
    trainer = Trainer(Table(), sft(), TASK, prompts=4, lr=0.1, seed=5)
    list(trainer.run(4))
    assert all(torch.equal(w, weights[3][n]) for n, w in trainer.policy.state_dict().items())


def test_the_kl_of_a_stage_is_to_what_it_began_with(straight):
    _, lines, _ = straight
    assert lines[9]["kl"] == 0 and lines[10]["kl"] != 0


def test_a_later_stage_meets_its_problems_in_another_order():
    twice = [Learned(name, "base", sft(), TASK, steps=1, numbers={"prompts": 8}) for name in ("a", "b")]
    trainer, asked = staged(twice), []
    for _ in twice:
        trainer.advance()
        asked.append([problem.index for problem in trainer.trainer.pending.problems])
        trainer.advance()
    assert asked[0] != asked[1] and len({*asked[0]}) == len({*asked[1]}) == 8


def test_kept_rows_are_right_and_each_is_kept_once(straight):
    trainer, lines, _ = straight
    rows = trainer.written["own"]
    assert all(share([TASK.at(index)], [answer])[0] >= RIGHT for index, answer in rows)
    assert (
        len({(index, tuple(answer)) for index, answer in rows})
        == len(rows)
        == sum(x.get("rows/kept", 0) for x in lines)
    )
    counts = [sum(row[0] == index for row in rows) for index in range(16)]
    assert max(counts) == 2 and sum(count > 0 for count in counts) <= 10
    task = trainer._task(trainer.stages[2])
    problem = task.at(3)
    assert (problem.index, problem.task, problem.demonstration) == (3, "own", rows[3][1])
    assert problem.answer == TASK.at(rows[3][0]).answer and task.size == len(rows)


def test_of_equal_answers_to_a_problem_one_is_kept():
    trainer = staged([Regenerated("own", "base", OTHER, share, samples=64, right=RIGHT)])
    found = set()
    trainer.seen = lambda step, rows, parts: found.update(
        (problem.index, tuple(output))
        for problem, output, reward in zip(rows.problems, rows.outputs, rows.rewards.tolist(), strict=True)
        if reward >= RIGHT
    )
    (line,) = trainer.run(1)
    assert sorted((index, tuple(answer)) for index, answer in trainer.written["own"]) == sorted(found)
    assert line["rows/drawn"] == 8 * 64 and line["rows/kept"] == len(found) < line["reward"] * 8 * 64


def test_a_filter_has_a_say_and_nothing_kept_is_said():
    asked = []
    stages = plan()[:3]
    stages[1] = Regenerated("own", "sft", TASK, share, right=RIGHT, keep=lambda p, o: bool(asked.append((p, o))))
    trainer = staged(stages)
    with pytest.raises(UserError, match="'own' kept none of its answers, so 'again' has nothing to learn from"):
        list(trainer.run(99))
    assert asked and all(share([problem], [output])[0] >= RIGHT for problem, output in asked)


# Of 22 pieces: eight of imitation, three that write, four, six of RL, and the mean.
@pytest.mark.parametrize("at", [1, 8, 9, 11, 13, 15, 18, 21])
def test_stopped_after_any_piece_it_goes_on_bit_for_bit(straight, at):
    """Between stages and inside each: the state goes through a file, a new policy is built."""
    whole, lines, weights = straight
    trainer = staged()
    said = [line for _ in range(at) if trainer.steps_done < 13 and (line := trainer.advance())]
    state = copy.deepcopy(trainer.state_dict())
    assert state["shared"]["steps_done"] == len(said)
    again = staged()
    again.load_state_dict(state)
    drawn: list[int] = []
    again.seen = lambda step, rollouts, parts: drawn.append(step)
    pending = state["own"]["pending"] is not None  # rows that are drawn already
    expected = [step for step in (5, 6, 7, 10, 11, 12) if step > len(said) + pending]
    said += again.run(13)
    assert drawn == expected
    assert [timeless(line) for line in said] == [timeless(line) for line in lines]
    assert all(torch.equal(w, weights[12][n]) for n, w in again.policy.state_dict().items())
    assert again.records == whole.records and again.written == whole.written


def timeless(line):
    return {n: v for n, v in line.items() if not n.startswith(("seconds", "decisions_per"))}


def test_weights_that_are_not_the_parents_are_refused():
    trainer = staged()
    for _ in range(4):
        trainer.step()
    trainer.kept["sft"]["logits"][0, 0, 0] += 1
    with pytest.raises(UserError, match="not those that 'sft' ended with"):
        trainer.advance()
    changed = staged(plan()[:1])
    with torch.no_grad():
        changed.policy.logits.zero_()
    with pytest.raises(UserError, match="not those that 'base' ended with"):
        changed.advance()


def test_a_plan_or_base_that_has_changed_is_refused():
    trainer = staged()
    for _ in range(8):
        trainer.step()
    state = trainer.state_dict()
    with pytest.raises(UserError, match="the base is not the one"):
        Staged(Table(seed=1), plan(), seed=5).load_state_dict(state)
    edited = plan()
    edited[1] = Regenerated("own", "sft", TASK, share, samples=7, problems=10, prompts=4, right=RIGHT, most=2)
    with pytest.raises(UserError, match="stage 'own' is not what it was"):
        staged(edited).load_state_dict(state)
    staged(plan(rl=9)).load_state_dict(state)  # what has not begun may still be changed


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ([], "one at least"),
        ([Learned("a", "b", sft(), TASK), Learned("b", "base", sft(), TASK)], "'a' begins .* unknown parent 'b'"),
        ([Learned("a", "base", sft(), TASK), Learned("a", "base", sft(), TASK)], "one of this name already"),
        ([Learned("base", "base", sft(), TASK)], "the base is called 'base'"),
        ([Learned("a/b", "base", sft(), TASK)], "names a folder"),
        ([Learned("a", "base", sft(), "own")], "unknown stage 'own'"),
        ([Learned("a", "base", sft(), TASK, steps=0)], "steps must be at least 1; got 0"),
        ([Regenerated("a", "base", TASK, share, samples=0)], "samples must be at least 1; got 0"),
        ([Merged("a", {"base": 0.5, "c": 0.5})], "unknown parent 'c'"),
        ([Merged("a", {"base": 0.0})], "some above 0"),
    ],
)
def test_stages_that_cannot_be_run_are_refused(stages, told):
    with pytest.raises(UserError, match=told):
        Staged(Table(), stages)


def test_an_average():
    one = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)}
    two = {"w": torch.tensor([5.0, 0.0]), "n": torch.tensor(4)}
    assert_close(average([(one, 0.25), (two, 0.75)]), {"w": torch.tensor([4.0, 0.5]), "n": torch.tensor(3)})
    with pytest.raises(UserError, match="other names"):
        average([(one, 0.5), ({"w": two["w"]}, 0.5)])


def driven(folder, stages=None):
    trainer = staged(stages)
    run = Run(trainer, trainer.steps, Cards(size=4), reward=share, at=trainer.ends[1:])
    with held(folder):
        if not (folder / "run.json").exists():
            begin(folder, {"recipe": "stages"})
        return drive(run, folder, Cadence(save=100, samples=5), quiet=True, page=False)


class Killed(BaseException):
    """As a process that is killed: nothing that catches errors sees it."""


def test_a_killed_run_goes_on_from_the_last_stage_and_its_folders_say_what_was_done(tmp_path, monkeypatch, straight):
    """Checkpoints are those of stages' ends alone here; the files are those of a run that was not killed."""
    whole, _, _ = straight
    driven(tmp_path / "whole")
    step = Staged.advance

    def failing(trainer):
        if trainer.steps_done == 10:
            raise Killed
        return step(trainer)

    monkeypatch.setattr(Staged, "advance", failing)
    with pytest.raises(Killed):
        driven(tmp_path / "run")
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000007", "step-000009"]
    monkeypatch.undo()
    driven(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.rmtree(tmp_path / "whole" / "checkpoints")
    files = {p.relative_to(tmp_path / "run") for p in (tmp_path / "run").rglob("*.json*")} - {Path("run.json")}
    assert files >= {Path("stages") / name / "stage.json" for name in ("sft", "own", "again", "rl", "mean")}
    for file in files:
        told, expected = ((tmp_path / name / file).read_text().splitlines() for name in ("run", "whole"))
        if file.name == "stage.json":
            assert told == expected
            assert json.loads("".join(told)) == next(r for r in whole.records if r["stage"] == file.parent.name)
        else:
            assert [timeless(json.loads(x)) for x in told] == [timeless(json.loads(x)) for x in expected]
    rows = [json.loads(x) for x in (tmp_path / "run/stages/own/data.jsonl").read_text().splitlines()]
    assert [row["demonstration"] for row in rows] == [answer for _, answer in whole.written["own"]]
    evaluated = [json.loads(x)["step"] for x in (tmp_path / "run/evaluations.jsonl").read_text().splitlines()]
    assert evaluated == [0, 7, 9, 12, 13]  # before, where stages ended but the first, after


def test_rows_drawn_ahead_end_with_their_stage():
    """The next begins with rows of its own, and nothing is asked of a reward behind them."""
    asked = []

    def slow(problems, outputs):
        asked.append(len(outputs))
        time.sleep(0.02)
        return share(problems, outputs)

    def begun(reward):
        numbers = {**NUMBERS, "ahead": 1}
        return staged([Learned(n, "base", grpo(), TASK, reward, steps=3, numbers=numbers) for n in ("one", "two")])

    trainer = begun(slow)
    lines = list(trainer.run(3))
    assert trainer.between and asked == [16] * 4
    assert not [thread for thread in threading.enumerate() if thread.name == "rlft-reward"]
    state = copy.deepcopy(trainer.state_dict())
    lines += trainer.run(6)
    assert [line["version/lag"] for line in lines] == [0, 1, 1, 0, 1, 1]
    other = begun(slow)
    other.load_state_dict(state)
    assert [line["reward"] for line in other.run(6)] == [line["reward"] for line in lines[3:]]
