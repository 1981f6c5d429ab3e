"""`--mix` of the command line: a model and what is laid over it, from folders. `policies.composed.mixed` mixes.

    --mix TUNED:WEIGHT              adds WEIGHT · (TUNED - MODEL)
    --mix TUNED:REFERENCE:WEIGHT    adds WEIGHT · (TUNED - REFERENCE)

in log-probabilities of the next token, where MODEL is that of `--model`. Repeated, they add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rlft.policies.composed.mixed import mixed
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.runs.folder import model_folder
from rlft.types import UserError


def loaded(model: str, mix: Sequence[str], sampling: Sampling, prompting: Prompting, loading: Loading) -> Language:
    """The policy of `model`, a folder, a hub id or a run folder, with everything in `mix` laid over it.

    Tokenizer and chat template are the model's, and so is how rows are drawn. Each folder is loaded once.
    """
    found: dict[str, Language] = {}

    def of(name: str) -> Language:
        folder = model_folder(name)
        if folder not in found:
            found[folder] = Language.load(folder, sampling, prompting, loading)
        return found[folder]

    policy = of(model)
    if not mix:
        return policy
    parts = [(of(tuned), of(reference or model), weight) for tuned, reference, weight in map(parsed, mix)]
    differences = [term for tuned, reference, weight in parts for term in ((tuned, weight), (reference, -weight))]
    return mixed([(policy, 1.0), *differences], like=policy)


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
