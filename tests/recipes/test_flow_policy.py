"""A flow policy of one's own: its file, what is trained of it, and the command at full size."""

import inspect
import shlex

import pytest
import torch

from rlft.options.arguments import parse
from rlft.policies.flows.velocity import Foreign
from rlft.policies.stepwise.noise_rules import FlowNoise
from rlft.recipes.flow_policy import SMOKE, flow_policy
from rlft.recipes.pi_rl import CLAIM
from rlft.types import UserError

FILE = """
import torch


class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Linear(3 + 2 + 1, 2)

    def velocity(self, observation, actions, t):
        return self.body(torch.cat([observation, actions.flatten(1), t[:, None]], dim=1)).view_as(actions)


def load():
    return Mine()


def number():
    return 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_module_of_ones_own_is_trained(file):
    run = flow_policy(**SMOKE, flow=f"{file}:load", chunk=2, noise_at=0, noise="flow_noise", level=0.3, noisy="one")
    policy = run.trainer.policy
    assert isinstance(policy.net, Foreign) and policy.net.noise_at == 0 and policy.chunk == 2
    assert isinstance(policy.rule, FlowNoise) and (policy.rule.low, policy.rule.high) == (0.15, 0.3)
    before = [weight.clone() for weight in policy.net.policy.parameters()]
    assert run.trainer.step()["ratio/first"] <= 1e-6
    assert not any(torch.equal(a, b) for a, b in zip(before, policy.net.policy.parameters(), strict=True))
    assert run.deploy.policy is policy


def test_what_is_no_flow(file):
    with pytest.raises(UserError, match=r"mine.py has no function 'lod', did you mean 'load'|no function 'lod'"):
        flow_policy(**SMOKE, flow=f"{file}:lod")
    with pytest.raises(UserError, match=r"number returned 3; it should return a torch.nn.Module"):
        flow_policy(**SMOKE, flow=f"{file}:number")
    with pytest.raises(UserError, match="needs a Box of actions"):
        flow_policy(**{**SMOKE, "env": "CartPole-v1"})


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    assert words[:3] == ["rlft", "run", "flow_policy"]
    given = parse(flow_policy, words[3:], "rlft run flow_policy")
    assert given["method"].name == "ppo" and given["method"].settings["gamma"] == 0.99
    assert set(given) <= set(inspect.signature(flow_policy).parameters)
    assert given["noisy"] == "one" and given["chunk"] == 5
