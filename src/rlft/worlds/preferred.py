"""Digits by a flow model in the stages of Kandinsky 5: pre-trained on good and bad pictures, fine-tuned on good ones in
groups and averaged, and a judge of pairs that has learned the order pre-trained < fine-tuned < real.

The judge sees pictures of the training split alone. What measures is a classifier that saw the held-out split alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from rlft.cache import cached
from rlft.measure.images import frechet_to, judge_accuracy, variety_of_right
from rlft.models.denoiser import ResidualMLP, digits_base, train_denoiser
from rlft.models.digits_judge import digits_judge
from rlft.models.pair_judge import PairJudge, PairMLP
from rlft.models.schedules import VELOCITY, RectifiedFlow
from rlft.models.soup import average
from rlft.noise import hashed
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ode
from rlft.rewards.learned.fitting import Fitting
from rlft.rewards.learned.pairwise import Pairs, fit_pairs, preferred
from rlft.tasks.digits import CLASSES, Digits
from rlft.types import Measure, Problem
from rlft.worlds import World

# Raised when a model would come out otherwise.
VERSION = 1
# The sub-domains that are fine-tuned apart.
GROUPS = ((0, 1, 2), (3, 4, 5), (6, 7, 8, 9))
_DRAWN = 2048  # pictures of each model, for the judge
Start = Literal["pretrained", "sft", "soup"]


def spoiled(images: Float[Tensor, "M 8 8"], seed: int) -> Float[Tensor, "M3 8 8"]:
    """The pictures, the pictures blurred by the mean of 3 x 3 pixels, and the pictures with noise of deviation 0.4."""
    blurred = avg_pool2d(pad(images[:, None], (1, 1, 1, 1), value=-1.0), 3, stride=1)[:, 0]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return torch.cat([images, blurred, (images + 0.4 * noise).clamp(-1, 1)])


def trembling(images: Float[Tensor, "M 8 8"], draws: torch.Generator) -> Float[Tensor, "M 8 8"]:
    """The pictures with noise of each one's own deviation, uniform on 0 to 1: a judge that learns from such is slower
    to be sure of what it has never seen."""
    level = torch.rand((len(images), 1, 1), generator=draws)
    return images + level * torch.randn(images.shape, generator=draws)


def preferred_digits(
    start: Start = "soup",
    against: Literal["real", "sample"] = "real",
    denoising_steps: int = 20,
    pretraining: int = 1500,
    tuning: int = 200,
    judging: int = 20,
    seed: int = 0,
) -> World:
    """Digits that a judge of pairs should prefer to real ones, by a flow model.

    Args:
        start: the pre-trained model, one fine-tuned on all good pictures at once, or the average of three that were
            fine-tuned on three groups of digits.
        against: what the judge compares with, a real picture of the digit or one that the average has drawn.
        denoising_steps: of the ODE.
        pretraining: iterations on good and bad pictures.
        tuning: iterations on good ones, for each of the three groups; as many in all for one model.
        judging: passes of the judge over its pairs.
        seed: of everything random, the models too.
    """
    made = Models(pretraining, tuning, judging, denoising_steps, seed)
    train, test = Digits("train"), Digits("test")
    unseen = digits_judge(test.images, test.labels, seed=1)
    real = preferred(made.judge())
    measures = [
        wins(made.judge(), made.policy("soup")),
        judge_accuracy(unseen),
        variety_of_right(unseen, train.images, train.labels),
        frechet_to(unseen, test.images),
    ]
    reward = real if against == "real" else preferred(made.judge(), made.sampled)
    return World(made.policy(start), train, test, reward, judged=real, measures=measures)


def wins(judge: PairJudge, other: Diffusion) -> Measure:
    """Against what another model draws for the same problem from other noise, by the judge of pairs.

    win          the share of pictures that the judge finds better
    preference   its mean probability of that
    """

    @cache
    def drawn(problems: tuple[tuple[int, int], ...]) -> Tensor:
        asked = [Problem(index, digit, task="wins", split="test") for index, digit in problems]
        return other.sample(asked, 1, seed=hashed("wins") % 2**31).outputs

    @torch.no_grad()
    def measure(problems: Sequence[Problem], images: Float[Tensor, "N 8 8"]) -> dict[str, float]:
        theirs = drawn(tuple((problem.index, problem.input) for problem in problems))
        logits = judge(images, theirs, torch.tensor([problem.input for problem in problems]))
        return {"win": float((logits > 0).double().mean()), "preference": float(logits.sigmoid().double().mean())}

    return measure


class Models:
    """The models of one seed, each made once and then read from the cache."""

    def __init__(self, pretraining: int, tuning: int, judging: int, denoising_steps: int, seed: int):
        self.settings = (VERSION, pretraining, tuning, judging, denoising_steps, seed)
        self.pretraining, self.tuning, self.judging = pretraining, tuning, judging
        self.steps, self.seed, self.data = denoising_steps, seed, Digits("train")

    def policy(self, start: Start) -> Diffusion:
        """A policy of its own with these weights, which follows the ODE."""
        net = ResidualMLP((8, 8), classes=CLASSES, width=256, blocks=3, seed=self.seed)
        net.load_state_dict(self.weights(start))
        told = {"schedule": RectifiedFlow(), "prediction": VELOCITY, "event": "sum", "shape": (8, 8)}
        return Diffusion(net, steps=self.steps, rule=ode(), classes=CLASSES, block=64, **told)

    def weights(self, start: Start) -> dict[str, Tensor]:
        """Of the pre-trained model, of one fine-tuned on all, or the average."""
        if start == "pretrained":
            return self._base().state_dict()
        if start == "sft":
            return self._tuned(tuple(range(CLASSES)), self.tuning * len(GROUPS))
        return average([(self._tuned(group, self.tuning), 1 / len(GROUPS)) for group in GROUPS])

    def _base(self) -> ResidualMLP:
        told = {"schedule": RectifiedFlow(), "prediction": VELOCITY, "iterations": self.pretraining}
        return digits_base(spoiled(self.data.images, self.seed), self.data.labels.repeat(3), seed=self.seed, **told)

    def _tuned(self, digits: tuple[int, ...], iterations: int) -> dict[str, Tensor]:
        """The pre-trained model, fine-tuned on the good pictures of these digits."""

        def build() -> dict[str, Tensor]:
            net, mine = self._base(), torch.isin(self.data.labels, torch.tensor(digits))
            told = {"schedule": RectifiedFlow(), "prediction": VELOCITY, "null": CLASSES, "batch": 128, "lr": 3e-4}
            images, labels = self.data.images[mine], self.data.labels[mine]
            train_denoiser(net, images, labels, iterations=iterations, seed=self.seed, **told)
            return net.state_dict()

        name = f"tuned-{hashed(*self.settings[:3], self.seed, digits, iterations):x}"
        return cached(f"preferred/{name}.safetensors", build, save_file, load_file)

    def drawn(self, start: Start) -> dict[str, Tensor]:
        """What a model draws: `images` of the digits `labels`."""

        def build() -> dict[str, Tensor]:
            asked = [Problem(i, i % CLASSES, task="drawn") for i in range(_DRAWN)]
            images = self.policy(start).sample(asked, 1, seed=self.seed).outputs
            return {"images": images, "labels": torch.arange(_DRAWN) % CLASSES}

        return cached(f"preferred/drawn-{hashed(*self.settings, start):x}.safetensors", build, save_file, load_file)

    def sampled(self, problems: Sequence[Problem]) -> Float[Tensor, "N 8 8"]:
        """A picture of the average's for each problem, of the digit that it asks for."""
        images = self.drawn("soup")["images"]
        rows = [
            (hashed("sampled", *problem.key) % (_DRAWN // CLASSES)) * CLASSES + problem.input for problem in problems
        ]
        return images[rows]

    def judge(self) -> PairJudge:
        """The judge of pairs, frozen."""
        judge = PairJudge(PairMLP((8, 8), CLASSES, seed=self.seed))

        def build() -> dict[str, Tensor]:
            draws = torch.Generator().manual_seed(self.seed)
            told = Fitting(epochs=self.judging, lr=1e-3, batch=128, seed=self.seed)
            fit_pairs(judge, self.pairs(), told, lambda images: trembling(images, draws))
            return judge.state_dict()

        name = f"preferred/judge-{hashed(*self.settings):x}.safetensors"
        judge.load_state_dict(cached(name, build, save_file, load_file))
        return judge.requires_grad_(False)

    def pairs(self) -> Pairs:
        """Real over fine-tuned, real over pre-trained, fine-tuned over pre-trained, always of one digit.

        Pairs are held out by the first of their pictures: a real one, or one that the average drew.
        """
        real = {"images": self.data.images, "labels": self.data.labels}
        tuned, before = self.drawn("soup"), self.drawn("pretrained")
        parts = [
            _matched(real, tuned, self.seed),
            _matched(real, before, self.seed + 1),
            _matched(tuned, before, self.seed + 2),
        ]
        counts = torch.arange(len(self.data.labels)), len(self.data.labels) + torch.arange(_DRAWN)
        groups = torch.cat([counts[0], counts[0], counts[1]])
        first, second, asked = (torch.cat(list(column)) for column in zip(*parts, strict=True))
        return Pairs(first, second, asked, groups)


def _matched(
    better: Mapping[str, Tensor], worse: Mapping[str, Tensor], seed: int
) -> tuple[Tensor, Tensor, Int[Tensor, "M"]]:
    """Each of the better pictures beside one of the worse of the same digit, and the digits."""
    draws, found = torch.Generator().manual_seed(seed), torch.zeros_like(better["labels"])
    for digit in range(CLASSES):
        mine, theirs = ((held["labels"] == digit).nonzero()[:, 0] for held in (better, worse))
        found[mine] = theirs[torch.randint(len(theirs), (len(mine),), generator=draws)]
    return better["images"], worse["images"][found], better["labels"]
