"""Pre-GRPO: GRPO with many rollouts of few problems, of which the hard ones are kept. Zhu et al. 2025,
"DRIVE: Data Curation Best Practices for Reinforcement Learning with Verifiable Reward", arXiv:2511.06307.

`grpo`, whose problems come in phases: after each one those that are solved often enough are left out
(`collect.focus.HardFocus`). A group teaches something if its rows differ, and of a problem that a row solves with
probability p it does so with

    P(G) = 1 - p^G - (1 - p)^G           p = .01: .077 for G = 8, .474 for G = 64

so hard problems ask for large groups: the paper has 64 rows (`--group 64`), as a second stage after GRPO with 8 rows on
problems of all kinds (docs/stages.md). The loss is GRPO's. phases=1 is `grpo`, draw for draw.
"""

from dataclasses import replace

from rlft.collect.focus import HardFocus
from rlft.methods.grpo import grpo
from rlft.types import Method, published


@published
def pre_grpo(
    phase: int, phases: int = 3, below: float = 0.5, solved: float = 1.0, clip: float = 0.2, beta: float = 0.0
) -> Method:
    """Pre-GRPO.

    Args:
        phase: steps of a phase, enough to come to every problem once; the last phase goes on to the end of the run.
        phases: how many there are.
        below: a problem is kept if fewer of its rows solve it, as a share of the newest group.
        solved: the reward from which a row has solved its problem.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
    """
    return replace(grpo(clip, beta), collect=HardFocus(phase, phases, below, solved))
