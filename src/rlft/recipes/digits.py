"""A diffusion model of handwritten digits that learns to draw with more ink. Not a claim of any paper.

The reward is the mean brightness; what it cannot see is whether a judge still reads the digit that was asked for, and
how far the images have gone from real ones. Both are measured beside the KL to the start: a reward that rises alone
proves nothing.
"""

from __future__ import annotations

from rlft.measure.images import diversity_within, frechet_to, judge_accuracy
from rlft.methods.loop import loop
from rlft.models.denoiser import digits_base
from rlft.models.digits_judge import digits_judge
from rlft.models.schedules import Cosine, V
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddim
from rlft.policies.stepwise.stepwise import Event
from rlft.rewards.images import ink
from rlft.runs.drive import Run
from rlft.tasks.digits import Digits
from rlft.training.trainer import Trainer
from rlft.types import Method, Runtime


def digits(
    method: Method = loop(),
    steps: int = 40,
    prompts: int = 16,
    group: int = 8,
    lr: float = 1e-4,
    rows: int | None = None,
    denoising_steps: int = 10,
    event: Event = "sum",
    guidance: float = 1.0,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Bold digits, by a class-conditional diffusion model.

    Args:
        steps: steps in all.
        prompts: classes asked for in a step.
        group: images of each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        denoising_steps: decisions in a row.
        event: how a step's log-probability is reduced over the 64 pixels; the clip range depends on it.
        guidance: classifier-free guidance, in sampling and in scoring.
        seed: of everything random but the base.
    """
    train, test = Digits("train"), Digits("test")
    judge = digits_judge(train.images, train.labels)
    policy = Diffusion(
        digits_base(train.images, train.labels, schedule=Cosine(), prediction=V),
        steps=denoising_steps,
        rule=ddim(1.0),
        schedule=Cosine(),
        prediction=V,
        event=event,
        shape=(8, 8),
        classes=10,
        guidance=guidance,
        critic=method.critic,
    )
    measures = [judge_accuracy(judge), frechet_to(judge, test.images), diversity_within(judge)]
    trainer = Trainer(
        policy,
        method,
        train,
        ink,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        watch_kl=True,
        measures=measures[:1],
        runtime=runtime,
    )
    return Run(trainer, steps, test, problems=256, measures=measures)
