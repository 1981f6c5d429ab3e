"""Every preset is the library it is named after to 1e-12, whatever the smoothing and however short they are."""

from __future__ import annotations

import logging
import math
import warnings

import numpy as np
import pytest
import torch

from rlft.metrics import TORCH, bleu_of_stats, bleu_stats, corpus_bleu, prefix_bleu, sentence_bleu
from rlft.types import UserError

from .samples import clipped, sample

SMOOTHINGS = ("none", "floor", "add-k", "exp", "method4", "method5", "method7")
NLTK = dict(zip(SMOOTHINGS, (0, 1, 2, 3, 4, 5, 7), strict=True))


def near(a, b):
    return abs(float(a) - float(b)) < 1e-12


def drawn(seed, count=30):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield sample(rng, references=int(rng.integers(1, 4)), vocabulary=int(rng.choice([2, 4, 20])))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_nltk(smoothing):
    nltk = pytest.importorskip("nltk.translate.bleu_score")
    warnings.simplefilter("ignore")
    method = getattr(nltk.SmoothingFunction(), f"method{NLTK[smoothing]}")
    scores = []
    for one in drawn(1):
        found = sentence_bleu(one.candidates, one.references, **one.masks, preset="nltk", smoothing=smoothing)
        prefixes = prefix_bleu(one.candidates, one.references, **one.masks, preset="nltk", smoothing=smoothing)
        by_tensors = prefix_bleu(
            one.candidates, one.references, **one.masks, preset="nltk", smoothing=smoothing, backend=TORCH
        )
        assert torch.equal(prefixes, by_tensors)
        for row, (text, targets) in enumerate(zip(one.texts, one.targets, strict=True)):
            scores.append(nltk.sentence_bleu(targets, text, smoothing_function=method))
            assert near(found[row], scores[-1])
            for size in range(1, len(text) + 1):
                exact = nltk.sentence_bleu(targets, text[:size], smoothing_function=method)
                assert near(prefixes[row, size - 1], exact)
            assert near(prefixes[row, -1], found[row])
        if smoothing in ("none", "floor", "add-k", "exp"):
            found = corpus_bleu(one.candidates, one.references, **one.masks, preset="nltk", smoothing=smoothing)
            assert near(found, nltk.corpus_bleu(one.targets, one.texts, smoothing_function=method))
    assert np.std(scores) > 0.1


def test_nltk_with_other_orders_and_weights():
    nltk = pytest.importorskip("nltk.translate.bleu_score")
    warnings.simplefilter("ignore")
    for weights in ([1.0], [0.2, 0.8], [0.1, 0.2, 0.3, 0.15, 0.15, 0.1]):
        for one in drawn(2, 20):
            found = sentence_bleu(
                one.candidates, one.references, **one.masks, preset="nltk", max_n=len(weights), weights=weights
            )
            exact = [nltk.sentence_bleu(r, c, weights) for c, r in zip(one.texts, one.targets, strict=True)]
            assert all(map(near, found, exact))


@pytest.mark.parametrize("smoothing", SMOOTHINGS[:4])
@pytest.mark.parametrize("effective", [True, False])
def test_sacrebleu(smoothing, effective):
    metrics = pytest.importorskip("sacrebleu.metrics")
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    theirs = metrics.BLEU(smooth_method=smoothing, effective_order=effective, tokenize="none")
    scores = []
    for one in drawn(3):
        settings = {"smoothing": smoothing, "effective_order": effective, **one.masks}
        found = sentence_bleu(one.candidates, one.references, **settings)
        words = [" ".join(map(str, text)) for text in one.texts]
        targets = [[" ".join(map(str, target)) for target in some] for some in one.targets]
        for row, text in enumerate(words):
            scores.append(theirs.sentence_score(text, targets[row]).score / 100)
            assert near(found[row], scores[-1])
        exact = theirs.corpus_score(words, [list(column) for column in zip(*targets, strict=True)]).score / 100
        assert near(corpus_bleu(one.candidates, one.references, **settings), exact)
    assert np.std(scores) > 0.1


def evaluate(texts, targets, smooth):
    """BLEU of Hugging Face `evaluate`, written out: shortest reference, one added to every count if smoothed."""
    found = np.sum([clipped(c, r, 4) for c, r in zip(texts, targets, strict=True)], 0)
    there = np.sum([[max(len(c) - n, 0) for n in range(4)] for c in texts], 0)
    length, other = sum(map(len, texts)), sum(min(map(len, some)) for some in targets)
    if length == 0:
        return 0.0
    p = (found + 1) / (there + 1) if smooth else found / np.maximum(there, 1)
    return math.exp(np.log(p).mean() + min(0.0, 1 - other / length)) if p.min() > 0 else 0.0


@pytest.mark.parametrize("smoothing", ["add-k", "none"])
def test_hf_evaluate(smoothing):
    for one in drawn(4):
        settings = {"preset": "hf_evaluate", "smoothing": smoothing, **one.masks}
        found = sentence_bleu(one.candidates, one.references, **settings)
        for row, (text, targets) in enumerate(zip(one.texts, one.targets, strict=True)):
            assert near(found[row], evaluate([text], [targets], smoothing == "add-k"))
        exact = evaluate(one.texts, one.targets, smoothing == "add-k")
        assert near(corpus_bleu(one.candidates, one.references, **settings), exact)


# Computed with rxlm 0.3.80, tensor_sentence_bleu, in float64.
TENSORBLEU = {
    "none": [
        1.000000000001,
        1.000000000000001e-12,
        1.0000000000002495e-09,
        0.7165313105745059,
        0.36787944117181026,
        1.0000000000005014e-06,
        0.0,
    ],
    "floor": [
        1.000000000001,
        0.02295748846764742,
        0.1778279410052705,
        0.7165313105745059,
        0.36787944117181026,
        0.3162277660185772,
        0.0,
    ],
    "add-k": [
        1.000000000001,
        0.18575057999235764,
        1.000000000001,
        0.7165313105745059,
        0.36787944117181026,
        1.000000000001,
        0.0,
    ],
    "exp": [
        1.000000000001,
        1.9999999999999983e-12,
        1.6817928305078509e-09,
        0.7165313105745059,
        0.36787944117181026,
        1.4142135623738005e-06,
        0.0,
    ],
}


@pytest.mark.parametrize("smoothing", ["none", "floor", "add-k", "exp"])
def test_tensorbleu(smoothing):
    found = sentence_bleu(
        *(PAD_BATCH[name] for name in ("candidates", "references")),
        candidate_mask=PAD_BATCH["candidates"] != 0,
        reference_mask=PAD_BATCH["references"] != 0,
        preset="tensorbleu",
        smoothing=smoothing,
    )
    assert all(map(near, found, TENSORBLEU[smoothing]))


# Full match, no match, one token, a tie of lengths (first reference counts), an absent reference, two tokens, empty.
PAD_BATCH = {
    "candidates": torch.tensor(
        [
            [5, 6, 7, 8, 9, 5, 6, 7],
            [1, 2, 3, 4, 5, 6, 0, 0],
            [4, 0, 0, 0, 0, 0, 0, 0],
            [1, 2, 3, 4, 5, 6, 0, 0],
            [1, 2, 3, 4, 0, 0, 0, 0],
            [8, 9, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
        ]
    ),
    "references": torch.tensor(
        [
            [[5, 6, 7, 8, 9, 5, 6, 7], [5, 6, 7, 1, 9, 5, 6, 2]],
            [[11, 12, 13, 14, 15, 16, 0, 0], [21, 22, 23, 24, 25, 0, 0, 0]],
            [[4, 0, 0, 0, 0, 0, 0, 0], [4, 1, 0, 0, 0, 0, 0, 0]],
            [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 9, 0, 0, 0, 0]],
            [[1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 0, 0, 0, 0, 0]],
            [[8, 9, 0, 0, 0, 0, 0, 0], [8, 0, 0, 0, 0, 0, 0, 0]],
            [[1, 2, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0, 0]],
        ]
    ),
}


def score(candidate, references, **settings):
    """One candidate, its references ragged."""
    longest = max(len(r) for r in references)
    theirs = torch.tensor([[[*r, *[0] * (longest - len(r))] for r in references]])
    mask = torch.arange(longest) < torch.tensor([len(r) for r in references])[:, None]
    return float(sentence_bleu(torch.tensor([candidate]), theirs, reference_mask=mask[None], **settings))


# What is wrong in the published implementation, number by number, and what NLTK and sacrebleu give.
def test_exp_halves_for_each_order_without_a_match():
    # 5/6, 3/5, 1/4 and 1 / (2 · 3)
    candidate, reference = [1, 2, 3, 4, 5, 9], [1, 2, 3, 7, 4, 5]
    expected = (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25
    assert near(score(candidate, [reference], preset="nltk", smoothing="exp"), expected)
    assert near(score(candidate, [reference]), expected)


def test_without_smoothing_a_missing_order_makes_it_zero():
    for preset in ("nltk", "sacrebleu", "hf_evaluate"):
        assert score([1, 2, 3, 9], [[1, 2, 3, 4]], preset=preset, smoothing="none", effective_order=False) < 1e-70


def test_add_k_leaves_unigrams_alone_except_in_evaluate():
    candidate, reference = [1, 2, 3, 9], [1, 2, 3, 4]
    rest = 3 / 4 * 2 / 3 * 1 / 2
    assert near(score(candidate, [reference], preset="nltk", smoothing="add-k"), (3 / 4 * rest) ** 0.25)
    assert near(score(candidate, [reference], preset="hf_evaluate"), (4 / 5 * rest) ** 0.25)


def test_a_single_right_token():
    assert near(score([7], [[7]], preset="nltk", smoothing="add-k"), 0.5**0.75)
    assert near(score([7], [[7]], preset="nltk", smoothing="exp"), (1 / 2 * 1 / 4 * 1 / 8) ** 0.25)
    assert near(score([7], [[7]], preset="nltk", smoothing="method4"), 1.0)
    assert near(score([7], [[7]]), 1.0)


def test_effective_order_shares_the_weights_of_missing_orders():
    settings = {"weights": [0.1, 0.3, 0.4, 0.2], "smoothing": "exp"}
    assert near(score([7, 8], [[7, 8]], **settings), 1.0)
    assert near(score([7, 9], [[7, 8]], **settings), math.exp((0.1 * math.log(1 / 2) + 0.3 * math.log(1 / 2)) / 0.4))


def test_nothing_in_common_scores_nothing():
    for smoothing in SMOOTHINGS:
        for preset in ("nltk", "sacrebleu"):
            assert score([1, 2, 3, 4, 5, 6], [[11, 12, 13, 14, 15, 16]], preset=preset, smoothing=smoothing) == 0
    assert score([1, 2, 3, 4, 5, 6], [[11] * 6], preset="hf_evaluate") > 0.1


def test_of_two_lengths_as_close_the_shorter_counts():
    candidate = [1, 2, 3, 4, 5, 6]
    longer, shorter = [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4]
    assert near(score(candidate, [longer, shorter]), 1.0)
    assert near(score(candidate, [longer, shorter], reference_length="first-closest"), math.exp(1 - 8 / 6))
    assert near(score(candidate, [shorter, longer], reference_length="longest"), math.exp(1 - 8 / 6))
    assert near(score(candidate, [longer, [*shorter, 9]], reference_length="shortest"), 1.0)


def test_an_absent_reference_does_not_count():
    candidate, reference = [1, 2, 3, 4], list(range(1, 13))
    for rule in ("closest", "shortest", "longest"):
        assert near(score(candidate, [reference, []], reference_length=rule), math.exp(1 - 12 / 4))


def test_narrow_references_and_id_zero():
    assert near(
        score([1, 2, 3, 4], [[1, 2, 3]], preset="nltk", smoothing="floor"), (3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25
    )
    tokens = torch.tensor([[5, 6, 7, 0, 8, 9]])
    assert near(sentence_bleu(tokens, tokens)[0], 1.0)


def test_a_short_row_does_not_spoil_a_corpus():
    nltk = pytest.importorskip("nltk.translate.bleu_score")
    rng = np.random.default_rng(9)
    texts = [rng.integers(0, 9, 12).tolist() for _ in range(15)] + [[1, 2, 3]]
    targets = [[[t if rng.random() < 0.7 else 10 for t in text] + [1]] for text in texts]
    exact = nltk.corpus_bleu(targets, texts)
    ours, mask = torch.zeros(16, 12, dtype=torch.long), torch.arange(12) < torch.tensor([12] * 15 + [3])[:, None]
    theirs, their_mask = (
        torch.zeros(16, 13, dtype=torch.long),
        torch.arange(13) < torch.tensor([13] * 15 + [4])[:, None],
    )
    ours[mask] = torch.tensor([t for text in texts for t in text])
    theirs[their_mask] = torch.tensor([t for target in targets for t in target[0]])
    masks = {"candidate_mask": mask, "reference_mask": their_mask}
    assert near(corpus_bleu(ours, theirs, **masks, preset="nltk"), exact)
    assert 0.1 < exact < 0.9
    parts = [
        bleu_stats(ours[half], theirs[half], **{k: m[half] for k, m in masks.items()}).sum(0)
        for half in (slice(0, 7), slice(7, 16))
    ]
    assert near(bleu_of_stats(parts[0] + parts[1], preset="nltk", smoothing="none"), exact)


def test_left_padding():
    one = next(drawn(10, 1))
    flipped = {k: torch.nn.functional.pad(m, (4, 0)) for k, m in one.masks.items()}
    found = sentence_bleu(
        torch.nn.functional.pad(one.candidates, (4, 0), value=3),
        torch.nn.functional.pad(one.references, (4, 0), value=1),
        **flipped,
    )
    assert torch.equal(found, sentence_bleu(one.candidates, one.references, **one.masks))


@pytest.mark.parametrize("preset", ["nltk", "sacrebleu", "hf_evaluate", "tensorbleu"])
def test_single_precision(preset):
    for one in drawn(11, 10):
        for smoothing in SMOOTHINGS[:4] if preset == "tensorbleu" else SMOOTHINGS:
            for effective in (False, True):
                settings = {"preset": preset, "smoothing": smoothing, "effective_order": effective, **one.masks}
                exact = sentence_bleu(one.candidates, one.references, **settings)
                found = sentence_bleu(one.candidates, one.references, **settings, dtype=torch.float32)
                assert found.dtype == torch.float32
                # 3e-10 for NLTK's smallest number, whose fourth root is not 0 in single precision.
                assert torch.allclose(found.double(), exact, rtol=1e-5, atol=2e-6)


def test_prefixes_carry_on_over_padding_and_rise_to_the_sentence():
    ours = torch.tensor([[9, 1, 2, 9, 3, 4]])
    mask = torch.tensor([[False, True, True, True, True, False]])
    found = prefix_bleu(ours, torch.tensor([[1, 2, 9, 3]]), candidate_mask=mask)
    # r = 4: lengths 1, 2, 3, 4, everything matches
    assert found[0, 0] == 0
    assert all(map(near, found[0, 1:], [math.exp(1 - 4), math.exp(1 - 2), math.exp(1 - 4 / 3), 1, 1]))


def test_wrong_settings_are_refused():
    tokens = torch.tensor([[1, 2]])
    with pytest.raises(UserError, match="3 weights for max_n=4"):
        sentence_bleu(tokens, tokens, weights=[1.0, 1.0, 1.0])
    with pytest.raises(UserError, match="no corpus BLEU"):
        corpus_bleu(tokens, tokens, preset="tensorbleu")
