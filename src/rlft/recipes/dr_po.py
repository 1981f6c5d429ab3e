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

from collections.abc import Callable, Mapping
from typing import Any

import torch

from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.text import text_measures
from rlft.methods.dr_po import dr_po as ppo_with_resets
from rlft.methods.expert_iteration import expert_iteration
from rlft.methods.ppo import ppo
from rlft.methods.sft import sft
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.runs.drive import Run
from rlft.tasks.reversal import LETTERS, Reversal
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Policy, Runtime

# Raised when the base would come out otherwise.
VERSION = 1
_SLIP = 0.5


def dr_po(
    method: Method = ppo_with_resets(share=0.5, epochs=2),
    length: int = 8,
    slip: float = 0.15,
    steps: int = 70,
    prompts: int = 32,
    group: int = 4,
    lr: float = 1e-3,
    rows: int | None = None,
    every: int = 0,
    imitation: int = 700,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Words written backwards.

    Args:
        length: letters of a word: the longer, the rarer is success.
        slip: share of wrong letters in the demonstrations.
        steps: steps in all; 0 evaluates the base.
        prompts: words in a step.
        group: rows for each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        every: steps between evaluations.
        imitation: supervised steps of the base model, 64 words each, whose teacher slips at every second letter.
        seed: of everything random but the base.
    """
    task, held_out = Reversal(length, slip), Reversal(length, slip, split="test")
    trainer = Trainer(
        base(length, imitation, critic=method.critic),
        method,
        task,
        task.reward,
        prompts=prompts,
        group=group,
        rows=rows,
        lr=lr,
        seed=seed,
        watch_kl=True,
        runtime=runtime,
    )
    assert trainer.reference is not None
    return Run(
        trainer,
        steps,
        held_out,
        problems=512,
        samples=4,
        measures=[text_measures],
        probes=[distance(trainer.reference, held_out)],
        every=every,
    )


def distance(start: Policy, task: Reversal, problems: int = 128) -> Callable[[Any], Mapping[str, float]]:
    """`kl_start`: KL(policy || start), nats a row, estimated on rows drawn from the start of words of its own."""
    asked = [task.at(index) for index in range(10**6, 10**6 + problems)]

    @torch.no_grad()
    def probe(policy: Any) -> dict[str, float]:
        rows = policy.sample(asked, 1, seed=1)
        return {"kl_start": float((rows.logp_old - start.log_prob(rows)).sum(1).mean())}

    return probe


def base(length: int, imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 words whose teacher slips at every second letter."""

    def build() -> Language:
        tokenizer = character_tokenizer(LETTERS + "=")
        model = small_llama(len(tokenizer), width=48, layers=2, context=2 * length + 8)
        policy = Language(model, tokenizer, max_new_tokens=length + 1)
        stream = Stream(Reversal(length, _SLIP), seed=0)
        imitate(policy, lambda step: stream.take(64), steps=imitation)
        return policy

    return cached_language(f"dr-po-{VERSION}-{length}-{imitation}", build, max_new_tokens=length + 1, critic=critic)


def _arms() -> dict[str, Arm]:
    plain = ppo(beta=0.05, epochs=2)
    half = ppo_with_resets(share=0.5, epochs=2)
    return {
        "base": Arm("no training", {"steps": 0}, grid={}),
        "sft": Arm("imitation of the demonstrations", {"method": sft(), "prompts": 128, "group": 1}),
        "ppo": Arm("PPO, every row from its word", {"method": plain}),
        "dr_po_25": Arm("a quarter of the groups reset", {"method": ppo_with_resets(share=0.25, epochs=2)}),
        "dr_po_50": Arm("half of the groups reset", {"method": half}),
        "dr_po": Arm("all groups reset, the paper's setting", {"method": ppo_with_resets(share=1.0, epochs=2)}),
        "expert_iteration": Arm("imitation of the policy's own right words", {"method": expert_iteration(epochs=2)}),
        "short_ppo": Arm("words of three letters, PPO", {"method": plain, "length": 3}),
        "short_dr_po": Arm("words of three letters, half of the groups reset", {"method": half, "length": 3}),
    }


def _statements() -> tuple[Statement, ...]:
    def more(text: str, arm: str, over: str, least: float, claimed: bool = True) -> Statement:
        return Statement(text, "reward", arm, over, least=least, claimed=claimed)

    return (
        more("with all groups reset it succeeds more often than PPO", "dr_po", "ppo", 0.1),
        more("with half of them reset too", "dr_po_50", "ppo", 0.1),
        more("and with a quarter", "dr_po_25", "ppo", 0.02),
        more("it succeeds more often than imitation of the same data", "dr_po_50", "sft", 0.05),
        Statement(
            "where success is common, resets change little", "reward", "short_dr_po", "short_ppo", -0.1, 0.1, False
        ),
        Statement("the base succeeds at 0.5^8", "reward", "base", None, 0.002, 0.008, False),
        Statement("imitation ends at what it imitates, 0.85^8 at most", "reward", "sft", most=0.3, claimed=False),
        more("no row decides the first letter where all groups are reset", "dr_po_50", "dr_po", 0.05, False),
        more(
            "expert iteration learns without resets, so it is PPO that needs them",
            "expert_iteration",
            "ppo",
            0.1,
            False,
        ),
    )


CLAIM = Claim(
    sentence="Starting rows from states of the offline data makes PPO better than PPO from the prompts, than DPO and "
    "than supervised fine-tuning.",
    source="Chang et al. 2024, arXiv:2404.08495",
    arms=_arms(),
    metric="reward",
    statements=_statements(),
    budget="70 steps of 32 words with 4 rows each, two passes over them; imitation sees as many demonstrations. Every "
    "arm chooses its learning rate from the same three.",
    scaled_down="a character model of 0.06 million parameters for Pythia 2.8B, words backwards for summaries, an exact "
    "reward of 0 or 1 for a reward model, demonstrations with random slips for written references; DPO on the "
    "preferences is left out. Held-out success is that of 512 words, four rows each, drawn at temperature 1.",
    real="rlft train --model EleutherAI/pythia-2.8b --data TRAIN.jsonl --reward REWARD.py:score --method dr_po "
    "--method.share 1.0 --lora 8",
    table=("kl_start", "pass@4", "train/reward", "cost/rows/demonstrated", "cost/decisions/drawn"),
    shared=(),
    grid={"lr": (5e-4, 1e-3, 2e-3)},
    smoke={"steps": 2, "imitation": 25, "prompts": 4, "group": 4},
    curve="reward",
)
