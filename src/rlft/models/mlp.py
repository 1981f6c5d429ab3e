"""A multi-layer perceptron for vectors: control policies and critics. Not for sequences, images or tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.products import linear

Activation = Callable[[Tensor], Tensor]


class MLP(nn.Module):
    """Linear layers of these sizes with `activation` between them, orthogonal weights and zero biases.

    It computes in the dtype of its *input*, whatever its parameters are. Given float64, a row's result does not
    depend on the rows beside it; float32 products differ by 5e-7 with the batch size, and a narrow density (deviation
    0.03) turns that into 8e-6, where a first PPO ratio may be off by 1e-6.

    sizes   input, hidden …, output; two sizes make a linear map
    seed    of the weights; the global generator is neither read nor moved
    last    gain of the last layer: 0.01 starts a policy indifferent, 1.0 suits a critic
    """

    def __init__(self, sizes: Sequence[int], seed: int, last: float = 1.0, activation: Activation = torch.tanh) -> None:
        super().__init__()
        self.activation = activation
        generator = torch.Generator().manual_seed(seed)
        gains = [2**0.5] * (len(sizes) - 2) + [last]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs, gain in zip(sizes[:-1], sizes[1:], gains, strict=True):
            weight = torch.empty(outputs, inputs)
            nn.init.orthogonal_(weight, gain, generator=generator)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(outputs)))

    def forward(self, x: Float[Tensor, "*N I"]) -> Float[Tensor, "*N O"]:
        layers = list(zip(self.weights, self.biases, strict=True))
        for weight, bias in layers[:-1]:
            x = self.activation(linear(x, weight.to(x.dtype), bias.to(x.dtype)))
        weight, bias = layers[-1]
        return linear(x, weight.to(x.dtype), bias.to(x.dtype))
