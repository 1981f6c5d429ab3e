"""Guidance by soft values while sampling, no training and no gradient: SVDD beside best-of-N and SMC. Li et al. 2024,
"Derivative-Free Guidance in Continuous and Discrete Diffusion Models with Soft Value-Based Decoding", arXiv:2408.08252.

`digits`: a class-conditional diffusion model of digits, ink as the reward, and as naturalness the Fréchet distance to
real digits. `strings`: masked diffusion over 16 letters from a Markov chain, a fixed random network as the reward, and
as naturalness the chain's own, exact log-likelihood. Every row may cost about the same calls of networks (base and
plain SMC cost what a row costs); they are counted. Arms: the base, best of N, SMC, SVDD with predicted (PM) and
regressed (MC) values, and SVDD-R. SMC is there three times: each row from particles of its own, which leaves rows as
independent as SVDD's are and is what SVDD is held against; as many particles shared by a group of 16 rows, as SVDD-R
shares its rows; and the 16 rows alone as particles. What is shared earns more, and is copies. Two controls:
`hash`, a reward of strings that nothing half-made foretells, and `motif`, a rare one that the likeliest continuation of
a string does not show.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from rlft.evidence.claim import Arm, Claim, Statement
from rlft.guidance.samplers import BestOf, Guided, best_of, smc, svdd_r
from rlft.guidance.samplers import svdd as decoding
from rlft.guidance.values import Predicted, Value, fit
from rlft.measure.images import diversity_within, frechet_to, judge_accuracy
from rlft.methods.loop import loop
from rlft.models.denoiser import StateCritic, digits_base
from rlft.models.digits_judge import digits_judge
from rlft.models.schedules import Cosine, V
from rlft.models.token_denoiser import TokenCritic, strings_base
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.masked import Masked
from rlft.policies.stepwise.noise_rules import ddim
from rlft.policies.stepwise.reveal_rules import in_random_order
from rlft.rewards.images import ink
from rlft.rewards.strings import motif, random_network, unforeseeable
from rlft.runs.drive import Run
from rlft.tasks.digits import CLASSES, Digits
from rlft.tasks.strings import ALPHABET, Strings
from rlft.training.trainer import Trainer
from rlft.types import Measure, Method, Problem, Reward, Runtime, Task

Setting = Literal["digits", "strings", "motif", "hash"]
Sampler = Literal["base", "best_of", "smc", "svdd", "svdd_mc", "svdd_r"]
_LETTERS = 16


def svdd(
    method: Method = loop(),
    setting: Setting = "digits",
    sampler: Sampler = "svdd",
    width: int = 10,
    alpha: float = 0.01,
    problems: int = 40,
    samples: int = 16,
    steps: int = 0,
    prompts: int = 16,
    group: int = 8,
    lr: float = 1e-4,
    iterations: int = 1500,
    fitting: int = 500,
    rollouts: int = 2048,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Guided samples of small diffusion models.

    Args:
        setting: digits with much ink; strings that a random network likes, with a rare motif, or with a high hash.
        sampler: the model itself, best-of-N, SMC, SVDD with predicted or regressed values, SVDD-R.
        width: the N of best-of-N, particles for each row, candidates of each step.
        alpha: temperature of the tilt, in the reward's unit.
        problems: groups that are sampled.
        samples: rows of a group.
        steps: steps of training before; 0 guides the base model.
        prompts: problems in a step of training.
        group: rollouts of each.
        lr: learning rate of that training.
        iterations: supervised steps of the base model.
        fitting: steps of the regression of values.
        rollouts: of the base model, on which values are regressed.
        seed: of everything random but the base.
    """
    world = _digits(iterations) if setting == "digits" else _strings(setting, iterations)
    trainer = Trainer(
        world.policy,
        method,
        world.train,
        world.reward,
        prompts=prompts,
        group=group,
        lr=lr,
        seed=seed,
        watch_kl=True,
        measures=world.measures[:1],
        runtime=runtime,
    )
    value = Predicted(world.reward) if sampler != "svdd_mc" else _regressed(world, rollouts, fitting, seed)
    guided = _sampler(world, sampler, value, width, alpha)
    return Run(
        trainer,
        steps,
        world.test,
        problems=problems,
        samples=samples,
        deploy=guided,
        measures=world.measures,
        probes=[lambda policy: guided.spent.per_row()],
    )


@dataclass(frozen=True)
class _World:
    """A base model, what it is asked, and what is wanted of it."""

    policy: Diffusion | Masked
    critic: nn.Module
    train: Task
    test: Task
    reward: Reward
    measures: list[Measure]


def _sampler(world: _World, name: Sampler, value: Value, width: int, alpha: float) -> BestOf | Guided:
    policy, reward = world.policy, world.reward
    guided = {
        "base": lambda: best_of(policy, reward, 1),
        "best_of": lambda: best_of(policy, reward, width),
        "smc": lambda: smc(policy, value, alpha=alpha, particles=width),
        "svdd": lambda: decoding(policy, value, alpha=alpha, candidates=width),
        "svdd_mc": lambda: decoding(policy, value, alpha=alpha, candidates=width),
        "svdd_r": lambda: svdd_r(policy, value, alpha=alpha, candidates=width),
    }
    return guided[name]()


def _regressed(world: _World, rollouts: int, fitting: int, seed: int) -> Value:
    asked = [world.train.at(index) for index in range(rollouts // 8)]
    return fit(world.critic, world.policy, asked, 8, world.reward, iterations=fitting, seed=seed)


def _digits(iterations: int) -> _World:
    train, test = Digits("train"), Digits("test")
    judge = digits_judge(train.images, train.labels)
    policy = Diffusion(
        digits_base(train.images, train.labels, schedule=Cosine(), prediction=V, iterations=iterations),
        steps=10,
        rule=ddim(1.0),
        schedule=Cosine(),
        prediction=V,
        event="sum",
        shape=(8, 8),
        classes=CLASSES,
    )
    measures: list[Measure] = [judge_accuracy(judge), frechet_to(judge, test.images), diversity_within(judge)]
    return _World(policy, StateCritic((8, 8), CLASSES), train, EachDigit(), ink, measures)


@functools.cache
def _taught() -> Tensor:
    """The strings that the base model has seen."""
    return Strings("train").data(10_000)


def _strings(setting: Setting, iterations: int) -> _World:
    train, test = Strings("train"), Strings("test")
    reward = {
        "strings": random_network(alphabet=ALPHABET, length=_LETTERS),
        "motif": motif(letters="GAT"),
        "hash": unforeseeable(),
    }[setting]
    policy = Masked(
        strings_base(_taught(), len(ALPHABET), iterations=iterations),
        alphabet=ALPHABET,
        length=_LETTERS,
        steps=_LETTERS,
        rule=in_random_order(),
    )
    return _World(policy, TokenCritic(_LETTERS, len(ALPHABET)), train, test, reward, [test.naturalness])


class EachDigit:
    """The ten classes in turn, so that every class is asked for equally often."""

    name, split, size = "each_digit", "test", None

    def at(self, index: int) -> Problem:
        """Asks for the digit index mod 10."""
        return Problem(index, index % CLASSES, task=self.name, split=self.split)


def _arm(text: str, setting: str, sampler: str, width: int, samples: int = 16) -> Arm:
    alpha, rows = {"digits": (0.003, 640)}.get(setting, (0.03, 384))
    given = {"setting": setting, "sampler": sampler, "width": width, "alpha": alpha}
    return Arm(text, {**given, "problems": rows // samples, "samples": samples}, grid={})


CLAIM = Claim(
    sentence="Without training and without gradients of the reward, choosing among candidates of each step by soft "
    "values earns more than best-of-N and SMC, in continuous and discrete diffusion, and global resampling more.",
    source="Li et al. 2024, arXiv:2408.08252",
    arms={
        "digits_base": _arm("digits: the base model", "digits", "base", 1),
        "digits_best": _arm("digits: best of 9", "digits", "best_of", 9),
        "digits_smc": _arm("digits: SMC, rows of a group as particles, at the base's cost", "digits", "smc", 1),
        "digits_own": _arm("digits: SMC, 9 particles of its own for each row", "digits", "smc", 9, samples=1),
        "digits_wide": _arm("digits: SMC, 9 particles for each row, shared by a group", "digits", "smc", 9),
        "digits_svdd": _arm("digits: SVDD, predicted values, 10 candidates", "digits", "svdd", 10),
        "digits_mc": _arm("digits: SVDD, regressed values, 9 candidates", "digits", "svdd_mc", 9),
        "digits_r": _arm("digits: SVDD-R, predicted values, 10 candidates", "digits", "svdd_r", 10),
        "strings_base": _arm("strings: the base model", "strings", "base", 1),
        "strings_best": _arm("strings: best of 8", "strings", "best_of", 8),
        "strings_smc": _arm("strings: SMC, rows of a group as particles, at the base's cost", "strings", "smc", 1),
        "strings_own": _arm("strings: SMC, 8 particles of its own for each row", "strings", "smc", 8, samples=1),
        "strings_wide": _arm("strings: SMC, 8 particles for each row, shared by a group", "strings", "smc", 8),
        "strings_svdd": _arm("strings: SVDD, predicted values, 8 candidates", "strings", "svdd", 8),
        "strings_mc": _arm("strings: SVDD, regressed values, 7 candidates", "strings", "svdd_mc", 7),
        "strings_r": _arm("strings: SVDD-R, predicted values, 8 candidates", "strings", "svdd_r", 8),
        "motif_best": _arm("a rare motif: best of 8", "motif", "best_of", 8),
        "motif_svdd": _arm("a rare motif: SVDD, predicted values", "motif", "svdd", 8),
        "motif_r": _arm("a rare motif: SVDD-R, predicted values", "motif", "svdd_r", 8),
        "hash_best": _arm("a hash: best of 8", "hash", "best_of", 8),
        "hash_svdd": _arm("a hash: SVDD, predicted values", "hash", "svdd", 8),
        "hash_mc": _arm("a hash: SVDD, regressed values", "hash", "svdd_mc", 7),
    },
    metric="reward",
    statements=[
        Statement("digits: best-of-N earns more than the base", "reward", "digits_best", "digits_base", least=0.03),
        Statement("digits: SVDD earns more than best-of-N", "reward", "digits_svdd", "digits_best", least=0.06),
        Statement("digits: also with regressed values", "reward", "digits_mc", "digits_best", least=0.04),
        Statement("digits: SVDD earns more than SMC", "reward", "digits_svdd", "digits_own", least=0.0),
        Statement("digits: SVDD-R earns more than SVDD", "reward", "digits_r", "digits_svdd", least=0.06),
        Statement("strings: best-of-N earns more than the base", "reward", "strings_best", "strings_base", least=0.4),
        Statement("strings: SVDD earns more than best-of-N", "reward", "strings_svdd", "strings_best", least=0.25),
        Statement("strings: also with regressed values", "reward", "strings_mc", "strings_best", least=0.25),
        Statement("strings: SVDD earns more than SMC", "reward", "strings_svdd", "strings_own", least=0.0),
        Statement("strings: SVDD-R earns more than SVDD", "reward", "strings_r", "strings_svdd", least=0.25),
        *(
            Statement(
                f"{a} costs what best-of-N does, to a tenth", "calls", a, b, least=-n / 10, most=n / 10, claimed=False
            )
            for a, b, n in (
                ("digits_own", "digits_best", 90),
                ("digits_wide", "digits_best", 90),
                ("digits_svdd", "digits_best", 90),
                ("digits_mc", "digits_best", 90),
                ("digits_r", "digits_best", 90),
                ("strings_own", "strings_best", 128),
                ("strings_wide", "strings_best", 128),
                ("strings_svdd", "strings_best", 128),
                ("strings_mc", "strings_best", 128),
                ("strings_r", "strings_best", 128),
            )
        ),
        Statement(
            "digits: SVDD's are farther from real ones than best-of-N's",
            "frechet",
            "digits_svdd",
            "digits_best",
            least=5.0,
            claimed=False,
        ),
        Statement(
            "digits: SVDD-R's are farther still", "frechet", "digits_r", "digits_svdd", least=10.0, claimed=False
        ),
        Statement(
            "digits: SMC that shares particles earns more than SVDD",
            "reward",
            "digits_wide",
            "digits_svdd",
            least=0.05,
            claimed=False,
        ),
        Statement("digits: its rows are copies", "diversity", "digits_svdd", "digits_wide", least=4.0, claimed=False),
        Statement("digits: SVDD-R's are, too", "diversity", "digits_svdd", "digits_r", least=4.0, claimed=False),
        Statement(
            "strings: SMC that shares particles earns more than SVDD",
            "reward",
            "strings_wide",
            "strings_svdd",
            least=0.25,
            claimed=False,
        ),
        Statement(
            "strings: SVDD-R's are less natural than best-of-N's",
            "source/log_prob",
            "strings_r",
            "strings_best",
            most=-0.3,
            claimed=False,
        ),
        Statement(
            "strings: SVDD's are no less natural, for the likeliest letters are what it looks at",
            "source/log_prob",
            "strings_svdd",
            "strings_best",
            least=0.0,
            claimed=False,
        ),
        Statement("strings: its rows are copies", "distinct", "strings_svdd", "strings_wide", least=0.5, claimed=False),
        Statement(
            "a motif that the likeliest letters do not show: SVDD earns no more than best-of-N",
            "reward",
            "motif_svdd",
            "motif_best",
            most=0.0,
            claimed=False,
        ),
        Statement("resampling finds it all the same", "reward", "motif_r", "motif_best", least=0.5, claimed=False),
        Statement(
            "a hash cannot be regressed: SVDD earns less than best-of-N",
            "reward",
            "hash_mc",
            "hash_best",
            most=-0.05,
            claimed=False,
        ),
        Statement(
            "but predicted strings are strings, and SVDD scores sixteen times as many as best-of-N",
            "calls/reward",
            "hash_svdd",
            "hash_best",
            least=100,
            claimed=False,
        ),
        Statement(
            "with which it does about as well",
            "reward",
            "hash_svdd",
            "hash_best",
            least=-0.05,
            most=0.07,
            claimed=False,
        ),
    ],
    budget="About as many calls of networks for each row as 9 or 8 rows of the base cost (base and plain SMC: one). "
    "Regressed values also take 2048 rollouts of the base once, which are not counted.",
    scaled_down="Images of 8x8 pixels and strings of 16 letters instead of Stable Diffusion, DNA and molecules; some "
    "groups of 16 rows. α is 0.06 of the reward's deviation, which is nearly the best candidate, as in the paper.",
    real="rlft.guidance.svdd(policy, Predicted(reward), alpha=0.01, candidates=20) on any step-wise policy.",
    table=("calls", "calls/reward", "frechet", "diversity", "judge/accuracy", "source/log_prob", "distinct"),
    shared=(),
    smoke={"problems": 1, "samples": 2, "width": 2, "iterations": 2, "fitting": 2, "rollouts": 16},
)
