"""Sequence metrics on token ids: pure tensor functions of candidates, references and masks, for any device.

`bleu` (sentence, prefix, corpus), `ngrams` (GLEU, ROUGE-N, chrF, distinct-n, repetition, self-BLEU), `alignment`
(ROUGE-L, edit distance), `cider`; `text` makes ids of strings, and `summaries` scores strings (ROUGE-Lsum); `counts`
says who counts. `simplification` (SARI) compares with a source too, `readability` with nothing. Not rewards, no model.
"""

from rlft.metrics.alignment import edit_distance, edit_similarity, rouge_l, wer
from rlft.metrics.bleu import bleu_of_stats, bleu_stats, corpus_bleu, prefix_bleu, sentence_bleu
from rlft.metrics.cider import cider_d
from rlft.metrics.counts import NUMBA, NUMPY, TORCH, Backend
from rlft.metrics.ngrams import PRF, chrf, distinct_n, gleu, repetition, rouge_n, self_bleu
from rlft.metrics.readability import ease, grade
from rlft.metrics.simplification import Sari, corpus_sari, sari
from rlft.metrics.summaries import rouge_lsum
from rlft.metrics.text import characters, corpus_chrf, ids, mteval_13a, padded, text_chrf, whitespace

__all__ = [
    "NUMBA",
    "NUMPY",
    "PRF",
    "TORCH",
    "Backend",
    "Sari",
    "bleu_of_stats",
    "bleu_stats",
    "characters",
    "chrf",
    "cider_d",
    "corpus_bleu",
    "corpus_chrf",
    "corpus_sari",
    "distinct_n",
    "ease",
    "edit_distance",
    "edit_similarity",
    "gleu",
    "grade",
    "ids",
    "mteval_13a",
    "padded",
    "prefix_bleu",
    "repetition",
    "rouge_l",
    "rouge_lsum",
    "rouge_n",
    "sari",
    "self_bleu",
    "sentence_bleu",
    "text_chrf",
    "wer",
    "whitespace",
]
