"""Simulations as reward: scripts of molecular dynamics learn from what LAMMPS makes of them (arXiv:2601.02075).

A prompt asks for a fluid in words; a script is run by LAMMPS, goes on for some steps, and is measured there
(`verifiers.lammps`). The base had a careless teacher, who is good at mending what he is told of. The arms: the base;
more of his lessons; GRPO on the graded score; MD-GRPO, where trajectories of low reward come back with their fault in
the prompt in a share of the places of training; and the same without the fault, which is no more than asking again what
is hard. All draw as many rows.

Judged is the share of held-out scripts that do all that is expected; besides ExecSucc@3, how many are done within three
scripts of the agents' loop (generate, run, evaluate, correct), beside three without being told, and how many
simulations were spent.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, checks
from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.worlds.simulated import simulated

STEPS = 20
# A base that has hardly begun writes scripts that do not start.
_RECYCLING = {"lr": (4e-4, 5e-4), "share": (0.25, 0.5)}

mdagent2 = recipe(simulated, grpo(beta=0.0), steps=STEPS, prompts=12, group=8, lr=5e-4, rows=None, every=0)

CLAIM = Claim(
    sentence="A model that has learned scripts by imitation becomes better at them by reinforcement learning on what "
    "simulations show, better still where trajectories of low reward are recycled, and agents that run, evaluate and "
    "correct get more scripts to run.",
    source="arXiv:2601.02075",
    budget="20 steps of 12 prompts with 8 scripts each for every arm that draws, and 25 where it says so; each arm "
    "chooses from four settings.",
    scaled_down="a model of words of 0.2 million parameters for Qwen3-8B, fluids of 16 to 108 atoms asked for in seven "
    "words for questions of users, the faults of a careless teacher for those of a model, measures of the simulation "
    "alone for a judge's score; no pre-training on texts of the field and no questions about it. LAMMPS is real.",
    real="rlft train --model Qwen/Qwen3-8B --data TRAIN.jsonl --reward \"lammps(scored='graded')\" --method grpo "
    "--prompts 32 --group 8 --lr 1e-6",
    metric="reward",
    table=("pass@8", "executed@3", "success@3", "corrected/3", "again/3", "corrected/runs", "simulations"),
    shared=(),
    grid={"lr": (2e-4, 3e-4, 4e-4, 5e-4)},
    smoke={"steps": 1, "imitation": 60, "prompts": 2, "group": 4, "held_out": 2},
    arms={
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "taught": Arm("the base with as many lessons again", {"steps": 0, "imitation": 1000}, grid={}),
        "grpo": Arm("GRPO", seeds=20),
        "md-grpo": Arm(
            "MD-GRPO: low rewards come back with their fault",
            {"recycled": "faults"},
            _RECYCLING,
            seeds=20,
        ),
        "longer": Arm("GRPO, a quarter more of it", {"steps": STEPS + STEPS // 4}, seeds=10),
        "again": Arm("the same without the fault", {"recycled": "plain"}, _RECYCLING, seeds=10),
    },
    statements=[
        above("reinforcement learning gets more scripts right than imitation", "grpo", "taught", least=0.1),
        above("and more to run within three", "grpo", "taught", least=0.05, of="executed@3"),
        above("recycling gets more right than GRPO alone", "md-grpo", "grpo", least=0.02),
        above("agents that correct get more right than three scripts", "base", least=0.1, of="corrected/gain"),
        above("also with a model that was trained", "md-grpo", least=0.0, of="corrected/gain"),
        *checks(
            above("a quarter more of the same would have been seen", "longer", "grpo", least=0.02),
            above("it matters that the fault is told", "md-grpo", "again", least=0.02),
        ),
    ],
)
