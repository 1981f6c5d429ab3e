"""Fine-tuning as Bayesian inference, on a language that can be listed. Korbak et al. 2022, arXiv:2205.11275.

A small model has learned words of up to four letters in which vowels and consonants alternate. With 7 tokens and 4
decisions there are 1555 rows: prior, posterior pi0 exp(r/beta)/Z and every divergence are sums and not estimates. The
reward likes one vowel repeated, a or e, so the posterior has two modes. Arms: reward alone, also with a learning rate
chosen for the posterior (early stopping); an entropy bonus in place of the prior; KL control and DPG, which fit one
posterior in the reverse and in the forward KL; and these two where only the output layer learns and cannot represent
it. Controls: a constant reward, a temperature at which the posterior is nearly the prior, DPG without its baseline, and
a target given by moments. Training sees the reward, and never the posterior that it is measured against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement
from rlft.measure import posterior as exact
from rlft.measure.distribution import total_variation
from rlft.measure.text import text_measures
from rlft.methods.dpg import dpg
from rlft.methods.kl_control import kl_control
from rlft.methods.rloo import rloo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.language.enumeration import every_row, log_probs_of_rows
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.rewards.moments import fitted, moments
from rlft.runs.drive import Run
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Reward, Rollouts, Runtime

# Raised when the base would come out otherwise.
VERSION = 1
_LETTERS, _TOKENS = "aebd", 4
_TARGETS = torch.tensor([0.5, 0.5])
Kind = Literal["vowel", "constant", "moments"]


def kl_bayes(
    method: Method = kl_control(beta=0.1),
    beta: float = 0.1,
    reward: Kind = "vowel",
    trained: Literal["all", "output"] = "all",
    steps: int = 200,
    prompts: int = 8,
    group: int = 32,
    lr: float = 3e-3,
    every: int = 50,
    imitation: int = 200,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Words, and the distance to their posterior.

    Args:
        beta: temperature of the posterior that distances are measured to; the method has its own.
        reward: one vowel repeated, the same for every word, or fitted to moments (to be used with beta 1).
        trained: all weights, or those of the output layer alone, which cannot represent the posterior.
        steps: steps in all.
        prompts: blank pages in a step.
        group: words on each.
        lr: learning rate.
        every: steps between evaluations.
        imitation: supervised steps of the base model, 128 words each.
        seed: of everything random but the base.
    """
    policy = base(imitation, critic=method.critic)
    rows = every_row(policy, Blank().at(0))
    log_prior = log_probs_of_rows(policy, rows)
    score = rewarded(reward, rows, log_prior)
    if trained == "output":
        policy.requires_grad_(False)
        policy.causal.get_output_embeddings().requires_grad_(True)
    trainer = Trainer(
        policy,
        method,
        Blank(),
        score,
        prompts=prompts,
        group=group,
        lr=lr,
        seed=seed,
        watch_kl=True,
        measures=[text_measures],
        runtime=runtime,
    )
    probe = distances(rows, log_prior, score, beta)
    return Run(trainer, steps, Blank("test", 256), measures=[text_measures], probes=[probe], every=every)


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


def best_moments(metrics: Lines, evaluations: Lines) -> Numbers:
    """The smallest distances at any evaluation of the run, the first one included: early stopping by an oracle."""
    names = ("tv", "reverse_kl", "forward_kl")
    return {f"best/{name}": min(line[name] for line in evaluations) for name in names}


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 128 words."""

    def build() -> Language:
        tokenizer = character_tokenizer(_LETTERS)
        model = small_llama(len(tokenizer), width=32, layers=2, heads=2, context=16)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        imitate(policy, lambda step: [Problem(0, "", spelt(hashed("word", step, i))) for i in range(128)], imitation)
        return policy

    return cached_language(f"kl-bayes-{VERSION}-{imitation}", build, max_new_tokens=_TOKENS, critic=critic)


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


_OUTPUT = {"trained": "output"}
_BROAD = {"beta": 1.0}
CLAIM = Claim(
    sentence="RL without a KL penalty collapses; with one it is variational inference of the posterior "
    "pi0 exp(r/beta)/Z, and other divergences, such as the forward KL of DPG, fit the same posterior and are not RL.",
    source="Korbak, Perez and Buckley 2022, arXiv:2205.11275",
    arms={
        "base": Arm("the prior, untrained", {"steps": 0}, grid={}),
        "rl": Arm("reward alone", {"method": rloo()}, grid={}),
        "slow": Arm(
            "reward alone, learning rate chosen to end near the posterior",
            {"method": rloo(), "every": 10},
            grid={"lr": (3e-6, 1e-5, 3e-5)},
        ),
        "entropy": Arm(
            "reward and an entropy bonus, its weight tuned",
            {"method": kl_control(beta=0.0, entropy=0.1)},
            grid={"method.entropy": (0.03, 0.1, 0.3), "lr": (1e-3, 3e-3)},
        ),
        "kl": Arm("KL control: reverse KL to the posterior", {"method": kl_control(beta=0.1)}),
        "dpg": Arm("DPG: forward KL to the posterior", {"method": dpg(beta=0.1)}),
        "plain": Arm("DPG without its baseline", {"method": dpg(beta=0.1, baseline=0.0)}),
        "output_kl": Arm("KL control of the output layer", {"method": kl_control(beta=0.1), **_OUTPUT}),
        "output_dpg": Arm("DPG of the output layer", {"method": dpg(beta=0.1), **_OUTPUT}),
        "broad_kl": Arm("KL control at beta 1", {"method": kl_control(beta=1.0), **_BROAD}, grid={}),
        "broad_dpg": Arm("DPG at beta 1", {"method": dpg(beta=1.0), **_BROAD}, grid={}),
        "constant_kl": Arm(
            "KL control, constant reward", {"method": kl_control(beta=0.1), "reward": "constant"}, grid={}
        ),
        "constant_dpg": Arm("DPG, constant reward", {"method": dpg(beta=0.1), "reward": "constant"}, grid={}),
        "moments": Arm(
            "DPG to a target with two moments at one half",
            {"method": dpg(beta=1.0), "reward": "moments", **_BROAD},
            grid={},
        ),
    },
    metric="tv",
    higher=False,
    statements=[
        Statement("RL alone collapses: less than half a nat of entropy is left", "entropy", "rl", most=0.5),
        Statement("RL alone leaves the prior by 3 nats more than KL control", "kl_prior", "rl", "kl", least=3.0),
        Statement("KL control ends near the posterior in the reverse KL", "reverse_kl", "kl", most=0.15),
        Statement("DPG ends near the same posterior in the forward KL", "forward_kl", "dpg", most=0.15),
        Statement("RL slowed or stopped at its best moment stays farther off", "best/tv", "slow", "kl", least=0.2),
        Statement("an entropy bonus, without the prior, stays farther off", "tv", "entropy", "kl", least=0.2),
        Statement("an output layer covers better under DPG", "forward_kl", "output_dpg", "output_kl", most=-0.2),
        Statement(
            "and fits the reverse KL better under KL control", "reverse_kl", "output_kl", "output_dpg", most=-0.05
        ),
        Statement("KL control of an output layer drops a mode", "second_mode", "output_kl", "output_dpg", most=-0.05),
        Statement(
            "DPG's forward KL is no worse than KL control's where both could be 0",
            "forward_kl",
            "dpg",
            "kl",
            most=0.02,
            claimed=False,
        ),
        Statement("the baseline brings DPG nearer", "tv", "plain", "dpg", least=0.02, claimed=False),
        Statement("at beta 1 both are near the posterior: KL control", "tv", "broad_kl", most=0.1, claimed=False),
        Statement("at beta 1 both are near the posterior: DPG", "tv", "broad_dpg", most=0.1, claimed=False),
        Statement("at beta 1 they agree", "forward_kl", "broad_dpg", "broad_kl", least=-0.05, most=0.05, claimed=False),
        Statement("a constant reward moves nothing: KL control", "kl_prior", "constant_kl", most=0.05, claimed=False),
        Statement("a constant reward moves nothing: DPG", "kl_prior", "constant_dpg", most=0.05, claimed=False),
        Statement("moments of one half are met: vowels", "vowels", "moments", None, 0.47, 0.53, False),
        Statement("moments of one half are met: the mode of e", "second_mode", "moments", None, 0.47, 0.53, False),
    ],
    budget="51,200 words and 200 updates for each arm that trains",
    scaled_down="the paper argues and measures nothing; here a language of four letters and 26 thousand parameters",
    real="rlft train --model ... --reward ... --method kl_control --method.beta 0.1 (or dpg)",
    table=("reverse_kl", "forward_kl", "expected_reward", "entropy", "kl_prior", "second_mode", "best/tv"),
    shared=("rows/drawn", "updates"),
    grid={"lr": (1e-3, 3e-3, 1e-2)},
    smoke={"steps": 2, "imitation": 10, "every": 1},
    more=best_moments,
    curve="tv",
)
