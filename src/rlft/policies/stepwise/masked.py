"""Masked (absorbing-state) diffusion over strings of a fixed length: a decision is one step that reveals letters.

From Austin et al. 2021 (D3PM, arXiv:2107.03006) in the form of Sahoo et al. 2024 (MDLM, arXiv:2406.07524): all letters
start masked, each step reveals some and never changes them again. Not a language model: length and alphabet are fixed,
and there is no prompt but a class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlft.models.token_denoiser import TokenCritic, hidden, masked_loss
from rlft.noise import LOSS, uniform
from rlft.policies.stepwise.reveal_rules import RevealRule
from rlft.policies.stepwise.stepwise import Stepwise, class_numbers, in_blocks
from rlft.types import Problem, Rollouts, Text, UserError


@dataclass(frozen=True)
class Reveal:
    """The next state of M rows: which masked places are revealed, and what letters stand there.

    x     tokens, V where masked       logp   of each letter at each place
    left  steps to go, this one included

    log p = log p(places) + Σ log p(letter) over the revealed places, summed in float64. A row without masks is no
    decision.
    """

    x: Int[Tensor, "M L"]
    logp: Float[Tensor, "M L V"]
    left: Int[Tensor, "M"]
    rule: RevealRule

    @property
    def masked(self) -> Bool[Tensor, "M L"]:
        """The places that may be revealed."""
        return self.x == self.logp.shape[2]

    @property
    def stochastic(self) -> Bool[Tensor, "M"]:
        """The rows that have a mask left."""
        return self.masked.any(dim=1)

    def __getitem__(self, rows: Tensor) -> Reveal:
        """Some of the rows."""
        return Reveal(self.x[rows], self.logp[rows], self.left[rows], self.rule)

    def noise(self, keys: Int[Tensor, "M"], k: int) -> Float[Tensor, "M L2"]:
        """2·L uniform numbers, for the places and for the letters: from ACTION at 2·L·k and the numbers after."""
        width = 2 * self.x.shape[1]
        return uniform(keys, width * k + torch.arange(width, device=keys.device))

    def draw(self, z: Float[Tensor, "M L2"]) -> Int[Tensor, "M L"]:
        """The next state; letters by the inverse of their cumulated probabilities."""
        places, letters = z.chunk(2, dim=1)
        revealed = self.rule.reveal(self.logp, self.masked, self.left, places)
        reached = self.logp.double().softmax(dim=2).cumsum(dim=2)[..., :-1] < letters[..., None]
        return torch.where(revealed, reached.sum(dim=2), self.x)

    def filled(self) -> Int[Tensor, "M L"]:
        """The state with the likeliest letter of its own at each masked place."""
        return torch.where(self.masked, self.logp.argmax(dim=2), self.x)

    def log_prob(self, x: Int[Tensor, "M L"]) -> Float[Tensor, "M"]:
        """Of the step to x: which places, and which letters."""
        masked = self.masked
        revealed = masked & (x < self.logp.shape[2])
        letter = torch.where(revealed, x, 0)[..., None]
        each = self.logp.gather(2, letter)[..., 0].double()
        return self.rule.log_prob(masked, revealed, self.left) + torch.where(revealed, each, 0).sum(dim=1)

    def kl(self, other: Reveal) -> Float[Tensor, "M"]:
        """KL(self ‖ other) = Σ P(place is revealed)·KL of its letters; with places taken as given, at self's."""
        mine, theirs = self.logp.double(), other.logp.double()
        each = torch.where(mine > -torch.inf, mine.exp() * (mine - theirs), 0).sum(dim=2)
        chances = self.rule.chances(self.logp, self.masked, self.left)
        return (chances * torch.where(self.masked, each, 0)).sum(dim=1)


class Masked(Stepwise):
    """A denoiser of strings that reveals its letters in `steps` decisions.

    denoiser  `(tokens [N, L], label [N]) -> logits [N, L, V]`; `models.token_denoiser` has a small one
    alphabet  V letters; `length`, L of them in a string
    steps     K steps, D = K decisions; columns in which a row has no mask left are off the mask
    rule      which letters a step reveals: `reveal_rules.in_random_order()`, `ancestral()`, `confident()`
    classes   how many there are; rows need the class number in `problem.input`, or None
    critic    adds a value head and with it the capability `value`
    block     rows in one call of the denoiser, always exactly as many: see `policies.stepwise.diffusion.Diffusion`

    `outputs` are strings (`Text`, with its tokens). States hold tokens, V for a mask. The first state is the same for
    all rows; L steps of `in_random_order` are an autoregressive model in an order drawn for each row.
    """

    value: Callable[[Rollouts], Tensor]
    value_parameters: Callable[[], Iterator[nn.Parameter]]

    def __init__(
        self,
        denoiser: nn.Module,
        *,
        alphabet: str,
        length: int,
        steps: int,
        rule: RevealRule,
        classes: int = 0,
        critic: bool = False,
        block: int = 128,
    ):
        super().__init__()
        if len(set(alphabet)) != len(alphabet) or not alphabet or length < 1 or steps < 1:
            raise UserError(
                f"{length} letters of {alphabet!r} in {steps} steps: needs different letters, one place and one step"
            )
        self.denoiser, self.alphabet, self.length, self.steps = denoiser, alphabet, length, steps
        self.rule, self.classes, self.block = rule, classes, block
        if critic:
            self.critic = TokenCritic(length, len(alphabet), classes)
            # Set here and not in the class, so that only a policy with a critic has the capability.
            self.value, self.value_parameters = self._value, self.critic.parameters

    def show(self, output: Text) -> dict[str, Any]:
        """The string."""
        return {"kind": "text", "text": str(output), "truncated": False, "tokens": self.length}

    @property
    def mask_token(self) -> int:
        """What stands where a letter is not yet known: V."""
        return len(self.alphabet)

    def condition(self, problems: Sequence[Problem]) -> Int[Tensor, "P"]:
        """The problems' class numbers; `classes` for None."""
        return class_numbers(problems, self.classes, self.device)

    def start(self, keys: Int[Tensor, "N"]) -> Int[Tensor, "N L"]:
        """Masks; no noise is needed."""
        return torch.full((len(keys), self.length), self.mask_token, device=keys.device)

    def decode(self, x: Int[Tensor, "N L"]) -> list[Text]:
        """Strings; a masked letter is shown as `_`."""
        return [Text("".join((self.alphabet + "_")[token] for token in row), row) for row in x.tolist()]

    def encode(self, texts: Sequence[str]) -> Int[Tensor, "N L"]:
        """Strings as tokens. UserError for another length or letter."""
        for text in texts:
            if len(text) != self.length or not set(text) <= set(self.alphabet):
                raise UserError(f"{text!r} is no string of {self.length} letters of {self.alphabet!r}")
        return torch.tensor([[self.alphabet.index(letter) for letter in text] for text in texts], device=self.device)

    def step(self, x: Int[Tensor, "M L"], k: Int[Tensor, "M"], condition: Int[Tensor, "M"]) -> Reveal:
        """What step k reveals of x, computed `block` rows at a time."""
        logits = torch.cat([self.denoiser(*part) for part in in_blocks(self.block, x, condition)])[: len(x)]
        # in float64: a sum of exponentials in a narrow type is what float32 rounds most
        return Reveal(x, logits.double().log_softmax(dim=2), self.steps - k, self.rule)

    def foresee(
        self, x: Int[Tensor, "M L"], k: Int[Tensor, "M"], condition: Int[Tensor, "M"]
    ) -> tuple[Reveal, Int[Tensor, "M L"]]:
        """Step k, and x with the likeliest letter at each masked place."""
        ahead = self.step(x, k, condition)
        return ahead, ahead.filled()

    def _value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The critic's value of the state before each decision; 0 off the mask."""
        rows, slots = rollouts.mask.nonzero(as_tuple=True)
        weights = next(self.critic.parameters())
        t = (1 - slots / self.steps).to(weights)
        values = self.critic(rollouts.trace["states"][rows, slots], t, rollouts.trace["condition"][rows])
        return values.new_zeros(rollouts.mask.shape).index_put((rows, slots), values)

    @torch.no_grad()
    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """One row for each problem that ends in `problem.lesson`, a string.

        The places are those of the rule, the letters the answer's, and `logp_old` is that teacher's: the places'. The
        mask is full, also where a row has no mask left: there `log_prob` is 0 without gradient, and `loss_on` uses
        every column.
        """
        keys, label = self.keys(problems, 1, seed), self.condition(problems)
        data = self.encode([self._answer(problem) for problem in problems])
        states, logp = [self.start(keys)], []
        for k in range(self.steps):
            ahead = self.step(states[-1], torch.full_like(keys, k), label)
            places = ahead.noise(keys, k)[:, : self.length]
            revealed = self.rule.reveal(ahead.logp, ahead.masked, ahead.left, places)
            states.append(torch.where(revealed, data, states[-1]))
            logp.append(self.rule.log_prob(ahead.masked, revealed, ahead.left))
        trace = {"states": torch.stack(states, dim=1), "condition": label, "data": data, "key": keys}
        mask = torch.ones(len(problems), self.steps, dtype=torch.bool, device=self.device)
        return Rollouts(tuple(problems), 1, self.decode(data), trace, mask, torch.stack(logp, dim=1))

    def _answer(self, problem: Problem) -> str:
        if not isinstance(problem.lesson, str):
            raise UserError(f"problem {problem.index} has no string for an answer to demonstrate: {problem.lesson!r}")
        return problem.lesson

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """`masked_loss` of each row's data, at one set of masked places for each decision column, in nats per letter.

        The sets are those of `models.token_denoiser.hidden`; they belong to the row (stream LOSS). A column is an
        independent draw, not the step of that number; columns off the mask are 0.
        """
        rows, slots = rollouts.mask.nonzero(as_tuple=True)
        # L + 1 numbers a column, counted from the column's own, so that none depends on D
        u = uniform(rollouts.trace["key"], rollouts.mask.shape[1] * (self.length + 1), LOSS)
        masked = hidden(u.unflatten(1, (-1, self.length + 1))[rows, slots])
        data = rollouts.trace["data"][rows]
        logits = self.denoiser(data.masked_fill(masked, self.mask_token), rollouts.trace["condition"][rows])
        loss = masked_loss(logits, data, masked)
        return loss.new_zeros(rollouts.mask.shape).index_put((rows, slots), loss)
