"""GLEU, ROUGE, chrF, edit distance, variety, CIDEr-D and the text front end, against libraries and slow definitions."""

from __future__ import annotations

import logging
import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from rlft.metrics import (
    NUMPY,
    TORCH,
    characters,
    chrf,
    cider_d,
    corpus_bleu,
    corpus_chrf,
    distinct_n,
    edit_distance,
    edit_similarity,
    gleu,
    ids,
    mteval_13a,
    prefix_bleu,
    repetition,
    rouge_l,
    rouge_lsum,
    rouge_n,
    self_bleu,
    sentence_bleu,
    text_chrf,
    wer,
    whitespace,
)
from rlft.metrics.text import chrf_words
from rlft.types import UserError

from .samples import clipped, grams, levenshtein, sample, subsequence


def drawn(seed, count=40, vocabulary_of=(2, 4, 20), **settings):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield sample(rng, references=int(rng.integers(1, 4)), vocabulary=int(rng.choice(vocabulary_of)), **settings)


def near(a, b):
    return abs(float(a) - float(b)) < 1e-12


def test_gleu_is_nltk():
    theirs = pytest.importorskip("nltk.translate.gleu_score").sentence_gleu
    for one in drawn(1):
        found = gleu(one.candidates, one.references, **one.masks)
        assert all(near(found[i], theirs(one.targets[i], one.texts[i])) for i in range(3))
        found = gleu(one.candidates, one.references, **one.masks, min_n=2, max_n=3)
        assert all(near(found[i], theirs(one.targets[i], one.texts[i], 2, 3)) for i in range(3))


def test_rouge_n_and_l():
    for one in drawn(2):
        for n in (1, 2):
            found = rouge_n(one.candidates, one.references, n=n, **one.masks)
            for row, (text, targets) in enumerate(zip(one.texts, one.targets, strict=True)):
                counts = [(clipped(text, [r], n)[-1], *(sum(grams(x, n).values()) for x in (text, r))) for r in targets]
                assert near(found.f[row], max(2 * m / max(c + r, 1) for m, c, r in counts))
                p, r = float(found.precision[row]), float(found.recall[row])
                assert any(near(p, m / max(c, 1)) and near(r, m / max(t, 1)) for m, c, t in counts)
        found = rouge_l(one.candidates, one.references, **one.masks)
        for row, (text, targets) in enumerate(zip(one.texts, one.targets, strict=True)):
            counts = [(subsequence(text, target), len(text), len(target)) for target in targets]
            assert near(found.f[row], max(2 * m / max(c + r, 1) for m, c, r in counts))
    # the cat sat on the mat / the cat lay on the rug: 4 in order, 3 of 6 words twice over
    ours, theirs = torch.tensor([[1, 2, 3, 4, 1, 5]]), torch.tensor([[1, 2, 6, 4, 1]])
    found = rouge_l(ours, theirs)
    assert near(found.precision[0], 4 / 6) and near(found.recall[0], 4 / 5) and near(found.f[0], 8 / 11)
    found = rouge_n(ours, theirs, n=2)
    assert near(found.precision[0], 2 / 5) and near(found.recall[0], 2 / 4) and near(found.f[0], 4 / 9)


def test_edit_distances():
    for one in drawn(3, least=0):
        found = edit_distance(one.candidates, one.references, **one.masks)
        exact = [[levenshtein(text, r) for r in targets] for text, targets in zip(one.texts, one.targets, strict=True)]
        assert found.tolist() == exact
        alike = edit_similarity(one.candidates, one.references, **one.masks)
        rate = wer(one.candidates, one.references, **one.masks)
        for row, (text, targets) in enumerate(zip(one.texts, one.targets, strict=True)):
            sizes = [max(len(text), len(r), 1) for r in targets]
            assert near(alike[row], max(1 - d / size for d, size in zip(exact[row], sizes, strict=True)))
            there = [(d, len(r)) for d, r in zip(exact[row], targets, strict=True) if r] or [(len(text), 1)]
            assert near(rate[row], min(d / size for d, size in there))
    kitten, sitting = ids(["kitten"], ["sitting"], characters), ids(["flaw"], ["lawn"], characters)
    assert edit_distance(**kitten).item() == 3
    assert edit_distance(**sitting).item() == 2
    padded = torch.tensor([[9, 1, 2, 9, 3]]), torch.tensor([[1, 2, 3]])
    assert edit_distance(*padded, candidate_mask=torch.tensor([[False, True, True, False, True]])).item() == 0


SENTENCES = [
    "The cat (a tabby) sat on 3.5 mats, didn't it?",
    "No-one sat; 1,000 cats & dogs -- 5-4 -- won...",
    'He said: "Stop!" &quot;Now&quot; &amp; ran.\n',
    "ab",
    "",
    "  spaced   out  café ",
    "abcdefgh",
]
TARGETS = [
    ["The cat (tabby) sat on 3.5 mats, did it?", "A cat sat on mats."],
    ["Nobody sat; 1,000 cats and dogs - 5-4 - won.", "x"],
    ['He said: "Stop!" "Now" & left.', "He ran."],
    ["ab", "abc d"],
    ["not empty", "either"],
    ["spaced out café", "spaced"],
    ["abc", "abcd"],
]


@pytest.mark.parametrize(
    ("tokenizer", "name"),
    [(mteval_13a, "13a"), (characters, "char"), (whitespace, "none")],
    ids=["13a", "char", "none"],
)
def test_text_is_sacrebleu(tokenizer, name):
    metrics = pytest.importorskip("sacrebleu.metrics")
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    theirs = metrics.BLEU(tokenize=name, effective_order=True)
    given = ids(SENTENCES, TARGETS, tokenizer)
    found = sentence_bleu(**given)
    for row, (text, targets) in enumerate(zip(SENTENCES, TARGETS, strict=True)):
        assert near(found[row], theirs.sentence_score(text, targets).score / 100)
    columns = [list(column) for column in zip(*TARGETS, strict=True)]
    exact = metrics.BLEU(tokenize=name).corpus_score(SENTENCES, columns).score / 100
    assert near(corpus_bleu(**given), exact)
    assert 0.1 < exact < 0.9


@pytest.mark.parametrize("words", [0, 2])
def test_chrf_is_sacrebleu(words):
    metrics = pytest.importorskip("sacrebleu.metrics")
    for order, beta in ((6, 2), (3, 1)):
        theirs = metrics.CHRF(char_order=order, word_order=words, beta=beta)
        found = text_chrf(SENTENCES, TARGETS, max_n=order, word_order=words, beta=float(beta))
        for row, (text, targets) in enumerate(zip(SENTENCES, TARGETS, strict=True)):
            assert near(found[row], theirs.sentence_score(text, targets).score / 100)
        assert found.std() > 0.1


@pytest.mark.parametrize("words", [0, 2])
def test_corpus_chrf_is_sacrebleu(words):
    """Of several references a row counts against its own best, wherever that stands."""
    metrics = pytest.importorskip("sacrebleu.metrics")
    assert corpus_chrf(["the cat", "a mat"], [["zzz", "the cat"], ["a mat", "qqq"]], word_order=words) == 1
    theirs = metrics.CHRF(word_order=words)
    for targets in (TARGETS, [some[::-1] for some in TARGETS]):
        columns = [list(column) for column in zip(*targets, strict=True)]
        exact = theirs.corpus_score(SENTENCES, columns).score / 100
        assert near(corpus_chrf(SENTENCES, targets, word_order=words), exact)
    alone = theirs.corpus_score(SENTENCES, [[some[0] for some in TARGETS]]).score / 100
    assert near(corpus_chrf(SENTENCES, [some[0] for some in TARGETS], word_order=words), alone)
    assert abs(alone - exact) > 1e-3


@pytest.mark.parametrize("references", [["", ""], [[], []], [["", ""], []]], ids=["empty", "none", "some of each"])
def test_without_references(references):
    """Every metric has its documented score: 0, or for a distance the candidate's own length."""
    given = ids(["two words", "one"], references, whitespace)
    for backend in (TORCH, NUMPY, None):
        assert sentence_bleu(**given, backend=backend).tolist() == [0, 0]
        assert corpus_bleu(**given, backend=backend) == 0
        assert prefix_bleu(**given, backend=backend).tolist() == [[0, 0], [0, 0]]
        assert gleu(**given, backend=backend).tolist() == chrf(**given, backend=backend).tolist() == [0, 0]
    for found in (*rouge_n(**given, n=2), *rouge_l(**given), cider_d(**given), edit_similarity(**given)):
        assert found.tolist() == [0, 0]
    assert wer(**given).tolist() == edit_distance(**given).amin(1).tolist() == [2, 1]
    assert text_chrf(["two words", "one"], references).tolist() == [0, 0]
    assert corpus_chrf(["two words", "one"], references, word_order=2) == 0
    assert rouge_lsum(["two words", "one"], references, whitespace).f.tolist() == [0, 0]
    nothing = ids(["", ""], references, whitespace)
    assert wer(**nothing).tolist() == sentence_bleu(**nothing).tolist() == [0, 0]
    assert edit_similarity(**nothing).tolist() == [1, 1]


def test_an_empty_batch_has_no_scores():
    given = ids([], [], whitespace)
    for metric in (sentence_bleu, gleu, chrf, wer, edit_similarity, cider_d, lambda **k: rouge_n(**k, n=2).f):
        assert metric(**given).shape == (0,)
    assert corpus_bleu(**given) == corpus_chrf([], []) == 0
    assert repetition(given["candidates"], n=2).shape == distinct_n(given["candidates"], n=2).shape == (0,)
    assert rouge_lsum([], [], whitespace).f.shape == self_bleu(given["candidates"], group_size=2).shape == (0,)


def test_rouge_of_summaries():
    """Lin 2004, Sec. 3.2: w1 … w5 against w1 w2 w6 w7 w8 and w1 w3 w8 w9 w5: the union of w1 w2 and w1 w3 w5 is 4."""
    found = rouge_lsum(["1 2 6 7 8\n1 3 8 9 5"], ["1 2 3 4 5"], whitespace)
    assert [x.item() for x in found] == pytest.approx([4 / 10, 4 / 5, 8 / 15])
    # the candidate has one a, so it is hit once though it stands in both lines of the reference: a b, and of a c only c
    found = rouge_lsum(["a b\nc"], ["a b\na c"], whitespace)
    assert [x.item() for x in found] == pytest.approx([1, 3 / 4, 6 / 7])
    # of the two longest subsequences of b a and a b, a ends further left in the reference; the other line has b
    assert rouge_lsum(["b a"], ["a b\nb"], whitespace).f.item() == pytest.approx(2 * 2 / (2 + 3))
    # lines in another order lose nothing, which they do in ROUGE-L; the better of two references
    texts, targets = ["x y\np q"], [["p q\nx y", "z"]]
    assert rouge_lsum(texts, targets, whitespace).f.item() == 1
    assert rouge_l(**ids(texts, targets, whitespace)).f.item() == 0.5
    for one in drawn(8, 10):
        lines = [" ".join(map(str, text)) for text in one.texts]
        theirs = [[" ".join(map(str, r)) for r in some] for some in one.targets]
        flat = rouge_l(one.candidates, one.references, **one.masks)
        assert torch.allclose(rouge_lsum(lines, theirs, whitespace).f, flat.f)
    with pytest.raises(UserError, match="2 candidates and 1 references"):
        rouge_lsum(["a", "b"], ["c"], whitespace)


def test_tokenizers():
    assert mteval_13a("Don't, at 3.5 or 1,000 (5-4)! &amp;\n") == (
        ["Don't", ",", "at", "3.5", "or", "1,000", "(", "5", "-", "4", ")", "!", "&"]
    )
    assert characters(" a b\n") == ["a", "b"]
    assert chrf_words("(hi) a 'tis.") == ["(hi", ")", "a", "'tis", "."]
    given = ids(["a b"], ["b c d"], whitespace)
    assert given["candidates"].tolist() == [[0, 1]]
    assert given["references"].tolist() == [[[1, 2, 3]]]
    ragged = ids(["a", "b"], [["a", "b"], ["c"]], str.split)
    assert ragged["reference_mask"].tolist() == [[[True], [True]], [[True], [False]]]
    with pytest.raises(UserError, match="2 candidates and 1 references"):
        ids(["a", "b"], ["c"], str.split)


def test_chrf_of_one_order_is_f():
    ours, theirs = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 9]])
    assert near(chrf(ours, theirs, max_n=1, beta=3.0), 10 * (2 / 4) * (2 / 3) / (9 * 2 / 4 + 2 / 3))


def test_variety():
    tokens = torch.tensor([[1, 2, 1, 2, 1], [5, 6, 7, 0, 0], [1, 2, 0, 0, 0], [3, 0, 0, 0, 0]])
    mask = torch.arange(5) < torch.tensor([5, 3, 2, 1])[:, None]
    assert distinct_n(tokens, n=2, candidate_mask=mask).tolist() == [2 / 4, 1.0, 1.0, 0.0]
    assert repetition(tokens, n=2, candidate_mask=mask).tolist() == [0.5, 0.0, 0.0, 0.0]
    # 12 21 12 21 56 67 together: 4 of 6; 12 alone
    assert distinct_n(tokens, n=2, candidate_mask=mask, group_size=2).tolist() == [4 / 6, 1.0]
    for one in drawn(4, 20):
        for n in (1, 3):
            found = distinct_n(one.candidates, n=n, candidate_mask=one.masks["candidate_mask"])
            exact = [len(grams(text, n)) / max(1, len(text) - n + 1) for text in one.texts]
            assert all(map(near, found, exact))


def test_self_bleu_is_bleu_against_the_others():
    one = next(drawn(5, 1, vocabulary_of=(2,)))
    ours = torch.cat([one.candidates, one.candidates.flip(0)])
    mask = torch.cat([one.masks["candidate_mask"], one.masks["candidate_mask"].flip(0)])
    found = self_bleu(ours, group_size=3, candidate_mask=mask, smoothing="floor")
    for row in range(6):
        group = [r for r in range(row // 3 * 3, row // 3 * 3 + 3) if r != row]
        alone = sentence_bleu(
            ours[row : row + 1],
            ours[None, group],
            candidate_mask=mask[row : row + 1],
            reference_mask=mask[None, group],
            smoothing="floor",
        )
        assert near(found[row], alone[0])
    assert found.sum() > 0.1
    assert self_bleu(torch.ones(4, 5, dtype=torch.long), group_size=2).tolist() == [1.0] * 4
    with pytest.raises(UserError, match="rows of a group"):
        self_bleu(ours, group_size=4)


def cider(texts, targets, documents, sigma=6.0):
    """CIDEr-D of the COCO caption evaluation, written out with dictionaries."""
    df: dict = defaultdict(int)
    for references in documents:
        for gram in {g for r in references for n in range(1, 5) for g in grams(r, n)}:
            df[gram] += 1

    def vector(tokens, n):
        return {g: c * (math.log(len(documents)) - math.log(max(1, df[g]))) for g, c in grams(tokens, n).items()}

    def size(v):
        return math.sqrt(sum(x * x for x in v.values()))

    scores = []
    for text, references in zip(texts, targets, strict=True):
        total = 0.0
        for reference in references:
            apart = max(len(text) - 1, 0) - max(len(reference) - 1, 0)
            for n in range(1, 5):
                h, r = vector(text, n), vector(reference, n)
                common = sum(min(x, r.get(g, 0)) * r.get(g, 0) for g, x in h.items())
                if size(h) and size(r):
                    common /= size(h) * size(r)
                total += common * math.exp(-(apart**2) / (2 * sigma**2)) / 4
        scores.append(10 * total / len(references))
    return scores


def test_cider_d():
    best = 0.0
    for one in drawn(6, 20, rows=5):
        found = cider_d(one.candidates, one.references, **one.masks)
        exact = cider(one.texts, one.targets, one.targets)
        assert all(abs(float(a) - b) < 1e-10 for a, b in zip(found, exact, strict=True))
        other = next(drawn(7, 1, rows=6))
        found = cider_d(
            one.candidates,
            one.references,
            **one.masks,
            corpus=other.references,
            corpus_mask=other.masks["reference_mask"],
            sigma=3.0,
        )
        exact = cider(one.texts, one.targets, other.targets, sigma=3.0)
        assert all(abs(float(a) - b) < 1e-10 for a, b in zip(found, exact, strict=True))
        best = max(best, float(found.max()))
    assert best > 3
