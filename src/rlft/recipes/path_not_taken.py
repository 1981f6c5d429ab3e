"""What reinforcement learning does to weights, beside imitation. After Zhu et al. 2025, "The Path Not Taken: RLVR
Provably Learns Off the Principals", arXiv:2511.08567.

A character model of 0.8 million weights that adds two numbers and slips now and then. It is put right by GRPO, or by
imitation of right answers that stops where it is as good and has moved as far. Measured is each matrix of the layers:
the share of entries that are in bfloat16 what they were, how far singular values drifted and their first directions
turned, and whether what changed lies in the principal weights or in the small ones more often than by chance. `noise`
moves the weights as far in random directions. Then some entries only are trained; and from a start whose values in two
layers are turned, which changes no answer, it is seen where what a run changes is still what another run changed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.measure import weights
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds import World
from rlft.worlds.sums import VERSION
from rlft.worlds.weighed import Part, Weights, matrices, weighed

STEPS, LR = 100, 3e-5
# The run that others are compared with; a seed that is not reported.
_OTHER = 1009


def watched(
    imitation: int = 800,
    trained: Part = "all",
    turned: tuple[int, ...] = (),
    noise: float = 0.0,
    beside: int = 0,
) -> World:
    """Two-digit sums, and what becomes of the weights.

    Args:
        imitation: supervised steps of the base model.
        trained: of the layers' matrices: all entries; the half that carries the first tenth of the directions, or the
            other half; the smallest half; any half.
        turned: layers whose values are turned before anything else, which changes no answer.
        noise: the matrices are moved by this share of their norm, in random directions.
        beside: compare with what so many steps of another run by GRPO changed; 0 for no comparison.
    """
    another = (lambda: other(imitation, beside)) if beside else None
    return weighed(imitation, trained, turned, noise, another)


path_not_taken = recipe(watched, grpo(beta=0.0), steps=STEPS, prompts=16, group=16, lr=LR, rows=None, problems=512)


@cache
def other(imitation: int, steps: int) -> Weights:
    """Which entries another run by GRPO changed, by the matrices' names; made once and cached."""

    def build() -> dict[str, Tensor]:
        run = path_not_taken(imitation=imitation, steps=steps, seed=_OTHER)
        policy: Any = run.trainer.policy
        start = {name: matrix.detach().clone() for name, matrix in matrices(policy).items()}
        for _ in range(steps):
            run.trainer.step()
        now = matrices(policy)
        return {name: ~weights.unchanged(old, now[name].detach()) for name, old in start.items()}

    return cached(f"path_not_taken-{VERSION}-{imitation}-{steps}.safetensors", build, save_file, load_file)


_SFT: dict[str, Any] = {"method": sft(), "group": 1, "prompts": 64, "steps": 60}
_FAR = 0.0244

CLAIM = Claim(
    sentence="Reinforcement learning leaves more of the weights as they were than supervised fine-tuning, turns and "
    "stretches their directions less, and changes principal weights less and small ones more often than by chance.",
    source="Zhu et al. 2025, arXiv:2511.08567",
    budget="100 steps of 16 sums, 16 answers each, for every arm of GRPO, at one rate but for `fast`; imitation of 64 "
    "right answers a step takes the 60 steps after which, in pilots, it was as good and had moved as far. Nothing is "
    "tuned: the rate is one at which bfloat16 still sees that some entries have not moved.",
    scaled_down="a character model of 0.8 million float32 weights and sums of two numbers for models of 1.5 to 14 "
    "billion weights and mathematics; the weights are rounded to bfloat16 to be looked at. The paper matches accuracy; "
    "here the distance is matched too, and noise as large stands beside both. The first tenth of the directions, half "
    "of the entries. Accuracy is that of 512 sums that are in no training set, at temperature 1.",
    real="rlft study weights BEFORE AFTER AFTER2",
    metric="reward",
    table=("unchanged", "moved", "drift", "turning", "principal", "low", "shared", "shared/turned", "shared/same"),
    shared=(),
    seeds=6,
    smoke={"imitation": 2, "steps": 2, "prompts": 2, "group": 2, "problems": 8, "beside": 2},
    arms={
        "base": Arm("the model before it learns", {"steps": 0}),
        "rl": Arm("GRPO", {"beside": STEPS}),
        "sft": Arm("imitation of right answers", {**_SFT, "beside": STEPS}),
        "noise": Arm("moved as far in random directions", {"steps": 0, "noise": _FAR}),
        "fast": Arm("GRPO, ten times the rate", {"lr": 10 * LR}),
        "others": Arm("GRPO on the half that is not principal", {"trained": "others"}),
        "principal": Arm("GRPO on the principal half", {"trained": "principal"}),
        "low": Arm("GRPO on the smallest half", {"trained": "low"}),
        "random": Arm("GRPO on any half", {"trained": "random"}),
        "turned": Arm("GRPO, values of two layers turned before", {"turned": (1, 2), "beside": STEPS}),
    },
    statements=[
        above("RL leaves more weights as they were than imitation", "rl", "sft", least=0.005, of="unchanged"),
        below("singular values drift less", "rl", "sft", most=0.0, of="drift"),
        below("their directions turn less", "rl", "sft", most=0.0, of="turning"),
        below("fewer of its changes are principal than by chance", "rl", most=-0.01, of="principal"),
        below("and fewer than imitation's", "rl", "sft", most=-0.001, of="principal"),
        above("more of them are of small weights than by chance", "rl", least=0.01, of="low"),
        above("and more than imitation's", "rl", "sft", least=0.001, of="low"),
        above("two runs change the same weights more often than by chance", "rl", least=0.02, of="shared"),
        below("not where the values were turned", "turned", most=0.02, of="shared/turned"),
        above("without the principal weights it learns as much", "others", "rl", least=-0.05),
        above("and more than with them alone", "others", "principal", least=0.0),
        *checks(
            above("both learn", "rl", "base", least=0.1),
            between("imitation is as good", "sft", "rl", least=-0.05, most=0.05),
            between("and has moved as far", "sft", "rl", least=-0.002, most=0.002, of="moved"),
            between("so has the noise", "noise", "rl", least=-0.002, most=0.002, of="moved"),
            below("noise leaves fewer weights as they were", "noise", "rl", most=-0.005, of="unchanged"),
            above("noise changes the principal weights more often", "noise", "rl", least=0.001, of="principal"),
            below("and the small ones less often", "noise", "rl", most=-0.001, of="low"),
            above("noise drifts more", "noise", "rl", least=0.0, of="drift"),
            below("at ten times the rate hardly a weight is as it was", "fast", most=0.03, of="unchanged"),
            above("where nothing was turned the same weights are changed", "turned", least=0.04, of="shared/same"),
            between("the smallest half learns as any half does", "low", "random", least=-0.05, most=0.05),
        ),
    ],
)
