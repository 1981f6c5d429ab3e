"""A language of four letters that can be listed: prior, posterior and every divergence are sums and not estimates.

A small model has learned words of up to four letters in which vowels and consonants alternate. With 7 tokens and 4
decisions there are 1555 rows. The reward likes one vowel repeated, a or e, so the posterior pi0 exp(r/beta)/Z has two
modes. Training sees the reward, and never the posterior that it is measured against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.measure import posterior as exact
from rlft.measure.distribution import total_variation
from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.enumeration import every_row, log_probs_of_rows
from rlft.policies.language.policy import Language
from rlft.rewards.moments import fitted, moments
from rlft.types import Problem, Reward, Rollouts
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 1
_LETTERS, _TOKENS = "aebd", 4
_TARGETS = torch.tensor([0.5, 0.5])
Kind = Literal["vowel", "constant", "moments"]


def words(
    beta: float = 0.1,
    reward: Kind = "vowel",
    trained: Literal["all", "output"] = "all",
    imitation: int = 200,
    critic: bool = False,
) -> World:
    """Words, and the distance to their posterior.

    Args:
        beta: temperature of the posterior that distances are measured to; the method has its own.
        reward: one vowel repeated, the same for every word, or fitted to moments (to be used with beta 1).
        trained: all weights, or those of the output layer alone, which cannot represent the posterior.
        imitation: supervised steps of the base model, 128 words each.
    """
    policy = base(imitation, critic)
    rows = every_row(policy, Blank().at(0))
    log_prior = log_probs_of_rows(policy, rows)
    score = rewarded(reward, rows, log_prior)
    if trained == "output":
        policy.requires_grad_(False)
        policy.causal.get_output_embeddings().requires_grad_(True)
    probes, seen = [distances(rows, log_prior, score, beta)], [text_measures]
    return World(policy, Blank(), Blank("test", 256), score, measures=seen, watched=seen, probes=probes)


def rewarded(kind: Kind, rows: Rollouts, log_prior: Float[Tensor, "M"]) -> Reward:
    """The reward of an arm."""
    if kind == "moments":
        return moments(features, fitted(features(rows.problems, rows.outputs), _TARGETS, log_prior))
    return constant if kind == "constant" else vowel


def vowel(problems: Sequence[Problem], outputs: Sequence[str]) -> Float[Tensor, "N"]:
    """How often the more frequent vowel stands in the four places."""
    return torch.tensor([max(word.count("a"), word.count("e")) / _TOKENS for word in outputs])


def constant(problems: Sequence[Problem], outputs: Sequence[str]) -> Float[Tensor, "N"]:
    """A half, whatever was written."""
    return torch.full((len(outputs),), 0.5)


def features(problems: Sequence[Problem], outputs: Sequence[str]) -> Float[Tensor, "N 2"]:
    """The vowel reward, and whether there are more e than a."""
    return torch.stack([vowel(problems, outputs), torch.tensor([float(second(word)) for word in outputs])], 1)


def second(word: str) -> bool:
    """Whether a word is of the less likely mode, that of e."""
    return word.count("e") > word.count("a")


def distances(
    rows: Rollouts, log_prior: Float[Tensor, "M"], reward: Reward, beta: float
) -> Callable[[Any], Mapping[str, float]]:
    """What a policy is, summed over all rows, and how far from prior and posterior, in nats.

    `objective` is J = E[r] - beta KL(pi || prior) and `shortfall` what it lacks of its maximum beta log Z. `vowels` is
    the mean of the reward `vowel`, whatever the arm's own is, and `second_mode` the share of words with more e than a.
    """
    rewards, vowels = (score(rows.problems, rows.outputs).to(log_prior) for score in (reward, vowel))
    target = exact.posterior(log_prior, rewards, beta)
    most = beta * exact.log_partition(log_prior, rewards, beta)
    other = torch.tensor([second(word) for word in rows.outputs], device=log_prior.device)

    def probe(policy: Any) -> dict[str, float]:
        log_pi = log_probs_of_rows(policy, rows)
        found = {
            "expected_reward": (log_pi.exp() * rewards).sum(),
            "vowels": (log_pi.exp() * vowels).sum(),
            "reverse_kl": exact.kl(log_pi, target),
            "forward_kl": exact.kl(target, log_pi),
            "kl_prior": exact.kl(log_pi, log_prior),
            "entropy": exact.entropy(log_pi),
            "second_mode": log_pi[other].exp().sum(),
            "objective": (objective := exact.objective(log_pi, log_prior, rewards, beta)),
            "shortfall": most - objective,
        }
        plain = {name: float(value) for name, value in found.items()}
        return {**plain, "tv": total_variation(log_pi.exp(), target.exp())}

    return probe


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 128 words."""
    lessons = Lessons(lambda step: [Problem(0, "", spelt(hashed("word", step, i))) for i in range(128)], imitation)
    shape = {"width": 32, "layers": 2, "heads": 2, "context": 16}
    return taught(f"kl-bayes-{VERSION}-{imitation}", _LETTERS, lessons, tokens=_TOKENS, critic=critic, **shape)


def spelt(draw: int) -> str:
    """A word of 2 to 4 letters: consonants b, d and vowels a (3 in 5), e in turn, a slip in one of 24 places.

    Three words in four begin with a consonant. A word of four letters fills the page: its stop token is never drawn.
    """
    length, vowel_first = 2 + draw % 3, draw // 3 % 4 == 0
    letters = []
    for place in range(length):
        slip, kind = divmod(hashed("letter", draw, place), 10)
        is_vowel = ((place % 2 == 0) == vowel_first) != (slip % 24 == 0)
        letters.append(("a" if kind < 6 else "e") if is_vowel else ("b" if kind % 2 else "d"))
    return "".join(letters)


class Blank:
    """Blank pages: all problems are the same, an empty prompt, and each has noise of its own."""

    def __init__(self, split: str = "train", size: int = 4096):
        self.name, self.split, self.size = "blank", split, size

    def at(self, index: int) -> Problem:
        """The page with this number, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        return Problem(index, "", task=self.name, split=self.split)
