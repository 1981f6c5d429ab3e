"""Batches of tokens, counters of sentence BLEU, and how they are compared."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from rlft.errors import UserError
from rlft.measure import counters
from rlft.measure.counters import KINDS, apart, batch, lists, nltk, ours, published, ratio, sacrebleu, texts


def given(candidate, reference):
    ids = [torch.tensor([tokens]) for tokens in (candidate, reference)]
    return {
        "candidates": ids[0],
        "references": ids[1][:, None],
        "candidate_mask": ids[0] > 0,
        "reference_mask": (ids[1] > 0)[:, None],
    }


def test_a_batch_has_what_is_asked_for():
    found = batch(64, 100)
    lengths = found["candidate_mask"].sum(1)
    assert lengths.min() >= 50 and lengths.max() <= 100 and len(lengths.unique()) > 20
    assert torch.equal(found["candidates"] > 0, found["candidate_mask"])
    both = found["candidate_mask"] & found["reference_mask"][:, 0]
    same = (found["candidates"] == found["references"][:, 0])[both].float().mean()
    # 70 % are copied, and of the rest about 1.6 % are the same word by chance: Zipf's of 32,000.
    assert same == pytest.approx(0.7 + 0.3 * 0.0137, abs=0.02)
    copied = batch(8, 20, "copied")
    both = copied["candidate_mask"] & copied["reference_mask"][:, 0]
    assert torch.equal(copied["candidates"][both], copied["references"][:, 0][both])
    assert all(torch.equal(a, b) for a, b in zip(found.values(), batch(64, 100).values(), strict=True))


def test_lists_and_texts_leave_the_padding_out():
    one = given([5, 6, 0, 0], [5, 7, 8, 0])
    assert lists(one) == [([5, 6], [5, 7, 8])] and texts(one) == [("5 6", "5 7 8")]


@pytest.mark.parametrize("smoothing", ["none", "floor", "exp"])
def test_the_counters_agree(smoothing):
    nltks, sacres = nltk(smoothing), sacrebleu(smoothing)
    batches = [batch(16, size, kind) for size in (6, 40) for kind in KINDS]
    assert apart(ours(smoothing), nltks, batches) < 1e-12
    assert apart(ours(smoothing, "sacrebleu"), sacres, batches) < 1e-12
    assert max(ours(smoothing)(batches[4])) > 0.2


def test_a_difference_is_seen():
    # 3 of 4 words, 2 of 3 pairs, 1 of 2 triples, no quadruple of 1: next to 0, or 0.1 in its place.
    one = given([1, 2, 3, 4], [1, 2, 3, 5])
    expected = (3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25
    assert ours("floor")(one) == pytest.approx([expected]) and ours("none")(one)[0] < 1e-70
    assert apart(ours("floor"), ours("none"), [given([1, 2, 3, 4], [1, 2, 3, 4]), one]) == pytest.approx(expected)


def test_ratios_are_of_neighbours(monkeypatch):
    assert ratio([(4.0, 1.0), (30.0, 10.0), (2.0, 2.0)]) == 3.0
    clock = iter([0.0, 4.0, 10.0, 12.0, 20.0, 29.0, 30.0, 33.0])
    monkeypatch.setattr(counters.time, "process_time", lambda: next(clock))
    called: list[str] = []

    def slow(given):
        called.append("slow")
        return []

    def fast(given):
        called.append("fast")
        return []

    assert counters.times(slow, fast, {}, pairs=2) == [(4.0, 2.0), (9.0, 3.0)]
    assert called == ["slow", "fast"] * 3


PEAK = """
import torch
from rlft.measure import counters
print(counters.peak(lambda given: torch.ones(100, 2**18).sum(1).tolist(), {}))
"""


def test_a_peak_is_what_the_call_holds():
    """In a process of its own: one that held as much before takes it again unseen."""
    if not counters.Path("/proc/self/clear_refs").exists():
        with pytest.raises(UserError, match="not here"):
            counters.peak(lambda given: [], {})
        return
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True)
    assert float(done.stdout) == pytest.approx(100, abs=15), done.stderr


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="holds no rxlm: pip install --no-deps --target"):
        published(tmp_path)
    monkeypatch.setattr(counters.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install sacrebleu"):
        sacrebleu()


def test_the_published_one_is_asked_as_it_wants(tmp_path, monkeypatch):
    """A stand-in for it: it has no masks and takes padding 0 for what is not there."""
    folder = tmp_path / "rxlm" / "metrics"
    folder.mkdir(parents=True)
    for part in (folder.parent, folder):
        (part / "__init__.py").touch()
    (folder / "tensorbleu.py").write_text(
        "def tensor_sentence_bleu(candidates, references, smoothing_method):\n"
        "    assert smoothing_method == 'floor' and references.dim() == 3\n"
        "    return (candidates == references[:, 0]).double().mean(1)\n"
    )
    monkeypatch.setattr(counters.sys, "path", list(counters.sys.path))
    assert published(tmp_path)(given([1, 2, 3, 4], [1, 2, 5, 4])) == [0.75]
