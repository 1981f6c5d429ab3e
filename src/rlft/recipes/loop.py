"""Leave-one-out PPO against REINFORCE, RLOO and PPO on a diffusion model. Gupta et al. 2025, arXiv:2503.00897.

A denoiser of digits whose training labels were mostly wrong draws the digit that was asked for a third of the time.
Reward is a judge's probability of that digit plus a constant of the digit's own, as prompts differ in what can be
earned with them; a second judge, which saw other images, says how often the digit is there, and nothing is offset.

All arms draw the same images. REINFORCE and RLOO use a batch for one update, PPO and LOOP for eight, each arm at its
own best learning rate. `ddpo`, whose baseline is what the same prompt has earned before, is the competitor that the
comparison needs most. `rloo-often` spends RLOO's images on as many updates as LOOP has, all on-policy: is it reuse
that helps, or the number of updates? Without the constants a baseline for each prompt should not matter.
"""

from __future__ import annotations

from math import inf

from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.images import frechet_to, judge_accuracy
from rlft.methods.ddpo import ddpo
from rlft.methods.loop import loop as leave_one_out_ppo
from rlft.methods.reinforce import reinforce
from rlft.methods.rloo import rloo
from rlft.models.denoiser import digits_base
from rlft.models.digits_judge import digits_judge
from rlft.models.schedules import Cosine, V
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddim
from rlft.rewards.images import offset, target_class
from rlft.runs.drive import Run
from rlft.tasks.digits import Digits, mislabelled
from rlft.training.trainer import Trainer
from rlft.types import Method, Runtime

# What each class is paid beside the judge's probability, in units of `spread`: mean 0, standard deviation 1.
CONSTANTS = (0.52, -1.57, 1.04, -0.52, 1.57, -1.04, 0.26, -0.26, 1.31, -1.31)
# No prompt ever has as many rewards: the statistics are always the batch's.
NEVER = 10**9


def loop(
    method: Method = leave_one_out_ppo(clip=0.5, epochs=2, minibatches=4),
    steps: int = 8,
    prompts: int = 64,
    group: int = 4,
    lr: float = 1e-3,
    spread: float = 2.0,
    wrong: float = 0.65,
    pretraining: int = 1500,
    problems: int = 1024,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """The digit that was asked for, by a class-conditional diffusion model that was badly taught.

    Args:
        steps: steps in all.
        prompts: digits asked for in a step.
        group: images of each.
        lr: learning rate.
        spread: standard deviation over digits of the constant in the reward; 0 is the judge's probability alone.
        wrong: share of wrong labels in the base model's data.
        pretraining: iterations of the base model's training.
        problems: held-out digits, one image each.
        seed: of everything random but the base.
    """
    train, test = Digits("train"), Digits("test")
    judge, unseen = digits_judge(train.images, train.labels), digits_judge(test.images, test.labels, seed=1)
    labels = mislabelled(train.labels, wrong)
    policy = Diffusion(
        digits_base(train.images, labels, schedule=Cosine(), prediction=V, iterations=pretraining),
        steps=10,
        rule=ddim(1.0),
        schedule=Cosine(),
        prediction=V,
        event="sum",
        shape=(8, 8),
        classes=10,
        critic=method.critic,
    )
    asked = target_class(judge)
    trainer = Trainer(
        policy,
        method,
        train,
        offset(asked, [spread * constant for constant in CONSTANTS]),
        prompts=prompts,
        group=group,
        lr=lr,
        seed=seed,
        watch_kl=True,
        runtime=runtime,
    )
    measures = [judge_accuracy(unseen), frechet_to(unseen, test.images)]
    return Run(trainer, steps, test, reward=asked, problems=problems, measures=measures)


def _leave_one_out(clip: float = 0.5) -> Method:
    return leave_one_out_ppo(clip=clip, epochs=2, minibatches=4)


def _ppo(at_least: int) -> Method:
    return ddpo(clip=0.5, at_least=at_least, epochs=2, minibatches=4)


CLAIM = Claim(
    sentence="For diffusion models, PPO with several samples of each prompt and a leave-one-out baseline turns the "
    "same number of samples into more reward than REINFORCE, than REINFORCE with that baseline, and than PPO without.",
    source="Gupta et al. 2025, arXiv:2503.00897",
    arms={
        "base": Arm("the base model, untrained", {"steps": 0}, grid={}),
        "reinforce": Arm("REINFORCE, the batch's mean as baseline", {"method": reinforce()}),
        "rloo": Arm("REINFORCE with leave-one-out", {"method": rloo()}),
        "rloo-often": Arm(
            "RLOO, an eighth of the batch, eight times the steps", {"method": rloo(), "steps": 64, "prompts": 8}
        ),
        "ppo": Arm("PPO, the batch's mean and deviation as baseline", {"method": _ppo(at_least=NEVER)}),
        "ddpo": Arm("PPO with what each prompt has earned before: DDPO", {"method": _ppo(at_least=16)}),
        "loop": Arm("LOOP, four images of a prompt", {"method": _leave_one_out()}),
        "loop-2": Arm("LOOP, two", {"method": _leave_one_out(), "prompts": 128, "group": 2}),
        "loop-8": Arm("LOOP, eight", {"method": _leave_one_out(), "prompts": 32, "group": 8}),
        "loop-tight": Arm("LOOP, clipped at 1 ± 0.05", {"method": _leave_one_out(clip=0.05)}),
        "loop-open": Arm("LOOP without a clip to speak of, 1 ± 1000", {"method": _leave_one_out(clip=1e3)}),
        "ppo-even": Arm("PPO, no constants in the reward", {"method": _ppo(at_least=NEVER), "spread": 0.0}),
        "loop-even": Arm("LOOP, no constants in the reward", {"method": _leave_one_out(), "spread": 0.0}),
    },
    metric="judge/accuracy",
    statements=[
        Statement("LOOP beats REINFORCE", "judge/accuracy", "loop", "reinforce", least=0.1),
        Statement("LOOP beats RLOO", "judge/accuracy", "loop", "rloo", least=0.05),
        Statement("LOOP beats PPO with the batch's baseline", "judge/accuracy", "loop", "ppo", least=0.1),
        Statement("RLOO beats REINFORCE", "judge/accuracy", "rloo", "reinforce", least=0.05),
        *(
            Statement(text, metric, arm, over, least, most, claimed=False)
            for text, metric, arm, over, least, most in (
                ("It is not the updates alone", "judge/accuracy", "loop", "rloo-often", 0.05, inf),
                ("It is not drift: LOOP stays nearer to real digits than RLOO", "frechet", "loop", "rloo", -inf, 0.0),
                ("DDPO, whose ten prompts come back, is as good", "judge/accuracy", "ddpo", "loop", -0.1, inf),
                ("The constants are what PPO fails by", "judge/accuracy", "ppo-even", "ppo", 0.2, inf),
                ("Without them LOOP is no better than PPO", "judge/accuracy", "loop-even", "ppo-even", -inf, 0.08),
                ("They are nothing to LOOP", "judge/accuracy", "loop", "loop-even", -0.08, 0.08),
                ("More images of a prompt do not hurt", "judge/accuracy", "loop-8", "loop-2", 0.0, inf),
                ("The clip is needed", "judge/accuracy", "loop", "loop-open", 0.1, inf),
                ("A tight clip costs", "judge/accuracy", "loop", "loop-tight", 0.0, inf),
            )
        ),
    ],
    budget="2048 images of 10 denoising steps each",
    scaled_down="A 0.5 M-parameter denoiser of 8x8 digits for Stable Diffusion 2; a digit for attributes bound to "
    "objects; 8 batches for hundreds of epochs; every weight is trained, and at guidance 1.",
    real="`rlft.policies.stepwise.diffusion.Diffusion` around any denoiser with `rlft.methods.loop`",
    table=("reward", "frechet", "train/kl", "cost/updates"),
    grid={"lr": (3e-4, 1e-3, 3e-3)},
    smoke={"steps": 1, "pretraining": 20, "prompts": 8, "problems": 32},
)
