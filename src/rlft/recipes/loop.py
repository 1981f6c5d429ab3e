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

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.ddpo import ddpo
from rlft.methods.loop import loop as leave_one_out_ppo
from rlft.methods.reinforce import reinforce
from rlft.methods.rloo import rloo
from rlft.recipes import recipe
from rlft.types import Method
from rlft.worlds.digits import asked_for

# No prompt ever has as many rewards: the statistics are always the batch's.
NEVER = 10**9


def _leave_one_out(clip: float = 0.5) -> Method:
    return leave_one_out_ppo(clip=clip, epochs=2, minibatches=4)


def _ppo(at_least: int) -> Method:
    return ddpo(clip=0.5, at_least=at_least, epochs=2, minibatches=4)


loop = recipe(asked_for, _leave_one_out(), steps=8, prompts=64, group=4, lr=1e-3, problems=1024)

CLAIM = Claim(
    sentence="For diffusion models, PPO with several samples of each prompt and a leave-one-out baseline turns the "
    "same number of samples into more reward than REINFORCE, than REINFORCE with that baseline, and than PPO without.",
    source="Gupta et al. 2025, arXiv:2503.00897",
    budget="2048 images of 10 denoising steps each",
    scaled_down="A 0.5 M-parameter denoiser of 8x8 digits for Stable Diffusion 2; a digit for attributes bound to "
    "objects; 8 batches for hundreds of epochs; every weight is trained, and at guidance 1.",
    real="rlft train --model CompVis/stable-diffusion-v1-4 --data PROMPTS.jsonl --reward SCORE.py:score --method loop "
    "--event mean --group 4 --prompts 32 --denoising-steps 50 --guidance 5 --lora 16 --lr 3e-4 --steps 200",
    metric="judge/accuracy",
    table=("reward", "frechet", "train/kl", "cost/updates"),
    grid={"lr": (3e-4, 1e-3, 3e-3)},
    smoke={"steps": 1, "pretraining": 20, "prompts": 8, "problems": 32},
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
    statements=[
        above("LOOP beats REINFORCE", "loop", "reinforce", least=0.1),
        above("LOOP beats RLOO", "loop", "rloo", least=0.05),
        above("LOOP beats PPO with the batch's baseline", "loop", "ppo", least=0.1),
        above("RLOO beats REINFORCE", "rloo", "reinforce", least=0.05),
        *checks(
            above("It is not the updates alone", "loop", "rloo-often", least=0.05),
            below("It is not drift: LOOP stays nearer to real digits than RLOO", "loop", "rloo", of="frechet"),
            above("DDPO, whose ten prompts come back, is as good", "ddpo", "loop", least=-0.1),
            above("The constants are what PPO fails by", "ppo-even", "ppo", least=0.2),
            below("Without them LOOP is no better than PPO", "loop-even", "ppo-even", most=0.08),
            between("They are nothing to LOOP", "loop", "loop-even", least=-0.08, most=0.08),
            above("More images of a prompt do not hurt", "loop-8", "loop-2"),
            above("The clip is needed", "loop", "loop-open", least=0.1),
            above("A tight clip costs", "loop", "loop-tight"),
        ),
    ],
)
