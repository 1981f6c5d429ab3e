"""`--mix` of the command line: a model and what is laid over it, from folders. `policies.composed.mixed` mixes.

    --mix TUNED:WEIGHT              adds WEIGHT · (TUNED - MODEL)
    --mix TUNED:REFERENCE:WEIGHT    adds WEIGHT · (TUNED - REFERENCE)

in log-probabilities of the next token, or in what networks of pipelines predict, where MODEL is that of `--model`.
Repeated, they add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tyro

from rlft.policies.composed.mixed import Early, mixed
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.folder import Reading
from rlft.policies.pipelines.load import load
from rlft.policies.pipelines.pipeline import Pipeline
from rlft.runs.folder import model_folder
from rlft.types import UserError


def loaded(model: str, mix: Sequence[str], sampling: Sampling, prompting: Prompting, loading: Loading) -> Language:
    """The policy of `model`, a folder, a hub id or a run folder, with everything in `mix` laid over it.

    Tokenizer and chat template are the model's, and so is how rows are drawn. Each folder is loaded once.
    """
    return _laid_over(model, mix, lambda folder: Language.load(folder, sampling, prompting, loading))


def drawn(model: str, mix: Mixing, drawing: Drawing, reading: Reading) -> Pipeline:
    """The same of text-to-image pipelines; encoders and decoder are those of `model`."""
    alone = None if mix.mix_below is None else Early(mix.mix_below)
    if alone is not None and not mix.mix:
        raise UserError("--mix-below says where a mix is drawn from: give --mix TUNED:WEIGHT, or leave it out")
    return _laid_over(model, mix.mix, lambda folder: load(folder, drawing, reading=reading), alone)


@dataclass(frozen=True)
class Mixing:
    """What is laid over a pipeline.

    Args:
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes what the pipeline TUNED predicts from what --model does,
            at each step; TUNED:REFERENCE:WEIGHT what distinguishes it from the pipeline REFERENCE. Repeat it for
            several. 0.5 is half of the tuning, 1.6 more than all of it.
        mix_below: where the state is noise by a larger share than this, from 1 at the start to 0, --model is asked
            alone; by default nowhere.
    """

    mix: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    mix_below: float | None = None


def _laid_over(model: str, mix: Sequence[str], read: Callable[[str], Any], alone: Early | None = None) -> Any:
    found: dict[str, Any] = {}

    def of(name: str) -> Any:
        folder = model_folder(name)
        if folder not in found:
            found[folder] = read(folder)
        return found[folder]

    policy = of(model)
    if not mix:
        return policy
    parts = [(of(tuned), of(reference or model), weight) for tuned, reference, weight in map(parsed, mix)]
    differences = [term for tuned, reference, weight in parts for term in ((tuned, weight), (reference, -weight))]
    return mixed([(policy, 1.0), *differences], like=policy, alone=alone)


def parsed(words: str) -> tuple[str, str | None, float]:
    """TUNED, REFERENCE or None for the model, and WEIGHT."""
    names, _, number = words.rpartition(":")
    tuned, *others = names.split(":")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not tuned or len(others) > 1 or "" in others or not math.isfinite(weight):
        raise UserError(
            f"--mix {words!r} is not TUNED:WEIGHT or TUNED:REFERENCE:WEIGHT, such as runs/polite:1.5 or "
            "small-chat:small-base:1"
        )
    return tuned, others[0] if others else None, weight
