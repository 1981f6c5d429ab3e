"""Reward differences predicted instead of rewards climbed. Deng et al. 2024, arXiv:2402.08714.

`plane`: four blobs, and a reward for coming near a mark. The optimum of the KL-regularised objective is the sampler's
own distribution reweighted by exp(r/beta), so a large reweighted sample of the base is the target. The distance to it
is total variation on a grid, and `exact` draws from the target show how small that comes out; `excess` is
KL(policy || optimum) over whole denoising paths. `few` and `many`: the digits of `recipes.loop`, whose reward has a
constant of the prompt's own. A prompt is a digit in some wording, which the model does not hear: with `few` there are
ten and they come back, so that DDPO can remember what each has earned; with `many` no prompt comes twice.

Controls: `exact`; the clip off; policy gradient on the same objective (`kl-control`), whose first update on a batch is
PRDP's; LOOP, which centres by prompt but has no reference; and `many` without the constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.cache import cached
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.distribution import grid, histogram, total_variation
from rlft.measure.images import frechet_to, judge_accuracy
from rlft.methods.ddpo import ddpo
from rlft.methods.kl_control import kl_control
from rlft.methods.loop import loop
from rlft.methods.prdp import prdp as reward_difference_prediction
from rlft.models.denoiser import digits_base, mixture_base
from rlft.models.digits_judge import digits_judge
from rlft.models.schedules import Cosine, Schedule, V
from rlft.noise import hashed, row_keys, uniform
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import FixedRule, Weights, ddim
from rlft.rewards.images import near, target_class
from rlft.runs.drive import Run
from rlft.tasks.digits import CLASSES, Digits, mislabelled
from rlft.tasks.mixture import Mixture
from rlft.training.trainer import Trainer
from rlft.types import Measure, Method, Policy, Problem, Reward, Rollouts, Runtime, Sampler, Task

Setting = Literal["plane", "few", "many"]
# Raised when the base's sample in the plane would come out otherwise.
VERSION = 1
_MARK = (1.2, 0.6)
_PLANE = Cosine(last=0.01)
# The last step of DDPM has no noise and so no density; with a little the paths' densities are complete.
_LEAST_NOISE = 0.1
_LOW, _HIGH, _CELLS = -4.0, 4.0, 20
# Wordings of a digit: those of the test split are others than those of the training split.
_WORDINGS = 2**14


@dataclass
class World:
    """What a setting is made of; see `rlft.runs.Run`."""

    policy: Diffusion
    task: Task
    held_out: Task
    reward: Reward
    unshifted: Reward
    measures: Sequence[Measure]
    deploy: Sampler | None = None
    probes: Sequence[Callable[[Any], Mapping[str, float]]] = ()


def prdp(
    method: Method = reward_difference_prediction(beta=0.1, clip=0.5, epochs=2, minibatches=4),
    setting: Setting = "many",
    spread: float = 2.0,
    beta: float = 1.0,
    measured: Literal["policy", "target"] = "policy",
    steps: int = 8,
    prompts: int = 64,
    group: int = 4,
    lr: float = 1e-3,
    problems: int = 1024,
    samples: int = 1,
    pretraining: int = 1500,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Points near a mark, or digits that were asked for, by a diffusion model.

    Args:
        setting: the plane; ten prompts that come back; prompts of which none comes twice.
        spread: standard deviation over prompts of the constant in the reward of digits.
        beta: temperature of the target in the plane; the method has its own.
        measured: in the plane, the policy, or for comparison draws from its target.
        steps: steps in all.
        prompts: prompts in a step.
        group: rollouts of each.
        lr: learning rate.
        problems: held-out prompts.
        samples: rollouts of each of these.
        pretraining: iterations of the base model's training.
        seed: of everything random but the base.
    """
    critic = method.critic
    made = (
        plane(beta, measured, pretraining, critic)
        if setting == "plane"
        else digits(setting, spread, pretraining, critic)
    )
    trainer = Trainer(
        made.policy,
        method,
        made.task,
        made.reward,
        prompts=prompts,
        group=group,
        lr=lr,
        seed=seed,
        watch_kl=True,
        runtime=runtime,
    )
    return Run(
        trainer,
        steps,
        made.held_out,
        reward=made.unshifted,
        problems=problems,
        samples=samples,
        deploy=made.deploy,
        measures=made.measures,
        probes=made.probes,
    )


# The plane ---------------------------------------------------------------------------------------------------------


def plane(beta: float, measured: Literal["policy", "target"], pretraining: int, critic: bool = False) -> World:
    """Four blobs, a mark between two of them, and the exact optimum."""
    policy, reference, reward = blobs(pretraining, critic), blobs(pretraining), near(_MARK)
    target = Target(reference, reward, beta, f"prdp-plane-{VERSION}-{pretraining}.safetensors")
    exact = measured == "target"
    return World(
        policy,
        Mixture(classes=0, components=4),
        Mixture("test", classes=0, components=4),
        reward,
        reward,
        measures=[target.distance],
        deploy=target if exact else None,
        probes=[] if exact else [target.excess(reference)],
    )


def noisy(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
    """DDPM's step, with a little noise also in the last."""
    w0, _, s = ddim(1.0).of(schedule, t, t_next)
    s = s.clamp(min=_LEAST_NOISE)
    return Weights(w0, (schedule.weights(t_next)[1] ** 2 - s**2).clamp(min=0).sqrt(), s)


def blobs(pretraining: int, critic: bool = False, steps: int = 20) -> Diffusion:
    """A denoiser of four blobs as a policy."""
    points, labels = Mixture(classes=0, components=4).data(8192)
    return Diffusion(
        mixture_base(points, labels, schedule=_PLANE, prediction=V, iterations=pretraining),
        steps=steps,
        rule=FixedRule("ddpm, noisy to the end", noisy),
        schedule=_PLANE,
        prediction=V,
        event="sum",
        shape=(2,),
        classes=0,
        critic=critic,
    )


class Target:
    """p_ref(x) exp(r/beta) / Z: 65536 of the base's own points, and their weights. A `Sampler` that draws from them."""

    def __init__(self, reference: Sampler, reward: Reward, beta: float, name: str):
        self.reward, self.beta = reward, beta
        self.points: Float[Tensor, "M 2"] = _sampled(reference, name)
        log_weights = reward([], self.points).double() / beta
        self.log_z = float(log_weights.logsumexp(0)) - math.log(len(log_weights))
        self.weights = log_weights.softmax(0)
        self.shares = _weighted(self.points, self.weights)

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """Points of the base's sample, each as often as its weight says; no decision is the policy's."""
        u = uniform(row_keys(problems, group, seed), 1)[:, 0].contiguous()
        place = torch.searchsorted(self.weights.cumsum(0), u)
        points = self.points[place.clamp(max=len(self.points) - 1)]
        nothing = torch.zeros(len(points), 1)
        everyone = tuple(problem for problem in problems for _ in range(group))
        return Rollouts(everyone, group, points, {}, nothing.bool(), nothing)

    def distance(self, problems: Sequence[Problem], outputs: Float[Tensor, "N 2"]) -> dict[str, float]:
        """Total variation between the points and the target; as `score`, its negative."""
        apart = total_variation(histogram(outputs, _LOW, _HIGH, _CELLS), self.shares)
        return {"total_variation": apart, "score": -apart}

    def excess(self, reference: Policy) -> Callable[[Any], Mapping[str, float]]:
        """KL(policy || optimum) of whole paths: mean of log pi/pi_ref - r/beta + log Z. No variance at the optimum."""

        @torch.no_grad()
        def probe(policy: Policy) -> dict[str, float]:
            rows = policy.sample([Problem(0, None, task="excess")], 4096, seed=0)
            ratio = (policy.log_prob(rows) - reference.log_prob(rows)).sum(1)
            excess = ratio - self.reward(rows.problems, rows.outputs) / self.beta + self.log_z
            return {"excess": float(excess.mean()), "kl": float(ratio.mean())}

        return probe


def _weighted(points: Float[Tensor, "M 2"], weights: Float[Tensor, "M"]) -> Float[Tensor, "C2"]:
    """The weight in each cell of the grid."""
    place = ((points.double() - _LOW) / (_HIGH - _LOW) * _CELLS).floor().long()
    inside = ((place >= 0) & (place < _CELLS)).all(dim=1)
    flat = (place[:, 0] * _CELLS + place[:, 1])[inside]
    return torch.zeros(len(grid(_LOW, _HIGH, _CELLS)), dtype=torch.float64).index_add(0, flat, weights[inside])


def _sampled(reference: Sampler, name: str, count: int = 2**16) -> Float[Tensor, "M 2"]:
    """Points of the base, drawn once with noise that is no run's, and then read from the cache."""
    from safetensors.torch import load_file, save_file

    def build() -> Tensor:
        return reference.sample([Problem(0, None, task="target")], count, seed=0).outputs

    def save(points: Tensor, path: Path) -> None:
        save_file({"points": points}, path)

    return cached(name, build, save, lambda path: load_file(path)["points"])


# Digits ------------------------------------------------------------------------------------------------------------


def digits(setting: Literal["few", "many"], spread: float, pretraining: int, critic: bool = False) -> World:
    """A badly taught denoiser of digits, asked in words that each earn a constant of their own."""
    train, test = Digits("train"), Digits("test")
    judge, unseen = digits_judge(train.images, train.labels), digits_judge(test.images, test.labels, seed=1)
    base = digits_base(
        train.images, mislabelled(train.labels, 0.65), schedule=Cosine(), prediction=V, iterations=pretraining
    )
    policy = Diffusion(
        Deaf(base),
        steps=10,
        rule=ddim(1.0),
        schedule=Cosine(),
        prediction=V,
        event="sum",
        shape=(8, 8),
        classes=CLASSES * 2 * _WORDINGS,
        critic=critic,
    )
    asked, read, apart = target_class(judge), judge_accuracy(unseen), frechet_to(unseen, test.images)

    def unshifted(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        return asked(plain(problems), images)

    def shifted(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        return unshifted(problems, images) + spread * constants(problems).to(images)

    def measure(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> dict[str, float]:
        found = dict(read(plain(problems), images))
        return {**found, **apart(problems, images), "score": found["judge/accuracy"]}

    return World(policy, Worded(setting), Worded(setting, "test"), shifted, unshifted, [measure])


class Worded:
    """Digits asked for in words: `input` is the digit plus ten times the number of the wording.

    Of `many` no prompt comes twice in 16384; with `few` every digit has one wording.
    """

    size = None

    def __init__(self, setting: Literal["few", "many"], split: str = "train"):
        self.name, self.setting, self.split = "worded", setting, split

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        digit = hashed("worded", self.setting, self.split, index) % CLASSES
        wording = 0 if self.setting == "few" else index % _WORDINGS + _WORDINGS * (self.split == "test")
        return Problem(index, digit + CLASSES * wording, task=self.name, split=self.split)


class Deaf(nn.Module):
    """A denoiser of digits that is told the digit of a prompt and not its wording."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(
        self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]
    ) -> Float[Tensor, "N *S"]:
        """What the net says."""
        return self.net(x, t, label % CLASSES)


def plain(problems: Sequence[Problem]) -> list[Problem]:
    """The problems with the digit alone as input."""
    return [replace(problem, input=problem.input % CLASSES) for problem in problems]


def constants(problems: Sequence[Problem]) -> Float[Tensor, "N"]:
    """What each prompt is paid besides: uniform over prompts, with mean 0 and standard deviation 1."""
    places = [hashed("constant", problem.input) % 2**20 / 2**20 for problem in problems]
    return math.sqrt(12) * (torch.tensor(places) - 0.5)


# The claim ---------------------------------------------------------------------------------------------------------

_PLANE_ARM = {"setting": "plane", "prompts": 32, "group": 8, "problems": 32, "samples": 256}
_PLANE_GRID = {"lr": (3e-5, 3e-4, 1e-3)}


def _prdp(clip: float = 0.5, beta: float = 0.005) -> Method:
    return reward_difference_prediction(beta=beta, clip=clip, epochs=2, minibatches=4)


def _ddpo() -> Method:
    return ddpo(clip=0.5, epochs=2, minibatches=4)


def _in_plane(text: str, method: Method, **arguments: Any) -> Arm:
    return Arm(text, {**_PLANE_ARM, "method": method, "steps": 32, **arguments}, grid=_PLANE_GRID)


CLAIM = Claim(
    sentence="A diffusion model that predicts differences of rewards by differences of log-ratios has the optimum of "
    "the KL-regularised objective as its own; with proximal updates it matches DDPO on few prompts, and stays stable "
    "on many, where DDPO fails.",
    source="Deng et al. 2024, arXiv:2402.08714",
    arms={
        "plane-base": Arm("the base of the plane, untrained", {**_PLANE_ARM, "steps": 0}, grid={}),
        "plane-exact": Arm("draws from the optimum", {**_PLANE_ARM, "steps": 0, "measured": "target"}, grid={}),
        "plane-prdp": _in_plane("PRDP", _prdp(beta=1.0)),
        "plane-prdp-open": _in_plane("PRDP without its clip", _prdp(beta=1.0, clip=1e3)),
        "plane-ddpo": _in_plane("DDPO, which knows no reference", _ddpo()),
        "plane-kl-control": _in_plane(
            "policy gradient on the same objective, as many updates", kl_control(beta=1.0), prompts=4, steps=256
        ),
        "base": Arm("the base of the digits, untrained", {"steps": 0}, grid={}),
        "few-prdp": Arm("PRDP, ten prompts", {"method": _prdp(), "setting": "few"}),
        "few-ddpo": Arm("DDPO, ten prompts", {"method": _ddpo(), "setting": "few"}),
        "prdp": Arm("PRDP, no prompt twice", {"method": _prdp()}),
        "prdp-open": Arm("PRDP without its clip, no prompt twice", {"method": _prdp(clip=1e3)}),
        "ddpo": Arm("DDPO, no prompt twice", {"method": _ddpo()}),
        "loop": Arm("LOOP, no prompt twice", {"method": loop(clip=0.5, epochs=2, minibatches=4)}),
        "even-ddpo": Arm("DDPO, no prompt twice, no constants", {"method": _ddpo(), "spread": 0.0}),
    },
    metric="score",
    statements=[
        Statement("PRDP ends near the optimum", "total_variation", "plane-prdp", "plane-exact", most=0.08),
        Statement("DDPO does not", "total_variation", "plane-ddpo", "plane-prdp", least=0.2),
        Statement("On few prompts PRDP matches DDPO", "judge/accuracy", "few-prdp", "few-ddpo", least=-0.08),
        Statement("On many it beats DDPO", "judge/accuracy", "prdp", "ddpo", least=0.1),
        Statement("The clip keeps it from drifting", "train/kl", "prdp-open", "prdp", least=0.0),
        *(
            Statement(text, metric, arm, over, least, most, claimed=False)
            for text, metric, arm, over, least, most in (
                ("Nats from the optimum", "excess", "plane-prdp", None, -inf, 0.25),
                ("So does policy gradient", "total_variation", "plane-kl-control", "plane-prdp", -0.05, 0.05),
                ("In the plane the clip hardly matters", "total_variation", "plane-prdp-open", "plane-prdp", -0.1, 0.1),
                ("DDPO fails by the batch's statistics", "judge/accuracy", "few-ddpo", "ddpo", 0.1, inf),
                ("and those by the constants", "judge/accuracy", "even-ddpo", "ddpo", 0.1, inf),
                ("without which it is as good", "judge/accuracy", "even-ddpo", "prdp", -0.08, inf),
                ("LOOP centres by prompt and is as good", "judge/accuracy", "loop", "prdp", -0.08, 0.08),
                ("PRDP stays nearer to its start than LOOP", "train/kl", "prdp", "loop", -inf, 0.0),
                ("Without the clip digits decay", "frechet", "prdp-open", "prdp", 0.0, inf),
            )
        ),
    ],
    budget="8192 points of 20 denoising steps in the plane, 2048 digits of 10 elsewhere",
    scaled_down="A 0.5 M-parameter denoiser of 8x8 digits for Stable Diffusion 1.4, thousands of prompts for 100 "
    "thousand, ten for 45; prompts differ in a constant of the reward, and not in what they ask for.",
    real="`rlft.policies.stepwise.diffusion.Diffusion` around any denoiser with `rlft.methods.prdp`",
    table=("total_variation", "excess", "judge/accuracy", "frechet", "train/kl", "reward"),
    shared=(),
    grid={"lr": (3e-4, 1e-3, 3e-3)},
    smoke={"steps": 1, "pretraining": 20, "prompts": 8, "problems": 32, "samples": 1},
)
