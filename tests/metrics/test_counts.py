"""Counts are integers: they equal the definition exactly, by every back end, on any device and in a compiled graph."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rlft.metrics import NUMBA, NUMPY, TORCH, counts, sentence_bleu
from rlft.metrics.batch import batch
from rlft.types import UserError

from .samples import clipped, sample

COMPILER = importlib.util.find_spec("numba") is not None
NEEDS_COMPILER = pytest.mark.skipif(not COMPILER, reason="needs numba: pip install 'rlft[fast]'")
BACKENDS = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(TORCH, id="torch"),
        pytest.param(NUMPY, id="numpy"),
        pytest.param(NUMBA, id="numba", marks=NEEDS_COMPILER),
    ],
)
TERMS = ("numerator", "denominator")


def counted(backend, drawn, orders):
    given = batch(drawn.candidates, drawn.references, drawn.masks["candidate_mask"], drawn.masks["reference_mask"])
    return given, backend.count(given, orders)


@BACKENDS
@pytest.mark.parametrize("vocabulary", [2, 4, 50, 40_000, 10**15])
def test_counts_equal_the_definition(backend, vocabulary):
    rng, seen = np.random.default_rng(vocabulary), 0
    for _ in range(120):
        orders, references = int(rng.integers(1, 9)), int(rng.integers(1, 9))
        drawn = sample(rng, references=references, longest=20, vocabulary=vocabulary, least=0)
        given, (matches, totals) = counted(backend, drawn, orders)
        expected = [clipped(*pair, orders) for pair in zip(drawn.texts, drawn.targets, strict=True)]
        assert matches.tolist() == expected
        assert totals.tolist() == [[max(len(text) - n, 0) for n in range(orders)] for text in drawn.texts]
        flags = backend.flags(given, orders)
        assert flags.sum(-1).tolist() == expected
        assert not flags[~drawn.masks["candidate_mask"][:, None].expand_as(flags)].any()
        seen += sum(map(sum, expected))
    assert seen > 1000


@pytest.mark.slow
def test_counts_equal_nltk_on_five_thousand_candidates():
    """Sixteen rows of lengths of their own in a batch: a call costs the same for two, and rows must be kept apart."""
    precision = pytest.importorskip("nltk.translate.bleu_score").modified_precision
    rng, backends = np.random.default_rng(1), (TORCH, NUMPY, NUMBA) if COMPILER else (TORCH, NUMPY)
    for _ in range(320):
        orders, references = int(rng.integers(1, 7)), int(rng.integers(1, 9))
        drawn = sample(rng, 16, references, 16, int(rng.choice([1, 2, 5, 30, 10**6])))
        exact = [
            [precision(targets, text, n) for n in range(1, orders + 1)]
            for text, targets in zip(drawn.texts, drawn.targets, strict=True)
        ]
        numerators, denominators = ([[getattr(p, of) for p in row] for row in exact] for of in TERMS)
        for backend in backends:
            matches, totals = counted(backend, drawn, orders)[1]
            assert matches.tolist() == numerators
            assert totals.clamp(min=1).tolist() == denominators


@BACKENDS
def test_rows_longer_than_one_integer_holds(backend):
    """Six orders of 2000 distinct tokens need two blocks of keys; counts of 70 000 tokens need fields above 16 bits."""
    generator = torch.Generator().manual_seed(3)
    for length, vocabulary, orders, references in (
        (2000, 2**40, 6, 2),
        (1500, 2, 2, 3),
        (40_000, 3, 3, 1),
        (40_000, 2, 2, 3),
        (70_000, 1, 2, 2),
    ):
        ours = torch.randint(0, vocabulary, (1, length), generator=generator)
        theirs = torch.where(torch.rand(1, references, length, generator=generator) < 0.8, ours[:, None], 1)
        matches = backend.count(batch(ours, theirs), orders)[0]
        assert matches[0].tolist() == clipped(ours[0].tolist(), theirs[0].tolist(), orders)
        assert matches.min() > 100


@NEEDS_COMPILER
def test_hashes_that_all_collide_change_nothing():
    """Tokens made so that each belongs into the last slot of the table; all but one have to move on, and round."""
    from rlft.metrics.counts_numba import _SPREAD

    inverse = pow(int(_SPREAD), -1, 2**64)
    names = np.array([(2**64 - 1 - j) * inverse % 2**64 for j in range(40)], np.uint64).view(np.int64)
    assert len({int(name) * int(_SPREAD) % 2**64 >> 50 for name in names.tolist()}) == 1
    rng = np.random.default_rng(9)
    ours, theirs = (torch.tensor(names[rng.integers(0, 40, (3, 2, 60))]) for _ in range(2))
    given = batch(ours[:, 0], theirs)
    assert NUMBA.count(given, 3)[0].tolist() == NUMPY.count(given, 3)[0].tolist()
    assert NUMBA.count(given, 3)[0].sum() > 60


def test_without_a_compiler_numpy_counts(monkeypatch):
    given = batch(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3, dtype=torch.long))
    assert counts.fastest(given) is (NUMBA if COMPILER else NUMPY)
    monkeypatch.setitem(sys.modules, "rlft.metrics.counts_numba", None)
    monkeypatch.delattr("rlft.metrics.counts_numba", raising=False)
    counts._fastest_on_cpu.cache_clear()
    assert counts.fastest(given) is NUMPY
    with pytest.raises(UserError, match=r"rlft\[fast\]"):
        NUMBA.count(given, 2)
    counts._fastest_on_cpu.cache_clear()


@NEEDS_COMPILER
def test_nowhere_to_keep_what_was_compiled(monkeypatch):
    import numba

    from rlft.metrics import counts_numba

    def njit(function=None, *, cache=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(function)

    monkeypatch.setattr(counts_numba, "njit", njit)
    assert counts_numba._kept(lambda x: x + 1)(2) == 3


@BACKENDS
def test_a_hole_splits_a_sequence(backend):
    ours, theirs = torch.tensor([[1, 2, 9, 3, 4]]), torch.tensor([[1, 2, 9, 3, 4]])
    mask = torch.tensor([[True, True, False, True, True]])
    given = batch(ours, theirs, mask, None)
    matches, totals = backend.count(given, 3)
    assert matches.tolist() == [[4, 2, 0]]
    assert totals.tolist() == [[4, 2, 0]]


@BACKENDS
def test_flags_are_matches_of_every_prefix(backend):
    rng, seen = np.random.default_rng(2), 0
    for _ in range(30):
        drawn = sample(rng, references=2, longest=14, vocabulary=3)
        flags = backend.flags(counted(backend, drawn, 4)[0], 4).long().cumsum(-1)
        for row, (text, targets) in enumerate(zip(drawn.texts, drawn.targets, strict=True)):
            for size in range(1, len(text) + 1):
                assert flags[row, :, size - 1].tolist() == clipped(text[:size], targets, 4)
            seen += sum(clipped(text, targets, 4)[1:])
    assert seen > 100


@BACKENDS
def test_holes_anywhere(backend):
    """As many sequences of their own: the definition, with tokens off the mask that occur nowhere else."""
    rng, seen = np.random.default_rng(4), 0
    for _ in range(60):
        ours, theirs = rng.integers(0, 3, (2, 15)), rng.integers(0, 3, (2, 2, 13))
        mask, their_mask = rng.random(ours.shape) < 0.8, rng.random(theirs.shape) < 0.8
        given = batch(*map(torch.tensor, (ours, theirs, mask, their_mask)))
        matches, totals = backend.count(given, 4)
        for row in range(2):
            text = np.where(mask[row], ours[row], -1 - np.arange(15)).tolist()
            targets = np.where(their_mask[row], theirs[row], -100 - np.arange(13)).tolist()
            assert matches[row].tolist() == clipped(text, targets, 4)
            whole = [sum(all(mask[row, i : i + n]) for i in range(16 - n)) for n in range(1, 5)]
            assert totals[row].tolist() == whole
        assert backend.flags(given, 4).sum(-1).tolist() == matches.tolist()
        seen += int(matches[:, 3].sum())
    assert seen > 50


@BACKENDS
def test_padding_order_of_references_and_shared_references_change_nothing(backend):
    drawn = sample(np.random.default_rng(5), rows=4, references=3, longest=12)
    given, (matches, totals) = counted(backend, drawn, 4)
    roomy = batch(
        torch.nn.functional.pad(given.candidates, (3, 2), value=-100),
        torch.nn.functional.pad(given.references.flip(1), (5, 0), value=-7),
        torch.nn.functional.pad(drawn.masks["candidate_mask"], (3, 2)),
        torch.nn.functional.pad(drawn.masks["reference_mask"].flip(1), (5, 0)),
    )
    assert [x.tolist() for x in backend.count(roomy, 4)] == [matches.tolist(), totals.tolist()]
    shared = batch(given.candidates, given.references[::2], group_size=2)
    apart = batch(given.candidates, given.references[::2].repeat_interleave(2, 0))
    assert backend.count(shared, 4)[0].tolist() == backend.count(apart, 4)[0].tolist()
    assert torch.equal(backend.flags(shared, 4), backend.flags(apart, 4))
    assert matches.sum() > 10


@BACKENDS
@pytest.mark.parametrize("shapes", [((2, 0), (2, 1, 3)), ((2, 3), (2, 0, 3)), ((2, 3), (2, 1, 0)), ((0, 3), (0, 1, 3))])
def test_empty_batches(backend, shapes):
    given = batch(*(torch.zeros(shape, dtype=torch.long) for shape in shapes))
    matches, totals = backend.count(given, 3)
    assert matches.shape == totals.shape == (shapes[0][0], 3)
    assert not matches.any()
    assert not backend.flags(given, 3).any()


class Synchronising(TorchDispatchMode):
    """Counts operations that make the host wait for the device."""

    NAMES = ("_local_scalar_dense", "nonzero", "unique", "bincount", "is_nonzero", "masked_select")

    def __init__(self):
        super().__init__()
        self.waits, self.operations = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.operations += 1
        by_mask = name.startswith("index") and any(
            isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in (args[1] if len(args) > 1 else ())
        )
        if by_mask or any(part in name for part in self.NAMES):
            self.waits.append(name)
        return func(*args, **(kwargs or {}))


def test_tensors_never_make_the_host_wait():
    drawn = sample(np.random.default_rng(6), rows=4, references=5, longest=12)
    with Synchronising() as seen:
        sentence_bleu(drawn.candidates, drawn.references, **drawn.masks, backend=TORCH)
    assert seen.waits == []
    assert 50 < seen.operations < 400
    with Synchronising() as seen:
        drawn.candidates[drawn.masks["candidate_mask"]].unique()
    assert len(seen.waits) == 2


COMPILED = """
import torch
from rlft.metrics import TORCH, prefix_bleu, sentence_bleu

g = torch.Generator().manual_seed(7)
ours, theirs = torch.randint(0, 4, (4, 9), generator=g), torch.randint(0, 4, (4, 2, 7), generator=g)
mask = torch.rand(4, 9, generator=g) < 0.9
for f in (sentence_bleu, prefix_bleu):
    found = torch.compile(f, fullgraph=True, backend="aot_eager")(ours, theirs, candidate_mask=mask)
    expected = f(ours, theirs, candidate_mask=mask)
    assert torch.equal(found, expected) and expected.sum() > 0, (found, expected)
"""


@pytest.mark.slow
def test_compiles_to_one_graph():
    """In a process of its own, for the checks of shapes that the tests run with cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_counts_on_a_gpu():
    drawn = sample(np.random.default_rng(8), rows=64, references=3, longest=100, vocabulary=30)
    given, (matches, _) = counted(NUMPY, drawn, 4)
    there = batch(*(x.cuda() for x in (given.candidates, given.references)), *(x.cuda() for x in drawn.masks.values()))
    assert TORCH.count(there, 4)[0].tolist() == matches.tolist()
    assert torch.equal(TORCH.flags(there, 4).cpu(), NUMPY.flags(given, 4))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((torch.zeros(3, dtype=torch.long), torch.zeros(3, 2, dtype=torch.long)), "expected \\[B, L\\]"),
        ((torch.zeros(3, 2, dtype=torch.long), torch.zeros(2, 2, dtype=torch.long)), "references have shape"),
        ((torch.zeros(3, 2), torch.zeros(3, 2, dtype=torch.long)), "expected token ids"),
        (
            (torch.zeros(3, 2, dtype=torch.long), torch.zeros(3, 2, dtype=torch.long), torch.ones(3, 2)),
            "the mask of the candidates",
        ),
    ],
)
def test_wrong_input_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        batch(*arguments)
