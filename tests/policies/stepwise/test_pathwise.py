"""Steps that are taken again: the same states, from anywhere, and what the network says at them.

Gradients by hand are in tests/methods/test_draft.py, pipelines in tests/policies/pipelines/test_pipeline_gradient.py.
"""

import pytest
import torch

from rlft.policies.stepwise.noise_rules import ddpm, ode
from rlft.types import Pathwise
from tests.policies.stepwise.toy_diffusion import learned_noise, problems, small


@pytest.mark.parametrize("rule", [ddpm(), ode(), learned_noise((2, 3))])
def test_steps_taken_again_are_the_steps(rule):
    """To the last bit, in any cut of the rows, whatever the noise is, in the type of the weights."""
    policy = small((2, 3), noise=0.3, rule=rule, block=4)
    rollouts = policy.sample(problems(0, 1, None), 2, seed=1)
    since = torch.tensor([0, 1, 2, 3, 4, 0])
    assert isinstance(policy, Pathwise)
    assert torch.equal(policy.redrawn(rollouts, since), rollouts.outputs)
    alone = [policy.redrawn(rollouts[[row]], since[[row]]) for row in range(6)]
    assert torch.equal(torch.cat(alone), rollouts.outputs)


def test_what_is_said_and_predicted_is_that_of_each_step():
    policy = small((2, 3), dtype=torch.float64, noise=0.3, guidance=3.0, block=4)
    rollouts = policy.sample(problems(0, 1), 1, seed=1)
    since, states, label = torch.tensor([1, 3]), rollouts.trace["states"], rollouts.trace["condition"]
    said = policy.predicted(rollouts, since)
    for row in range(2):
        for k in range(4):
            t = policy.times[k].expand(1)
            expected = policy.output(states[row : row + 1, k], t, label[row : row + 1])[0]
            expected = expected if k >= since[row] else torch.zeros_like(expected)
            torch.testing.assert_close(said[row, k], expected, rtol=0, atol=1e-12)
    foreseen = policy.foreseen(rollouts, since)
    for row in range(2):
        at = policy.times[since[row]].expand(1)
        clean, _ = policy.predict(states[row : row + 1, since[row]], at, label[row : row + 1])
        torch.testing.assert_close(foreseen[row : row + 1], clean, rtol=0, atol=1e-12)


def test_earlier_steps_have_no_graph_and_are_not_drawn_again():
    """The network is asked once for each of the last K steps, and the first state that it reads needs no gradient."""
    policy, asked = small((2, 3), block=4), []
    rollouts = policy.sample(problems(0, 1), 1, seed=1)
    policy.denoiser.register_forward_pre_hook(lambda module, given: asked.append(given[0].requires_grad))
    policy.redrawn(rollouts, torch.tensor([2, 2]))
    assert asked == [False, True]
    assert not any(value.requires_grad for value in rollouts.trace.values())
