"""Class-conditional diffusion of handwritten digits, with two judges: one to be paid by, one that saw other images."""

from __future__ import annotations

from torch import nn

from rlft.measure.images import diversity_within, frechet_to, judge_accuracy, variety_of_right
from rlft.models.denoiser import digits_base
from rlft.models.digits_judge import digits_judge
from rlft.models.schedules import Cosine, V
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddim
from rlft.policies.stepwise.stepwise import Event
from rlft.rewards.images import ink, offset, target_class
from rlft.tasks.digits import CLASSES, Digits, mislabelled
from rlft.worlds import World

# What each class is paid beside the judge's probability, in units of `spread`: mean 0, standard deviation 1.
CONSTANTS = (0.52, -1.57, 1.04, -0.52, 1.57, -1.04, 0.26, -0.26, 1.31, -1.31)


def asked_for(spread: float = 2.0, wrong: float = 0.65, pretraining: int = 1500, critic: bool = False) -> World:
    """The digit that was asked for, by a class-conditional diffusion model that was badly taught.

    Args:
        spread: standard deviation over digits of the constant in the reward; 0 is the judge's probability alone.
        wrong: share of wrong labels in the base model's data.
        pretraining: iterations of the base model's training.
    """
    train, test = Digits("train"), Digits("test")
    judge, unseen = digits_judge(train.images, train.labels), digits_judge(test.images, test.labels, seed=1)
    asked = target_class(judge)
    return World(
        denoiser(base(train, wrong, pretraining), critic=critic),
        train,
        test,
        reward=offset(asked, [spread * constant for constant in CONSTANTS]),
        judged=asked,
        measures=[judge_accuracy(unseen), frechet_to(unseen, test.images)],
    )


def aligned(wrong: float = 0.65, denoising_steps: int = 10, pretraining: int = 1500, critic: bool = False) -> World:
    """The digit that was asked for, by a diffusion model that was badly taught; how varied right ones are is measured.

    Args:
        wrong: share of wrong labels in the base model's data.
        denoising_steps: in a row; the last one has no noise and is no decision.
        pretraining: iterations of the base model's training.
    """
    train, test = Digits("train"), Digits("test")
    judge, unseen = digits_judge(train.images, train.labels), digits_judge(test.images, test.labels, seed=1)
    policy = denoiser(base(train, wrong, pretraining), steps=denoising_steps, critic=critic)
    measures = [
        judge_accuracy(unseen),
        variety_of_right(unseen, train.images, train.labels),
        frechet_to(unseen, test.images),
    ]
    return World(policy, train, test, target_class(judge), measures=measures)


def bold(
    denoising_steps: int = 10,
    event: Event = "sum",
    guidance: float = 1.0,
    pretraining: int = 1500,
    critic: bool = False,
) -> World:
    """Bold digits, by a class-conditional diffusion model.

    Args:
        denoising_steps: decisions in a row.
        event: how a step's log-probability is reduced over the 64 pixels; the clip range depends on it.
        guidance: classifier-free guidance, in sampling and in scoring.
        pretraining: iterations of the base model's training.
    """
    net = base(Digits("train"), iterations=pretraining)
    return inked(denoiser(net, steps=denoising_steps, event=event, guidance=guidance, critic=critic))


def inked(policy: Diffusion) -> World:
    """Much ink; whether the digit that was asked for can still be read is measured."""
    train, test = Digits("train"), Digits("test")
    judge = digits_judge(train.images, train.labels)
    measures = [judge_accuracy(judge), frechet_to(judge, test.images), diversity_within(judge)]
    return World(policy, train, test, ink, measures=measures, watched=measures[:1], problems=256)


def base(data: Digits, wrong: float = 0.0, iterations: int = 1500) -> nn.Module:
    """The cached network that has learned these images, this share of whose labels were wrong."""
    labels = mislabelled(data.labels, wrong) if wrong else data.labels
    return digits_base(data.images, labels, schedule=Cosine(), prediction=V, iterations=iterations)


def denoiser(
    net: nn.Module,
    steps: int = 10,
    event: Event = "sum",
    guidance: float = 1.0,
    classes: int = CLASSES,
    critic: bool = False,
) -> Diffusion:
    """A network as a policy that draws an image in so many stochastic steps."""
    kind = {"rule": ddim(1.0), "schedule": Cosine(), "prediction": V, "shape": (8, 8)}
    return Diffusion(net, steps=steps, event=event, guidance=guidance, classes=classes, critic=critic, **kind)
