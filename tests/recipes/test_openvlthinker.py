"""The rounds of the recipe: whose weights and whose data each stage begins with, equal totals, what is read off."""

import json
import re
from pathlib import Path

import pytest

from rlft.methods.grpo import grpo
from rlft.options import plan
from rlft.options.arguments import parse
from rlft.recipes.openvlthinker import CLAIM, by_round, planned
from rlft.recipes.stages import stages as staged
from rlft.rewards.text import concluded
from rlft.runs.stages import Learned, Regenerated, check
from rlft.tasks.priced import priced
from rlft.tasks.shapes import Shapes
from rlft.worlds import World
from rlft.worlds.reasoned import Captioned

PAGE = Path(__file__).parents[2] / "docs" / "stages.md"
SOLVED = Captioned(Shapes("reasoned", priced(), size=40), 0.3)
MADE = World(None, SOLVED, SOLVED.whole, concluded())
NUMBERS = {"prompts": 16, "group": 8, "lr": 1e-4, "rows": None, "method": grpo(beta=0.01)}
NUMBERS |= {"turns": 3, "imitated": 0.25, "again": "base", "writer": "last", "samples": 4, "traces": 32, "sft_lr": 2e-3}


def stages(steps=180, **told):
    made = planned(MADE, {**NUMBERS, **told, "steps": steps})
    check(made)
    return made


def told(made):
    return [
        (stage.name, stage.parent, stage.task if isinstance(stage.task, str) else stage.task.size) for stage in made
    ]


def test_rounds_from_the_base():
    made, some = stages(), SOLVED.size
    assert some < 40 == SOLVED.whole.size
    assert told(made) == [
        ("sft-1", "base", some), ("rl-1", "sft-1", 40),
        ("own-2", "rl-1", 40), ("sft-2", "base", "own-2"), ("rl-2", "sft-2", 40),
        ("own-3", "rl-2", 40), ("sft-3", "base", "own-3"), ("rl-3", "sft-3", 40),
    ]  # fmt: skip
    own = made[2]
    assert isinstance(own, Regenerated) and (own.samples, own.most, own.right) == (4, 1, 1.0)
    learned = [stage for stage in made if isinstance(stage, Learned)]
    assert [(stage.method.name, stage.steps) for stage in learned] == [("sft", 15), ("grpo", 45)] * 3
    assert [(stage.numbers["lr"], stage.numbers["prompts"]) for stage in learned] == [(2e-3, 32), (1e-4, 16)] * 3


def test_other_rounds():
    assert [parent for _, parent, _ in told(stages(again="last"))][2:] == [
        "rl-1", "rl-1", "sft-2", "rl-2", "rl-2", "sft-3"
    ]  # fmt: skip
    some = SOLVED.size
    by_the_reasoner = [("sft-1", "base", some), ("rl-1", "sft-1", 40), ("sft-2", "base", some), ("rl-2", "sft-2", 40)]
    assert told(stages(turns=2, writer="reasoner")) == by_the_reasoner
    assert told(stages(turns=1, imitated=0.0)) == [("rl-1", "base", 40)]
    assert told(stages(turns=1, imitated=1.0)) == [("sft-1", "base", some)]
    assert [stage.steps for stage in stages(steps=8, turns=2, writer="reasoner")] == [1, 3, 1, 3]
    assert [stage.steps for stage in stages(steps=0, turns=1)] == [1]


@pytest.mark.parametrize("arm", [name for name in CLAIM.arms if name != "base"])
def test_every_arm_has_as_many_updates_of_as_many_problems(arm):
    made = [stage for stage in stages(48, **CLAIM.arms[arm].arguments) if isinstance(stage, Learned)]
    assert sum(stage.steps for stage in made) == 48
    assert {stage.numbers["prompts"] for stage in made} <= {16, 32}


def test_what_is_read_off_a_run():
    """Imitation, reinforcement learning, a step that writes; and again."""
    stages_of_steps = [1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 5, 6, 7, 8]
    metrics = [
        {"step": step, "stage": stage, "rows/demonstrated": 4 * (stage in (1, 4, 7))}
        | ({"rows/kept": 2} if stage in (3, 6) else {})
        for step, stage in enumerate(stages_of_steps, 1)
    ]
    after = {0: 0.125, 2: 0.25, 5: 0.5, 8: 0.75, 11: 0.625, 13: 0.875, 14: 1.0}
    evaluations = [{"step": step, "reward": value} for step, value in after.items()]
    assert by_round(metrics, evaluations) == {
        "taught-1": 0.25, "taught-2": 0.75, "taught-3": 0.875, "more-taught": 0.625,
        "round-1": 0.5, "round-2": 0.625, "round-3": 1.0, "more-round": 0.5,
    }  # fmt: skip
    assert by_round([], evaluations[:1]) == {}
    assert by_round(metrics[:2], evaluations[:2]) == {"taught-1": 0.25}


def test_the_command_at_full_size_has_the_same_rounds(tmp_path, monkeypatch):
    """The plan of the page about stages, on files of one row."""
    monkeypatch.chdir(tmp_path)
    row = {"prompt": "1 + 1?", "answer": "2", "demonstration": "<think>1 and 1</think>2<answer>2</answer>"}
    for name in ("traces", "train"):
        Path(f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    (text,) = (
        block for block in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "rounds.toml" in block
    )
    Path("rounds.toml").write_text(text)
    command = CLAIM.real.split()
    assert command[:3] == ["rlft", "run", "stages"]
    given = parse(staged, command[3:], "rlft run stages")
    assert given["model"] == "Qwen/Qwen2.5-VL-7B-Instruct"
    read, ours = plan.read(given["plan"]), stages()
    assert [(stage.name, stage.parent) for stage in read] == [(stage.name, stage.parent) for stage in ours]
    for stage, own in zip(read, ours, strict=True):
        assert type(stage) is type(own) and (stage.task == own.task or not isinstance(own.task, str))
        if isinstance(stage, Learned):
            assert stage.method.name == own.method.name and stage.method.settings == own.method.settings
    (half,) = read[1].reward([read[1].task.at(0)], ["<think>1 and 1</think><answer>2</answer>"]).tolist()
    assert half == 0.5
