"""Samplers of Ray give the numbers of one process: also when one dies in the middle, when one is slow, drawn ahead.

One start for all: without Ray they are skipped, but for what needs none.
"""

import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages.correction import decoupled
from rlft.methods.grpo import grpo
from rlft.options.calls import function_in
from rlft.runtime.local import Local
from rlft.runtime.ray import Ray, packed, unpacked
from rlft.training.trainer import Trainer
from rlft.types import Remote, UserError
from tests.fakes import Cards, Table, agreement
from tests.pairs import table_trainer

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here: pip install 'rlft[ray]'")
slow = [pytest.mark.slow, needs_ray, pytest.mark.xdist_group("ray")]


class Troubled(Table):
    """In a process of its own it takes notes in a folder; the first to draw in one called `deadly` is killed by it,
    and in one called `slow` it dawdles from then on."""

    def __init__(self, folder: Path):
        super().__init__(critic=False)
        self.folder, self.home = str(folder), os.getpid()

    def sample(self, problems, group, seed):
        if os.getpid() != self.home:
            mine = Path(self.folder) / str(os.getpid())
            try:
                (Path(self.folder) / "first").touch(exist_ok=False)
                if "deadly" in self.folder:
                    os.kill(os.getpid(), signal.SIGKILL)
                mine.touch()
            except FileExistsError:
                pass
            time.sleep(0.15 if mine.exists() and mine.read_text() == "" else 0.05)
            with mine.with_suffix(".rows").open("a") as notes:
                notes.write(f"{len(problems) * group}\n")
        return super().sample(problems, group, seed)


def trained(policy, runtime=None, ahead=0, reward=agreement):
    method = decoupled(grpo(beta=0.1)) if ahead else grpo(beta=0.1)
    t = Trainer(policy, method, Cards(), reward, prompts=5, group=4, lr=0.1, runtime=runtime, ahead=ahead)
    log = list(t.run(3))
    t.settle()
    timeless = [{k: v for k, v in m.items() if not k.startswith(("seconds", "decisions_per"))} for m in log]
    return torch.cat([p.detach().flatten() for p in policy.parameters()]), timeless


def same(one, other):
    assert_close(one[0], other[0], atol=1e-9, rtol=0)
    for here, there in zip(one[1], other[1], strict=True):
        assert_close([here[k] for k in here], [there[k] for k in here], atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("trouble", "ahead"), [pytest.param("slow", 0, marks=slow), pytest.param("deadly", 2, marks=slow)]
)
def test_it_gives_the_numbers_of_one_process(ray, tmp_path, trouble, ahead):
    """The rows were drawn elsewhere, by both, and with the weights of their step."""
    folder = tmp_path / trouble
    folder.mkdir()
    before = set(ray.samplers.actors)
    same(trained(Table(critic=False), ahead=ahead), trained(Troubled(folder), ray, ahead))
    drawn = {path.stem: sum(map(int, path.read_text().split())) for path in folder.glob("*.rows")}
    assert sum(drawn.values()) == (3 + ahead) * 20 and str(os.getpid()) not in drawn
    if trouble == "deadly":
        assert len(set(ray.samplers.actors) - before) == 1, "one was killed, and replaced"
    else:
        slowest = next(path.name for path in folder.iterdir() if path.name.isdigit())
        assert drawn[slowest] < sum(drawn.values()) / 2, "a slow one draws less"


@pytest.mark.slow
@needs_ray
@pytest.mark.xdist_group("ray")
def test_rewards_are_given_elsewhere(ray, tmp_path):
    """One of a file that no other process can import; what it raises is raised here."""
    (tmp_path / "mine.py").write_text(
        "import os\n\ndef where(problems, outputs):\n    return [float(os.getpid())] * len(outputs)\n\n"
        "def fails(problems, outputs):\n    raise ZeroDivisionError('by nothing')\n"
    )
    assert isinstance(ray, Remote)
    found = ray.rewarded(function_in(tmp_path / "mine.py", "where"))([Cards().at(0)], [None])
    assert len(found) == 1 and found[0] != os.getpid()
    with pytest.raises(ZeroDivisionError, match="by nothing"):
        ray.rewarded(function_in(tmp_path / "mine.py", "fails"))([Cards().at(0)], [None])
    remembers = torch.nn.Linear(1, 1)
    assert ray.rewarded(remembers) is remembers


@pytest.mark.slow
@needs_ray
@pytest.mark.xdist_group("ray")
def test_weights_go_out_once_and_only_those_that_learn(ray):
    import ray as library

    policy = Table()
    policy.critic.requires_grad_(False)
    first = ray._weights(policy)
    assert library.get(first[1]).keys() == {"logits"}
    assert ray._weights(policy)[0] == first[0]
    with torch.no_grad():
        policy.logits.add_(1)
    assert ray._weights(policy)[0] != first[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_tensors_come_back_as_they_were(dtype):
    value = torch.tensor([[1.5, 0.0], [-2.25, 3.0]]).to(dtype)
    sent = packed(value)
    sent[1].flags.writeable = False  # as it is in shared memory
    back = unpacked(sent)
    assert back.dtype == dtype and torch.equal(back, value)
    back[0, 0] = 0
    assert unpacked(packed("roles")) == "roles"


def test_without_ray_it_says_what_is_needed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UserError, match=r"--ray needs Ray: pip install 'rlft\[ray\]'"):
        Ray()
    with pytest.raises(UserError, match="at least 1; got 0"):
        Ray(samplers=0)


def test_roles_cannot_be_exchanged_elsewhere():
    class Elsewhere(Local):
        """A runtime that draws elsewhere, as far as it is asked before anything runs."""

        begun = rewarded = close = Local.sum_

    with pytest.raises(UserError, match="method cory trains two that exchange roles"):
        table_trainer(runtime=Elsewhere())
