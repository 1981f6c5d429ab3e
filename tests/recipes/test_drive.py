"""The stages of the recipe: equal rollouts for every arm, the group of each stage, phases that come round, numbers."""

import json
import re
from pathlib import Path

import pytest

from rlft.evidence.claim import defaults_of
from rlft.methods.grpo import grpo
from rlft.options import plan
from rlft.options.arguments import parse
from rlft.recipes.drive import CLAIM, by_stage, drive, planned
from rlft.recipes.stages import stages as staged
from rlft.rewards.text import label
from rlft.tasks.lists import Lists
from rlft.types import UserError
from rlft.worlds import World
from tests.jails import needs_jail

PAGE = Path(__file__).parents[2] / "docs" / "stages.md"
MADE = World(None, Lists(size=150), Lists(split="test", size=4), label())
DEFAULTS = {**defaults_of(drive), "method": grpo(beta=0.0)}
ARMS = [name for name in CLAIM.arms if name != "base"]


def stages(**told):
    return planned(MADE, {**DEFAULTS, **told})


def rollouts(stage):
    return stage.steps * stage.numbers["prompts"] * stage.numbers["group"]


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_has_as_many_updates_of_as_many_rollouts(arm):
    made = stages(**CLAIM.arms[arm].arguments)
    assert sum(stage.steps for stage in made) == DEFAULTS["steps"]
    assert {stage.numbers["prompts"] * stage.numbers["group"] for stage in made} == {512}
    assert sum(map(rollouts, made)) == DEFAULTS["steps"] * 512
    assert [stage.parent for stage in made] == ["base", *(stage.name for stage in made[:-1])]


def test_sixty_four_problems_of_eight_are_eight_of_sixty_four():
    uniform, hard = stages(prompts=64, group=8, many=64)
    assert (uniform.numbers["prompts"], uniform.numbers["group"]) == (64, 8)
    assert (hard.numbers["prompts"], hard.numbers["group"]) == (8, 64)
    assert 64 * 8 == 8 * 64 == hard.numbers["prompts"] * hard.numbers["group"]
    with pytest.raises(UserError, match="a step of 72 rollouts has no whole number of groups of 64"):
        stages(prompts=9)


def test_the_stages():
    def told(made):
        return [(stage.name, stage.method.name, stage.task.name, stage.task.size, stage.steps) for stage in made]

    uniform, hard = ("uniform", "grpo", "lists-12345", 150), ("hard", "pre_grpo", "lists-12345", 24)
    few = {"steps": 20, "share": 0.4, "hard": 24}
    assert told(stages(**few)) == [(*uniform, 8), (*hard, 12)]
    assert told(stages(**few, order="reversed")) == [(*hard, 12), (*uniform, 8)]
    assert told(stages(**few, order="uniform")) == [(*uniform, 20)]
    assert [stage.numbers["lr"] for stage in stages(lr=1e-3, hard_lr=0.25)] == [1e-3, 2.5e-4]
    settings = stages(**few, phases=2, below=0.25)[1].method.settings
    assert (settings["phase"], settings["phases"], settings["below"]) == (6, 2, 0.25)
    assert [stage.steps for stage in stages(steps=0)] == [1] and [s.steps for s in stages(steps=2)] == [1, 1]
    problems = [stages(**few)[1].task.at(index) for index in range(24)]
    assert {problem.columns["level"] for problem in problems} == {4, 5}
    asked = [problem.input for problem in map(MADE.train.at, range(150)) if problem.columns["level"] in (4, 5)]
    assert [problem.input for problem in problems] == asked[:24]
    # Two runs of one claim in one process must not share what a curriculum remembers.
    assert stages()[1].method.collect is not stages()[1].method.collect


def test_the_first_phase_comes_to_every_hard_problem():
    for arm in ("drive", "small", "reversed"):
        hard = next(stage for stage in stages(**CLAIM.arms[arm].arguments) if stage.name == "hard")
        assert hard.method.settings["phase"] * hard.numbers["prompts"] >= hard.task.size
        assert hard.method.settings["phase"] * hard.method.settings["phases"] <= hard.steps


def test_what_is_read_off():
    lines = [{"entropy": e, "groups/flat": 0.75} for e in (0.5, 0.3, 0.2, 0.1)]
    lines += [{"entropy": 0.4, "focus/informative": i, "focus/problems": n} for i, n in ((0.5, 40), (1.0, 12))]
    found = by_stage(lines, [])
    assert found == {"entropy-change": pytest.approx(-0.35), "informative": 0.75, "kept": 12}
    assert by_stage(lines[:4], []) == {"entropy-change": pytest.approx(-0.35)}
    assert by_stage([], []) == {}


@needs_jail
def test_the_command_at_full_size_has_the_same_stages(tmp_path, monkeypatch):
    """The plan of the page about stages, on files of one row."""
    monkeypatch.chdir(tmp_path)
    row = {"prompt": "Add.", "input_output": {"inputs": ["1 2"], "outputs": ["3"]}}
    for name in ("problems", "hard"):
        Path(f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    Path("drive.toml").write_text(next(block for block in blocks if "drive.toml" in block))
    command = CLAIM.real.split()
    assert command[:3] == ["rlft", "run", "stages"]
    given = parse(staged, command[3:], "rlft run stages")
    read, ours = plan.read(given["plan"]), stages(prompts=64)
    for stage, own in zip(read, ours, strict=True):
        assert (stage.name, stage.parent, stage.method.name) == (own.name, own.parent, own.method.name)
        assert [stage.numbers[name] for name in ("prompts", "group")] == [
            own.numbers[name] for name in ("prompts", "group")
        ]
    said = read[1].reward([read[1].task.at(0)], ["```python\nprint(sum(map(int, input().split())))\n```"])
    assert said.tolist() == [1.0]
