"""Rewards: `(problems, outputs) -> [N]` over the whole batch, group-major, or a dict of named parts, which add.

Each name here is a function of settings that returns a reward, and is what `--reward` accepts; `each`, `trl`, `verl`
and `combine` make one of other functions. NaN marks a row that could not be scored, which is not the same as 0.
"""

from rlft.rewards.adapt import adapted, combine, each, trl, verl
from rlft.rewards.boxes import box_ap, box_iou, box_recall, od_length, set_f1
from rlft.rewards.coding import programs
from rlft.rewards.commanded import command
from rlft.rewards.contracts import dafny
from rlft.rewards.critiques.critique import critique, served_critique
from rlft.rewards.designs import verilog
from rlft.rewards.driving import agreement, alpamayo, reasoning, trajectory
from rlft.rewards.environment import result
from rlft.rewards.evidence import evidence
from rlft.rewards.formulas import smt
from rlft.rewards.judging.judge import judge
from rlft.rewards.judging.ranking import ranking
from rlft.rewards.learned.scored import classifier, scorer
from rlft.rewards.learned.verifier import verifier
from rlft.rewards.length import adactrl, cosine, cosine_open_rs, length, overlong
from rlft.rewards.mathematics import math
from rlft.rewards.paths import path
from rlft.rewards.pictures import brightness, colour, compressibility, incompressibility
from rlft.rewards.plain_language import mentions, readability, same_meaning, sari
from rlft.rewards.proofs import coq
from rlft.rewards.routed import by_column
from rlft.rewards.sequence import bleu, chrf, gleu, repetition, rouge, self_bleu
from rlft.rewards.simulation import lammps
from rlft.rewards.text import choice, concluded, exact, format, label, regex, similarity

__all__ = [
    "adactrl",
    "adapted",
    "agreement",
    "alpamayo",
    "bleu",
    "box_ap",
    "box_iou",
    "box_recall",
    "brightness",
    "by_column",
    "choice",
    "chrf",
    "classifier",
    "colour",
    "combine",
    "command",
    "compressibility",
    "concluded",
    "coq",
    "cosine",
    "cosine_open_rs",
    "critique",
    "dafny",
    "each",
    "evidence",
    "exact",
    "format",
    "gleu",
    "incompressibility",
    "judge",
    "label",
    "lammps",
    "length",
    "math",
    "mentions",
    "od_length",
    "overlong",
    "path",
    "programs",
    "ranking",
    "readability",
    "reasoning",
    "regex",
    "repetition",
    "result",
    "rouge",
    "same_meaning",
    "sari",
    "scorer",
    "self_bleu",
    "served_critique",
    "set_f1",
    "similarity",
    "smt",
    "trajectory",
    "trl",
    "verifier",
    "verilog",
    "verl",
]
