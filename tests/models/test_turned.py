"""Turned values: the same function, the same singular values, other directions; every turn undone would be seen."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, Qwen2Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from rlft.measure.weights import angles, directions, drift
from rlft.models.turned import turn_values

SHAPE = {
    "vocab_size": 11,
    "hidden_size": 24,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "attn_implementation": "eager",
}


@pytest.mark.parametrize("config", [LlamaConfig(**SHAPE), Qwen2Config(**SHAPE)], ids=["llama", "qwen2, with a bias"])
def test_the_function_stays_and_the_directions_turn(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).double()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    tokens = torch.randint(11, (2, 7))
    said = model(input_ids=tokens).logits
    attention = model.model.layers[1].self_attn
    before = {name: getattr(attention, name).weight.detach().clone() for name in ("v_proj", "o_proj")}
    turn_values(attention, seed=3)
    assert torch.allclose(model(input_ids=tokens).logits, said, atol=1e-10)
    for name, old in before.items():
        one, other = directions(old, 3), directions(getattr(attention, name).weight.detach(), 3)
        assert drift(one.values, other.values) < 1e-7
        turned, stays = ("left", "right") if name == "v_proj" else ("right", "left")
        assert angles(getattr(one, turned), getattr(other, turned)).max() > 20
        assert angles(getattr(one, stays), getattr(other, stays)).max() < 1e-4
    with torch.no_grad():
        attention.o_proj.weight.copy_(before["o_proj"])
    assert not torch.allclose(model(input_ids=tokens).logits, said, atol=1e-4)
