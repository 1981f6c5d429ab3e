"""Measures of answers that may be no box at all: right ones, right and wrong abstention."""

from __future__ import annotations

from collections.abc import Sequence

from rlft.metrics.boxes import detections, of_value
from rlft.metrics.detection import density_f1
from rlft.types import Problem, Text


def abstention(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Means over questions, as Jiang et al. 2025, arXiv:2506.04034, report them; each of the first three over those
    that it is about, and left out where there are none.

    density_f1        of questions that something fits: F1 · min(1, T/P), see `metrics.detection.density_f1`
    false_abstention  share of these that are answered with no box
    rejection         share of questions that nothing fits that are answered with no box
    readable          share of answers that hold boxes or say that there are none
    """
    read = [detections(output) for output in outputs]
    pairs = [(said, of_value(problem.answer)) for said, problem in zip(read, problems, strict=True)]
    fitting = [(said, gold) for said, gold in pairs if gold]
    without = [said for said, gold in pairs if not gold]
    told = {"readable": sum(said is not None for said in read) / len(read)}
    if fitting:
        values = [0.0 if said is None else density_f1(said, gold) for said, gold in fitting]
        told["density_f1"] = sum(values) / len(fitting)
        told["false_abstention"] = sum(said == [] for said, _ in fitting) / len(fitting)
    if without:
        told["rejection"] = sum(said == [] for said in without) / len(without)
    return told
