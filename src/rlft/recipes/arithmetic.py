"""A character model that had a careless teacher, put right by reward alone. This is `make demo`.

The base is a Llama of 0.8 million parameters that has imitated right sums, and then a teacher who slips every second
time, so it answers more than half of them wrongly. It is built once and cached. The test split shares no pair of
numbers with the training split, so a rise there is addition and not memory.
"""

from __future__ import annotations

from rlft.methods.grpo import grpo
from rlft.recipes import recipe
from rlft.worlds.sums import sums

arithmetic = recipe(sums, grpo(beta=0.0, minibatches=2), steps=100, prompts=32, group=16, lr=2e-4, rows=None)
SMOKE = {"imitation": 2}
