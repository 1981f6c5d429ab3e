"""Memory-R+: an episodic memory of right and wrong answers as intrinsic reward. arXiv:2504.02273.

Differs from `grpo` in the reward: a row also earns for being like what was right of the nearest question remembered,
and for being unlike what was wrong there. So groups whose rows are all wrong have something to learn from too.

    R_i  = reward_i + exploit s(-|| a_i - mean B(right) ||) + explore s(1 - max_(b in B(wrong)) cos(a_i, b))
    A_i  = (R_i - mean R) / std R                 over the G rows of a problem
    loss = GRPO's

a_i embeds the row and s scales to [0, 1] by the least and the largest of the last values. As published, a batch is
remembered before it is compared: a wrong row then finds itself, earns nothing for exploring, and what is called novelty
tells right from wrong. `order="read_first"` compares with what was there before. explore=0 is Memory-R; with exploit=0
too it is `grpo`, draw for draw.
"""

from dataclasses import replace
from typing import Literal

from rlft.collect.episodes import EMBEDDINGS, Embed, Episodic, Given, Order, Remembered
from rlft.methods.grpo import grpo
from rlft.types import HasStates, Method, published


@published
def memory_r(
    exploit: float = 1.0,
    explore: float = 1.0,
    order: Order = "read_first",
    given: Given = "own",
    embedding: Literal["states", "ngrams"] = "states",
    embed: Embed | None = None,
    nearest: int = 1,
    questions: int = 2000,
    responses: int = 100,
    window: int = 100,
    warmup: int = 50,
    solved: float = 1.0,
    clip: float = 0.2,
    beta: float = 0.04,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """Memory-R+.

    Args:
        exploit: weight of being like what was right.
        explore: weight of being unlike what was wrong; 0 is Memory-R.
        order: compare a batch with the memory and then remember it, or the other way round as published.
        given: each row its own, or that of a row drawn by lot, as a control of the same size.
        embedding: of questions and answers: the policy's own states, or counts of characters that no model makes.
        embed: `(policy, rollouts) -> ([N H], [N H])` instead; --sentences gives that of a sentence model.
        nearest: questions whose answers are looked at.
        questions: that are remembered, of right and of wrong rows; the authors remember all.
        responses: remembered of each question.
        window: raw values that make the scale.
        warmup: steps before exploring is paid.
        solved: the reward from which a row is right.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    start = grpo(clip, beta, epochs, minibatches)
    if not exploit and not explore:
        return start
    told = Remembered(exploit, explore, order, given, nearest, questions, responses, window, warmup, solved)
    needs = (HasStates,) if embed is None and embedding == "states" else ()
    return replace(start, collect=Episodic(embed or EMBEDDINGS[embedding], told), needs=needs)
