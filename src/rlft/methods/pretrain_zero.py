"""PretrainZero: reinforcement active pre-training on any text. Xing et al. 2025, arXiv:2512.03442.

One policy reads a text and chooses a span of it; asked with that span masked, it predicts what stood there. The batch
has both kinds of rows in groups of their own: the G spans of a text, and the G predictions of each span.

    r_pred = 1[what stood there]         r_gen = 1 - mean of the span's G r_pred, and 0 where none of them is 1
    A_i    = (r_i - mean r) / std r                 over the G rows of a prompt, of either kind
    loss   = 1/(sum_i |i|) sum_i sum_d -min(r A_i, clip(r, 1-low, 1+high) A_i)

Differs from `dapo` in where the prompts come from. The problems of the task are texts, a problem's prompt each, and
its rewards are of predictions, whose answer is the span. The paper prints A_gen as minus the mean of A_pred, which
groups that are normalised each by itself cannot give: the advantages of a group add up to 0. A span that occurs in the
text `often` is none, and one that is chosen is masked wherever it stands. With chooser="given" the task's problems are
masked already, and it is `dapo` without its punishment and with rounds=1, draw for draw.
"""

from dataclasses import replace
from typing import Literal

from rlft.collect import one_batch
from rlft.collect.cloze import Pay, Unpredicted, by_entropy, by_lot, first_then, predicted, proposed, unlike
from rlft.collect.masks import ASKED, CHOSEN, PREDICTED, WORD, Masking
from rlft.methods.dapo import dapo
from rlft.types import Checking, HasEntropy, Method, UserError, Writing, published


@published
def pretrain_zero(
    chooser: Literal["active", "random", "entropy", "given"] = "active",
    masks: int = 1,
    warmup: int = 0,
    unpredicted: Unpredicted = "unpaid",
    invalid: float = 0.0,
    flat: Literal["dropped", "kept"] = "dropped",
    asked: str = ASKED,
    predicted_with: str = PREDICTED,
    mask: str = "[mask]",
    chosen: str = CHOSEN,
    word: str = WORD,
    longest: int = 5,
    often: int = 8,
    low: float = 0.2,
    high: float = 0.28,
    solved: float = 1.0,
) -> Method:
    r"""PretrainZero.

    Args:
        chooser: who chooses what is masked: the policy, which learns to; a lot over the words of the text; the entropy,
            which takes the words that the policy is least sure of; or nobody, as the prompts have a gap already.
        masks: words of a text, by lot or entropy; where the policy chooses, it is as many spans as a group has rows.
        warmup: steps with random masks, as many of a text as a group has rows, before the policy chooses.
        unpredicted: whether a span that no prediction gets right earns nothing, or 1 as the hardest of all.
        invalid: what a reply earns that chooses no span of the text.
        flat: whether groups whose rows all earn the same are left out, or count in the mean over decisions.
        asked: how a span is asked for; {text} stands for the text.
        predicted_with: how what was masked is asked for; {text} is the text with the mask, {mask} the mask alone.
        mask: what stands in a span's place.
        chosen: a regular expression whose group is the span, matched at the beginning of a reply.
        word: one for a word: spans are whole words; '\w' where a script has no spaces.
        longest: words in a span that the policy chooses, at most.
        often: a span that the text has so often or more is none.
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move.
        solved: the reward from which a prediction is right, for what its span earns.
    """
    if masks < 1 or warmup < 0:
        raise UserError(f"masks counts words, from 1, and warmup steps, from 0; got {masks} and {warmup}")
    masking = Masking(asked, predicted_with, mask, chosen, word, longest, often)
    first = predicted(by_lot(masking), masking)
    collect = {
        "active": first_then(warmup, first, proposed(masking, Pay(unpredicted, invalid, solved))),
        "random": predicted(by_lot(masking, masks), masking),
        "entropy": predicted(by_entropy(masking, masks), masking),
        "given": one_batch,
    }[chooser]
    needs = {"given": (), "entropy": (Checking, HasEntropy, Writing)}.get(chooser, (Checking,))
    start = dapo(low, high)
    return replace(start, collect=unlike(collect) if flat == "dropped" else collect, needs=needs)
