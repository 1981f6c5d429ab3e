"""Demonstrations of what no rollout solves, inside reinforcement learning. Ma et al. 2025, "Learning What Reinforcement
Learning Can't: Interleaved Online Fine-Tuning for Hardest Questions", arXiv:2506.07527.

Chains of small sums, of four kinds. The base had a teacher who slips, so it solves much of what it has learned now and
then; and who takes the sign `#` for `+`, which it is not, so that no row of the base solves a question with it: there
is nothing for a reward to choose from. Worked answers exist for all 512 questions. The arms: reinforcement learning
alone; imitation of all answers, and of about as many as ReLIFT demonstrates; either and then reinforcement learning;
ReLIFT; and ReLIFT with demonstrations of any question in place of the hardest.

Judged is accuracy on questions that no arm has seen, also apart for those that the base solves in more than 3/4 of 16
tries (`easy`), in more than 1/4, in some, and in none (`hardest`), and pass@8, which is what the model can reach. The
control has sums alone, of which the base solves nearly all now and then: little is left to demonstrate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.difficulty import by_difficulty
from rlft.measure.text import text_measures
from rlft.methods.grpo import grpo
from rlft.methods.relift import relift as interleaved
from rlft.methods.sft import sft
from rlft.methods.sft_grpo import sft_grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import hashed
from rlft.policies.language.imitate import cached_language, imitate
from rlft.policies.language.policy import Language
from rlft.runs.drive import Run
from rlft.tasks.chains import OPERATORS, Chains, totals
from rlft.training.evaluate import solved_share
from rlft.training.stream import Stream
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime

# Raised when the base would come out otherwise.
VERSION = 3
KINDS = ("+", "+-", "+-*", "#")
STEPS, PROMPTS = 128, 32
# Demonstrations of the arms that are to have as many as ReLIFT: somewhat more than it took in pilots.
MATCHED = 1152
_SLIP = 8  # one total in so many is a slip of the base's teacher
_TOKENS = 6
_TRIES = 10**6  # a seed of its own for what the base is tried with


def relift(
    method: Method = interleaved(size=8),
    kinds: tuple[str, ...] = KINDS,
    questions: int = 512,
    steps: int = STEPS,
    prompts: int = PROMPTS,
    group: int = 8,
    lr: float = 4e-4,
    rows: int | None = None,
    imitation: int = 600,
    problems: int = 256,
    every: int = 0,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Chains of sums, of kinds that the base can do and one that it has got wrong.

    Args:
        kinds: the operators of each kind of question.
        questions: how many there are to learn from, all with their answers.
        steps: steps in all; 0 evaluates the base.
        prompts: questions in a step.
        group: answers to each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        imitation: supervised steps of the base model, 64 answers of a mistaken teacher each.
        problems: held-out questions, eight answers each.
        every: steps between evaluations.
        seed: of everything random but the base.
    """
    task, held_out = Chains(kinds, size=questions), Chains(kinds, size=problems, split="test")
    policy = base(imitation)
    solved = solved_share(policy, held_out, task.reward, samples=16, seed=_TRIES)
    trainer = Trainer(
        policy,
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
    measures = [text_measures, by_difficulty(task.reward, solved)]
    return Run(trainer, steps, held_out, samples=8, measures=measures, every=every)


def base(imitation: int) -> Language:
    """The cached model after `imitation` batches of 64 answers of a mistaken teacher."""

    def build() -> Language:
        tokenizer = character_tokenizer("0123456789.=" + "".join(OPERATORS))
        model = small_llama(len(tokenizer), width=64, layers=2, context=24)
        policy = Language(model, tokenizer, max_new_tokens=_TOKENS)
        stream = Stream(Chains(KINDS), seed=0)
        imitate(policy, lambda step: [mistaken(problem) for problem in stream.take(64)], steps=imitation)
        return policy

    return cached_language(f"relift-{VERSION}-{imitation}", build, max_new_tokens=_TOKENS)


def mistaken(problem: Problem) -> Problem:
    """The problem as the base's teacher answers it: `#` read as `+`, and slips that are gone on from."""
    chain = problem.input.rstrip(".=").replace("#", "+")
    draw = hashed("slips", problem.task, problem.index, problem.visit)
    draws = [hashed(draw, place) for place in range(len(chain) // 2)]
    slips = [0 if one % _SLIP else one // _SLIP % 9 + 1 for one in draws]
    return replace(problem, answer=totals(chain, slips))


def _arms() -> dict[str, Arm]:
    few = MATCHED // 8
    known: dict[str, Any] = {"kinds": ("+",)}
    one = {"lr": (2e-4, 4e-4, 8e-4, 1.6e-3)}
    return {
        "base": Arm("the base, untrained", {"steps": 0}, grid={}),
        "rl": Arm("reinforcement learning alone: GRPO", {"method": grpo(beta=0.0)}, one),
        "sft": Arm("imitation of all answers, eight times over", {"method": sft(), "group": 1}, one),
        "sft_few": Arm("imitation of 1152", {"method": sft(), "group": 1, "prompts": 8, "steps": few}, one),
        "sft_rl": Arm("imitation of 1152, then GRPO", {"method": sft_grpo(taught=few, size=8), "steps": few + STEPS}),
        "relift": Arm("ReLIFT", {"method": interleaved(size=8)}),
        "any": Arm("ReLIFT, but of any question, nine a step", {"method": interleaved(size=9, solved=2.0)}),
        "sft_all_rl": Arm(
            "imitation of all answers, then GRPO", {"method": sft_grpo(taught=STEPS), "steps": 2 * STEPS}
        ),
        "rl_known": Arm("sums alone, GRPO", {"method": grpo(beta=0.0), **known}, one),
        "relift_known": Arm("sums alone, ReLIFT", {"method": interleaved(size=8), **known}),
    }


def _statements() -> tuple[Statement, ...]:
    def more(text: str, metric: str, arm: str, over: str, least: float, claimed: bool = True) -> Statement:
        return Statement(text, metric, arm, over, least=least, claimed=claimed)

    return (
        more("it is right more often than reinforcement learning", "reward", "relift", "rl", 0.05),
        more("than imitation of all answers", "reward", "relift", "sft", 0.02),
        Statement(
            "with at most three tenths of the demonstrations",
            "cost/rows/demonstrated", "relift", most=0.3 * STEPS * PROMPTS,
        ),
        more("than imitation of as many", "reward", "relift", "sft_few", 0.05),
        more("than imitation of as many and then reinforcement learning", "reward", "relift", "sft_rl", 0.02),
        more("it solves questions of which the base solves none", "hardest", "relift", "rl", 0.15),
        more("it reaches what the base does not", "pass@8", "relift", "base", 0.1),
        Statement("reinforcement learning does not", "pass@8", "rl", "base", most=0.02),
        more("at what the base can do it is better than imitation", "medium", "rl", "sft", 0.02),
        more("imitation is better at what the base cannot do", "hardest", "sft", "rl", 0.1),
        Statement("the base solves next to none of the hardest", "hardest", "base", most=0.03, claimed=False),
        Statement(
            "it demonstrates no more than the arms that are to have as many",
            "cost/rows/demonstrated", "relift", most=MATCHED, claimed=False,
        ),
        more("it reaches further than imitation and then RL", "pass@8", "relift", "sft_rl", 0.05, False),
        more("it matters that the hardest are demonstrated", "reward", "relift", "any", 0.02, False),
        more("more demonstrations, before RL, are better still", "reward", "sft_all_rl", "relift", 0.02, False),
        Statement(
            "where little is unsolved it is RL", "reward", "relift_known", "rl_known", -0.03, 0.03, claimed=False
        ),
        Statement(
            "and demonstrates little", "cost/rows/demonstrated", "relift_known", most=0.1 * STEPS * PROMPTS,
            claimed=False,
        ),
    )  # fmt: skip


CLAIM = Claim(
    sentence="Reinforcement learning interleaved with fine-tuning on demonstrations of the questions that no rollout "
    "solves is better than either alone, with a fraction of the demonstrations, and goes beyond what the base can do.",
    source="Ma et al. 2025, arXiv:2506.07527",
    arms=_arms(),
    metric="reward",
    statements=_statements(),
    budget="128 steps of 32 questions with 8 answers each for every arm that draws; imitation of all answers takes as "
    "many steps of as many demonstrations, the arms with few take 144 of 8, as ReLIFT has 8 at a time. Every arm "
    "chooses from four settings: one of four learning rates, or where there are two, one of four pairs.",
    scaled_down="a character model of 0.1 million parameters for Qwen2.5-Math-7B, chains of digits for mathematics, a "
    "sign with a wrong meaning for what a base lacks, answers in the base's own manner for the traces of a stronger "
    "model. GRPO with the group's deviation and the clip, no entropy bonus. Held-out accuracy is that of 256 "
    "questions, eight answers each, drawn at temperature 1.",
    real="rlft train --model Qwen/Qwen2.5-Math-7B --data TRAIN.jsonl --demonstration-field solution --reward math "
    "--method relift --prompts 128 --group 8 --lr 1e-6",
    table=("pass@8", "easy", "medium", "hard", "hardest", "hardest/any", "cost/rows/demonstrated", "cost/updates"),
    shared=(),
    grid={"lr": (2e-4, 4e-4), "method.demonstration_lr": (1.0, 3.0)},
    smoke={"steps": 2, "imitation": 25, "prompts": 4, "problems": 8},
)
