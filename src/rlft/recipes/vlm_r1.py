"""Rule rewards for pictures: how average precision is cheated and cured, and RL against SFT out of domain. After Shen
et al. 2025, "VLM-R1", arXiv:2504.07615.

A small LLaVA whose tower knows coloured shapes. `objects`: it lists boxes and labels as JSON. Average precision with
equal scores does not fine boxes behind the last right one, nor labels that are not there; its teacher has said one box
too many now and then, and a policy that is paid for precision alone can say ever more. With the length-corrected reward
it cannot. `place`: one box for a phrase; phrases that name a thing are trained on, phrases that point at it by its
colour or by its neighbours are tested too. RL is paid by the overlap, SFT is given the boxes, of the same problems.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.spotted import spotted

GRPO = grpo(beta=0.0)

vlm_r1 = recipe(
    spotted, GRPO, watch_kl=False, steps=80, prompts=16, group=8, lr=3e-4, rows=None, problems=None, samples=2
)


def _objects(rewarded: str) -> dict[str, object]:
    return {"asked": "objects", "rewarded": rewarded}


PLACE = {"asked": "place", "rewarded": "iou", "steps": 200}

CLAIM = Claim(
    sentence="Paid by average precision alone a model learns to say boxes that are not there; with too many boxes "
    "fined it does not, and detects better. Paid by overlap it finds what phrases mean better than SFT on the same "
    "problems, most of all phrases of another kind.",
    source="Shen et al. 2025, arXiv:2504.07615",
    budget="80 steps of 16 problems with 8 answers each for objects and 200 for phrases, or for SFT as many updates on "
    "16 right answers each; every arm chooses its learning rate from the same two.",
    scaled_down="a LLaVA of 0.45 million parameters whose tower was taught what is in each patch, for Qwen2.5-VL 3B; "
    "pictures of 32 by 32 pixels with one to four coloured shapes, corners on every fourth pixel; 1000 pictures to "
    "learn from. RL has no KL. Metrics are those of held-out pictures, two answers each at temperature 1.",
    real="rlft train --model Qwen/Qwen2.5-VL-3B-Instruct --data TRAIN.jsonl --answer-field solution --reward "
    "od_length format --method grpo --method.beta 0.04 --group 8 --lora 64",
    metric="reward",
    table=("boxes", "precision", "map", "nms", "inside", "outside"),
    shared=(),
    grid={"lr": (1e-4, 3e-4)},
    smoke={"steps": 2, "imitation": 4, "looks": 4, "prompts": 4, "group": 4, "pictures": 16, "problems": 8},
    arms={
        "ap": Arm("objects, average precision", _objects("ap")),
        "od-length": Arm("objects, odLength: too many boxes fined", _objects("od_length")),
        "recall": Arm("objects, the weighted sum", _objects("recall")),
        "objects-sft": Arm("objects, SFT", {**_objects("od_length"), "method": sft()}),
        "place-rl": Arm("a phrase's box, GRPO on its overlap", PLACE, seeds=12),
        "place-sft": Arm("a phrase's box, SFT", {**PLACE, "method": sft()}, seeds=12),
    },
    statements=[
        above("average precision pays for boxes that are not there", "ap", "od-length", least=0.3, of="boxes"),
        above("with too many boxes fined more of them are right", "od-length", "ap", least=0.05, of="precision"),
        above("and detection is better, overlapping boxes taken out", "od-length", "ap", least=0.0, of="nms"),
        above("RL finds named things better than SFT", "place-rl", "place-sft", least=0.0, of="inside"),
        above("and things that are pointed at", "place-rl", "place-sft", least=0.0, of="outside"),
        *checks(
            between("so many boxes as there are", "od-length", least=0.8, most=1.2, of="boxes"),
            above("RL on odLength detects better than SFT", "od-length", "objects-sft", least=0.0, of="map"),
            below("the weighted sum fines false boxes", "recall", "ap", most=-0.3, of="boxes"),
        ),
    ],
)
