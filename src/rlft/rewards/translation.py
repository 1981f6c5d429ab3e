"""The reward of a translation that stands between tags: sentence BLEU and chrF against the problem's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from rlft.environments.lookup import answered
from rlft.errors import UserError
from rlft.rewards.sequence import bleu, chrf
from rlft.types import Parts, Problem, Reward


def translation(*, bleu_share: float = 0.5) -> Reward:
    """share · BLEU + (1 - share) · chrF of what stands behind `<answer>`, each in [0, 1] and a part of its own.

    BLEU is sacrebleu's sentence score (13a, exponential smoothing, effective order), chrF its character F2. An output
    without an answer, or that a limit cut off, gets 0; the share of the others is watched as `valid`.
    """
    if not 0 <= bleu_share <= 1:
        raise UserError(f"bleu_share lies between 0 (chrF alone) and 1 (BLEU alone); got {bleu_share}")
    kinds = {"bleu": (bleu_share, bleu(tokenizer="13a")), "chrf": (1 - bleu_share, chrf())}

    def reward(problems: Sequence[Problem], outputs: Any) -> Parts:
        given = [answered(outputs[row]) for row in range(len(problems))]
        texts = [text or "" for text in given]
        parts = {name: share * kind(problems, texts) for name, (share, kind) in kinds.items() if share}
        return Parts(parts, {"valid": torch.tensor([float(text is not None) for text in given])})

    return reward
