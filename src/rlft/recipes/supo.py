"""Summaries in a working context that cannot hold the episode. Lu et al. 2025, "SUPO", arXiv:2510.06727.

A list is read page by page, a page a turn, and at its end the highest digit and the latest letter of all pages are
asked for. A small character model was taught to read, to answer and to sum up by a careless teacher: now and then a
value of a summary or an answer is any other, or the answer comes before the end. An episode of 5 to 12 pages has up to
130 tokens; the small window holds 44, four pages. Arms: GRPO that ends where the window is full, so that it must guess
from four pages; GRPO with a context that holds the episode; SUPO in the small window with up to three summaries. All
draw as many episodes and are judged on episodes that none has seen, each in the context it was trained in; `longer/…`
are episodes of 16 to 24 pages, with as many summaries as in training and with more. Ablations: summaries that are not
trained, the mean over segments. Control: 2 or 3 pages, which the window holds, where SUPO should be GRPO.
"""

from __future__ import annotations

from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.grpo import grpo
from rlft.methods.supo import supo as summing_up
from rlft.recipes import recipe
from rlft.worlds.highest import paged

supo = recipe(paged, summing_up(), watch_kl=False, steps=60, prompts=8, group=8, lr=7e-4, rows=None)

_TRUNCATED: dict[str, Any] = {"method": grpo(beta=0.0), "summaries": 0, "more": 0}

CLAIM = Claim(
    sentence="Summaries that the policy writes as its window fills, trained end to end with one advantage for all "
    "segments of an episode, succeed more often than GRPO in the same window and in one that holds the episode, and "
    "more summaries at test time than in training help further.",
    source="Lu et al. 2025, arXiv:2510.06727",
    budget="60 steps of 8 episodes with 8 rows each. What else is spent differs, and is part of the claim: GRPO in the "
    "small window writes less, SUPO writes summaries. Every arm chooses its learning rate from the same two.",
    scaled_down="a character model of 0.06 million parameters for models of 32 and 36 billion, a list read page by "
    "page for CodeGym and BrowseComp-Plus, windows of 44 and 320 tokens for 4 and 32 thousand, 3 summaries for "
    "up to 8. Held-out success is that of 192 episodes, one row each, drawn at temperature 1; of longer ones 64.",
    real="rlft train --model Qwen/Qwen3-8B --data TRAIN.jsonl --reward math --method supo --tools TOOLS.py:search "
    "--turns 60 --window 4096 --summaries 7 --max-new-tokens 512 --group 8",
    metric="reward",
    table=("kept", "summaries", "turns", "truncated", "longer/same", "longer/more", "cost/decisions/drawn"),
    grid={"lr": (5e-4, 1e-3)},
    curve="reward",
    smoke={"steps": 2, "imitation": 2, "prompts": 4, "group": 4, "problems": 8},
    arms={
        "base": Arm("no training, the small window with summaries", {"steps": 0}, grid={}),
        "truncated": Arm("GRPO, an episode ends where the small window is full", _TRUNCATED),
        "long": Arm("GRPO, a window that holds every episode", {**_TRUNCATED, "window": None}),
        "supo": Arm("SUPO, the small window and up to three summaries"),
        "untrained": Arm("SUPO, its summaries not trained", {"method": summing_up(trained="turns")}),
        "segments": Arm("SUPO, statistics over segments", {"method": summing_up(normalise="segments")}, grid={}),
        "few": Arm("episodes that fit in the window, SUPO", {"pages": "few"}, grid={}),
        "few_truncated": Arm("episodes that fit in the window, GRPO", {**_TRUNCATED, "pages": "few"}, grid={}),
    },
    statements=[
        above("SUPO beats GRPO in the same window", "supo", "truncated", least=0.2),
        above("it beats GRPO with a context that holds the episode", "supo", "long"),
        above("it is better for training its summaries", "supo", "untrained", least=0.05),
        above("which are right more often", "supo", "untrained", least=0.05, of="kept"),
        above("more summaries than in training solve longer episodes", "supo", least=0.1, of="longer/gain"),
        *checks(
            above("it loses little to a context of three times the length", "supo", "long", least=-0.1),
            above("counting rows once is not worse than counting segments", "supo", "segments", least=-0.05),
            below(
                "four pages of 5 to 12 hold both values in 0.28 of the episodes, and hardly more can be guessed",
                "truncated",
                most=0.4,
            ),
            between("where the window holds the episode SUPO is GRPO", "few", "few_truncated", least=-0.05, most=0.05),
        ),
    ],
)
# A base that has hardly been trained earns nothing.
