"""Every family on a device that is not the host: the same numbers, and the host does not wait at every decision.

Run by test_devices, in a process of its own: see there. By hand: python -m pytest tests/contracts/devices.py
"""

import copy
from collections import Counter

import pytest
import torch
from torch.testing import assert_close

from rlft import noise
from rlft.methods.ppo import ppo
from rlft.policies.language import rows
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens import sampling
from rlft.tool.self_test import FAMILIES
from rlft.training.trainer import Trainer
from rlft.types import Problem
from tests.pretended import DEVICE, Pretended


def trainer(family, device="cpu"):
    made = FAMILIES[family][0](ppo(epochs=1))
    return Trainer(made.policy.to(device), made.method, made.task, made.reward, prompts=2, group=2)


def there(family):
    made = trainer(family, DEVICE)
    assert all(weight.device == DEVICE for weight in made.policy.parameters())
    return made


def held(policy):
    return [weight.detach().cpu() for weight in policy.parameters()]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_there_what_it_learns_here_and_goes_on_bit_for_bit(family):
    here = trainer(family)
    wanted = here.step()
    with Pretended():
        straight, resumed = there(family), there(family)
        straight.advance()
        drawn = straight.pending
        assert {column.device for column in (drawn.mask, drawn.logp_old, *drawn.trace.values())} == {DEVICE}
        resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
        found = straight.step()
        assert found["ratio/first"] <= FAMILIES[family][1]
        for name in ("reward", "loss", "grad_norm"):
            assert found[name] == pytest.approx(wanted[name], rel=1e-4, abs=1e-5)
        # Adam's first step has the size of the learning rate, 1e-3, however small the gradient: less is rounding.
        assert_close(held(straight.policy), held(here.policy), atol=3e-4, rtol=0)
        assert resumed.step()["grad_norm"] == found["grad_norm"]
        assert all(map(torch.equal, held(straight.policy), held(resumed.policy)))


def test_a_language_policy_is_saved_from_there(tmp_path):
    with Pretended():
        policy = there("language").policy
        policy.save(tmp_path)
        kept = held(policy)
    assert all(map(torch.equal, kept, held(Language.load(tmp_path, device="cpu"))))


# How often the host may wait while 4 rows decide: once for the starts or the texts, and in a world that lives on the
# host's side four times a step, for the rows that go on.
WAITS = {"diffusion": 1, "masked": 2, "control": 4 * 10 + 4}


@pytest.mark.parametrize("family", WAITS)
def test_the_host_does_not_wait_at_every_decision(family):
    with Pretended() as device:
        made = there(family)
        device.waits.clear()
        drawn = made.policy.sample([made.task.at(0), made.task.at(1)], 2, seed=0)
        assert device.waits.total() <= WAITS[family], device.waits
        device.waits.clear()
        made.policy.log_prob(drawn)
        assert device.waits.total() <= 1, device.waits


def waits_of_tokens():
    """How much oftener the host waits for 24 tokens than for 8, of rows that do not end."""
    counts = []
    with Pretended() as device:
        policy = there("language").policy
        policy.tokenizer.eos_token_id, policy.causal.generation_config.eos_token_id = 10_000, None
        for tokens in (2, 8, 24):  # once before, as the engine is tried at its first use
            view = policy.with_sampling(max_new_tokens=tokens)
            device.waits.clear()
            drawn = view.sample([Problem(0, "1+1="), Problem(1, "2+3=")], 2, seed=0)
            counts.append(Counter(device.waits))
            assert drawn.mask.sum() == 4 * tokens
    return (counts[2] - counts[1]).total()


def test_the_host_does_not_wait_for_every_token():
    assert waits_of_tokens() <= 2  # whether rows have ended is asked every eighth token


def test_a_tensor_brought_to_the_host_for_every_token_is_found(monkeypatch):
    chosen = sampling.chosen
    monkeypatch.setattr(sampling, "chosen", lambda w, u: chosen(w.cpu(), u.cpu()).to(w.device))
    assert waits_of_tokens() >= 16


def test_a_number_read_for_every_token_is_found(monkeypatch):
    draw = sampling.draw
    monkeypatch.setattr(sampling, "draw", lambda logits, u, how: draw(logits, u * float(u.max() > 0), how))
    assert waits_of_tokens() >= 16


def test_a_tensor_on_the_wrong_device_is_found(monkeypatch):
    monkeypatch.setattr(rows, "uniform", lambda keys, count: noise.uniform(keys.cpu(), count))
    with pytest.raises(RuntimeError, match="tensors on the CPU and on pretended"):
        waits_of_tokens()
