"""Starting rows inside demonstrations when success is rare. Chang et al. 2024, "Dataset Reset Policy Optimization for
RLHF", arXiv:2404.08495.

A word is to be written backwards, and only a whole word without a slip earns anything. The base has imitated a teacher
who slips at every second letter: of words of eight letters it gets 0.5^8 = 1 in 256 right, of words of three 1 in 8.
The demonstrations are better and not good, three slips in twenty letters: who imitates them ends at 0.85^8 = 0.27. The
arms: PPO from the words alone; DR-PO, whose groups start inside a demonstration as often as `share` says; imitation of
as many demonstrations as the others draw rows; expert iteration. Short words are the control, where PPO needs no help.
What counts is success from the start, on words that no arm has seen, and how far from the base it was bought.
"""

from __future__ import annotations

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.dr_po import dr_po as ppo_with_resets
from rlft.methods.expert_iteration import expert_iteration
from rlft.methods.ppo import ppo
from rlft.methods.sft import sft
from rlft.recipes import recipe
from rlft.worlds.backwards import backwards

HALF, PLAIN = ppo_with_resets(share=0.5, epochs=2), ppo(beta=0.05, epochs=2)

dr_po = recipe(backwards, HALF, steps=120, prompts=32, group=4, lr=1e-3, rows=None, every=0)

CLAIM = Claim(
    sentence="Starting rows from states of the offline data makes PPO better than PPO from the prompts, than DPO and "
    "than supervised fine-tuning.",
    source="Chang et al. 2024, arXiv:2404.08495",
    budget="120 steps of 32 words with 4 rows each, two passes over them; imitation sees as many demonstrations. Every "
    "arm chooses its learning rate from the same three.",
    scaled_down="a character model of 0.06 million parameters for Pythia 2.8B, words backwards for summaries, an exact "
    "reward of 0 or 1 for a reward model, demonstrations with random slips for written references; DPO on the "
    "preferences is left out. Held-out success is that of 512 words, four rows each, drawn at temperature 1.",
    real="rlft train --model EleutherAI/pythia-2.8b --data TRAIN.jsonl --reward REWARD.py:score --method dr_po "
    "--method.share 1.0 --lora 8",
    metric="reward",
    table=("kl_start", "pass@4", "train/reward", "cost/rows/demonstrated", "cost/decisions/drawn"),
    shared=(),
    grid={"lr": (5e-4, 1e-3, 2e-3)},
    seeds=6,
    curve="reward",
    smoke={"steps": 2, "imitation": 25, "prompts": 4, "group": 4},
    arms={
        "base": Arm("no training", {"steps": 0}, grid={}, seeds=24),
        "sft": Arm("imitation of the demonstrations", {"method": sft(), "prompts": 128, "group": 1}),
        "ppo": Arm("PPO, every row from its word", {"method": PLAIN}),
        "dr_po_25": Arm("a quarter of the groups reset", {"method": ppo_with_resets(share=0.25, epochs=2)}),
        "dr_po_50": Arm("half of the groups reset", {"method": HALF}),
        "dr_po": Arm("all groups reset, the paper's setting", {"method": ppo_with_resets(share=1.0, epochs=2)}),
        "expert_iteration": Arm("imitation of the policy's own right words", {"method": expert_iteration(epochs=2)}),
        "short_ppo": Arm("words of three letters, PPO", {"method": PLAIN, "length": 3}, seeds=12),
        "short_dr_po": Arm("words of three letters, half of the groups reset", {"method": HALF, "length": 3}, seeds=12),
    },
    statements=[
        above("with all groups reset it succeeds more often than PPO", "dr_po", "ppo", least=0.1),
        above("with half of them reset too", "dr_po_50", "ppo", least=0.1),
        above("and with a quarter", "dr_po_25", "ppo", least=0.02),
        above("it succeeds more often than imitation of the same data", "dr_po_50", "sft", least=0.05),
        *checks(
            between("where success is common, resets change little", "short_dr_po", "short_ppo", least=-0.1, most=0.1),
            between("the base succeeds at 0.5^8", "base", least=0.002, most=0.008),
            below("imitation ends at what it imitates, 0.85^8 at most", "sft", most=0.3),
            above("no row decides the first letter where all groups are reset", "dr_po_50", "dr_po", least=0.05),
            above(
                "expert iteration learns without resets, so it is PPO that needs them",
                "expert_iteration",
                "ppo",
                least=0.1,
            ),
        ),
    ],
)
# A base that has hardly been trained earns nothing.
