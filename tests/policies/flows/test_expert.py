"""What an action expert reads and how it decodes, by hand; that it learns, and that nothing it reads learns from it."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.flows.expert import ActionExpert, minds
from rlft.policies.language.policy import Language
from rlft.types import Problem, UserError
from tests.policies.perception.families import qwen_vl


def model():
    tokenizer = character_tokenizer("abcdef")
    return Language(small_llama(len(tokenizer), width=16, layers=2, heads=2, context=32).double(), tokenizer)


def lessons(policy, *pairs):
    return policy.lessons([Problem(i, ask, say) for i, (ask, say) in enumerate(pairs)])


def test_a_constant_velocity_is_followed_for_a_unit_of_time():
    """x_0 = x_1 - v, in one step or in ten, and within ±1."""
    for steps in (1, 10):
        expert = ActionExpert(3, (2, 2), steps=steps, width=4, layers=1)
        with torch.no_grad():
            expert.net.weights[-1].zero_()
            expert.net.biases[-1].copy_(torch.tensor([0.5, -0.25, 0.0, 3.0]))
        found = expert.decode(torch.randn(1, 3), torch.tensor([[[1.0, 0.5], [0.25, 0.0]]]))
        assert_close(found, torch.tensor([[[0.5, 0.75], [0.25, -1.0]]]))


def test_it_learns_what_a_state_says_and_the_state_does_not():
    state = torch.randn(512, 3, generator=torch.Generator().manual_seed(1)) * 5 + 7
    action = torch.stack([state[:, 0] > 7, state[:, 1] > 7], 1)[:, None].float() * 1.2 - 0.6
    expert = ActionExpert(3, (1, 2), width=32, layers=2)
    expert.standardise(state)
    assert_close(expert.mean, state.mean(0))
    asked = state.clone().requires_grad_()
    expert.loss(asked, action, torch.Generator().manual_seed(0)).backward()
    assert asked.grad is None and expert.net.weights[0].grad.abs().sum() > 0
    before = expert.fit(state, action, 1)
    after = expert.fit(state, action, 500, batch=64)
    assert after < before / 2
    drawn = expert.decode(state, torch.randn(512, 1, 2, generator=torch.Generator().manual_seed(2)))
    assert ((drawn > 0) == (action > 0)).float().mean() > 0.85
    assert (expert.decode(state, 0 * drawn) == expert.decode(state, 0 * drawn)).all()


def test_minds_are_all_layers_at_the_last_token_and_on_average():
    policy = model()
    rows = lessons(policy, ("abc", "def"), ("a", "fe"))
    found = minds(policy, rows, torch.tensor([2, 0]))
    assert found.shape == (2, 2 * 3 * 16)
    tokens = [policy.prompt(Problem(0, "abc"), 3) + policy.tokenizer("de", add_special_tokens=False)["input_ids"]]
    layers = policy.causal(torch.tensor(tokens), output_hidden_states=True).hidden_states
    by_hand = [layer.mean(1) for layer in layers] + [layer[:, -1] for layer in layers]
    assert_close(found[:1], torch.cat(by_hand, 1).float())
    assert not found.requires_grad
    # neither the row beside it nor what it says later matters
    assert_close(minds(policy, lessons(policy, ("a", "cccc")), torch.tensor([0]))[0], found[1])
    assert (minds(policy, lessons(policy, ("abc", "fff")), torch.tensor([2]))[0] - found[0]).abs().max() > 1e-3


def test_what_cannot_be_read_is_said():
    for hidden, shape in ((0, (1, 1)), (2, (0, 1)), (2, (1, 1, 1))):
        with pytest.raises(UserError, match="shape"):
            ActionExpert(hidden, shape)
    seeing = Language(*qwen_vl("2.5"))
    picture = {"type": "image", "image": np.zeros((28, 28, 3), dtype=np.uint8)}
    shown = Problem(0, [{"role": "user", "content": [picture, {"type": "text", "text": "a"}]}], "b")
    with pytest.raises(UserError, match="shown something"):
        minds(seeing, seeing.lessons([shown]), torch.tensor([1]))
