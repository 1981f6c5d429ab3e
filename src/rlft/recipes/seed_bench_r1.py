"""Reinforcement learning beside imitation, tested further and further from what was trained. After Chen et al. 2025,
"Exploring the Effect of Reinforcement Learning on Video Understanding: Insights from SEED-Bench-R1", arXiv:2503.24376.

Films in which the acts of a plan are done, one after another: what is next? Both ways of learning have the same films
of one environment and four plans (L1), and are held to films of the same sort, of other environments (L2), and of other
environments and plans (L3). SFT is shown a teacher's thoughts and answers; GRPO is paid for the answer alone.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.filming import filming

GRPO = grpo(beta=0.0)

seed_bench_r1 = recipe(filming, GRPO, steps=40, prompts=8, group=8, lr=3e-4, rows=None)
