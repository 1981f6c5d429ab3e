"""A reward's gradient through the last steps of a flow, after pre-training, fine-tuning and an average. After
"Kandinsky 5.0: A Family of Foundation Models for Image and Video Generation", 2025, arXiv:2511.14993, whose image model
has these stages.

A flow model of digits has learned good and spoiled pictures alike. It is fine-tuned on good ones, of three groups of
digits apart, and the three models are averaged. A judge of pairs then learns the order pre-trained < average < real
without anybody's labels, and is what the average is paid by: that its picture is preferred to a real one of the same
digit, differentiated through the last K of twenty steps, with the squared distance of velocities to the average as an
anchor. Judged is how often the judge prefers what it draws to what the average draws, and what the judge cannot see:
how far pictures are from held-out real ones in the features of a classifier that has seen those alone, how often that
classifier reads the digit that was asked for, and how much of what is real they cover.

`free` has no anchor and K = 10, and shows what the judge can be fooled by; `more` goes on with fine-tuning on as many
pictures, at twenty times each; `sample` is paid for being preferred to a picture of the average's own.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.draft import draft
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.preferred import preferred_digits

_BETA = 0.02  # the paper's
kandinsky5 = recipe(
    preferred_digits,
    draft(last=10, beta=_BETA),
    watch_kl=False,
    steps=30,
    prompts=64,
    group=1,
    lr=3e-5,
    rows=None,
    problems=1024,
    every=0,
)


def _rl(text: str, last: int = 10, beta: float = _BETA, **more: Any) -> Arm:
    return Arm(text, {"method": draft(last=last, beta=beta), **more}, grid=None if beta else {})


_ARMS = {
    "pretrained": Arm("pre-trained on good and spoiled pictures", {"start": "pretrained", "steps": 0}, grid={}),
    "one": Arm("one model, fine-tuned on all good pictures", {"start": "sft", "steps": 0}, grid={}),
    "sft": Arm("the average of three, fine-tuned on groups of digits", {"steps": 0}, grid={}),
    "more": Arm("the average, fine-tuned further", {"method": sft()}),
    "rl": _rl("the average, then the reward's gradient through ten steps"),
    "rl-1": _rl("through the last step", 1),
    "rl-2": _rl("through the last two", 2),
    "rl-all": _rl("through all twenty", 20),
    "free": _rl("through ten, without the anchor", beta=0.0),
    "free-1": _rl("through the last, without the anchor", 1, beta=0.0),
    "sample": _rl("through ten, preferred to a sample and not to a real picture", against="sample"),
}
CLAIM = Claim(
    sentence="After fine-tuning and averaging, the gradient of a learned preference for real pictures, through the "
    "last ten steps of the sampler and held by an anchor, makes a flow model's pictures better still.",
    source="Kandinsky 5.0, 2025, arXiv:2511.14993",
    budget="30 updates of 64 pictures for every arm that is trained on; RL draws twenty steps and differentiates K, "
    "fine-tuning sees every picture at twenty times. Arms choose their learning rate from two.",
    scaled_down="Digits of 8x8 and networks of 0.5 M weights for Kandinsky 5 Image Lite, every weight trained; 20 "
    "steps of Euler's; the judge of pairs is a small MLP that saw noise, for Qwen2.5-VL, which nobody has to teach to "
    "see; a classifier's features and the judge itself for people who compare.",
    real="rlft train --model kandinskylab/Kandinsky-5.0-T2I-Lite-sft-Diffusers --data PROMPTS.jsonl --reward "
    "JUDGE.py:preferred_to_real --method draft --method.last 10 --method.beta 0.02 --noise ode --denoising-steps 50 "
    "--gradient-checkpointing --group 1 --prompts 64 --lora 64 --lr 1e-5 --steps 1000",
    metric="frechet",
    higher=False,
    table=("win", "preference", "reward", "judge/accuracy", "coverage", "diversity/right", "train/anchor"),
    grid={"lr": (3e-5, 1e-4)},
    seeds=6,
    shared=("updates",),
    smoke={
        "steps": 1,
        "pretraining": 2,
        "tuning": 1,
        "judging": 1,
        "denoising_steps": 3,
        "prompts": 4,
        "problems": 16,
    },
    arms=_ARMS,
    statements=[
        above("the judge prefers RL to the average", "rl", "sft", least=0.05, of="win"),
        below("RL is nearer to held-out real pictures", "rl", "sft", most=-1.0),
        *checks(
            below("fine-tuning has helped: the average against what it began with", "sft", "pretrained", most=-20.0),
            below("one model that was fine-tuned on everything is nearer than the average", "one", "sft", most=-1.0),
            above("without the anchor the judge is surer", "free", "rl", least=0.1, of="win"),
            above("and fooled: pictures are further from real ones", "free", "sft", least=1.0),
            below("and cover less of them", "free", "rl", most=-0.05, of="coverage"),
            above("so with one step", "free-1", "sft", least=1.0),
            between("as much further fine-tuning comes as near", "rl", "more", least=-1.5, most=1.5),
            above("but the judge prefers RL", "rl", "more", of="win"),
            below("ten steps are nearer than one", "rl", "rl-1", most=-0.5),
            between("and as near as all", "rl", "rl-all", least=-1.0, most=1.0),
            between("what it is compared with makes no difference", "rl", "sample", least=-1.0, most=1.0),
            above("the digit is read as often as before", "rl", "sft", least=-0.005, of="judge/accuracy"),
        ),
    ],
)
