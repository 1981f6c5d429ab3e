"""`rlft merge`: an adapter added into its base, saved as a whole model, and how far the two are apart. No training."""

from __future__ import annotations

from pathlib import Path

import torch
import tyro

from rlft.policies.language.folder import Loading, has_adapter
from rlft.policies.language.policy import Language
from rlft.runs.card import write_cards
from rlft.runs.folder import model_folder, refuse_taken, written_whole
from rlft.types import Problem, UserError

# Nats of a token's log-probability; sums in another order differ by less.
_ROUNDING = {"float64": 1e-9, "float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}


def merge(
    run: tyro.conf.Positional[str], out: tyro.conf.Positional[Path], loading: Loading = Loading(), prompt: str = ""
) -> int:
    """Add a trained adapter into the model it was trained on, and save the sum as a model of its own.

    The two are compared on rows that the adapter's model draws: log-probabilities should differ by rounding alone.

    Args:
        run: a run folder, or an adapter's folder.
        out: a new folder.
        prompt: what the rows that are compared continue; by default the tokenizer's first token.
    """
    refuse_taken(out)
    policy = Language.load(model_folder(run), loading=loading, max_new_tokens=16)
    if not has_adapter(policy.model):
        raise UserError(f"{run} holds no adapter: it is a whole model already")
    with written_whole(out) as beside:
        policy.save(beside, merge=True)
        apart = _apart(policy, Language.load(beside, loading=loading, max_new_tokens=16), prompt)
        if (Path(run) / "run.json").is_file():
            write_cards(beside, Path(run))
    print(f"{out}: log-probabilities of tokens differ from the adapter's by {apart:.2g} nats at most")
    if apart > _ROUNDING.get(loading.dtype, 1e-3):
        print(f"that is more than rounding in {loading.dtype}: the merged model is another one; try --dtype float32")
    return 0


@torch.no_grad()
def _apart(policy: Language, merged: Language, prompt: str) -> float:
    """The largest difference of a token's log-probability, on eight rows of the policy's own."""
    text = prompt or policy.tokenizer.decode([policy.tokenizer.eos_token_id or 0])
    rollouts = policy.sample([Problem(0, text, task="merge", split="compare")], 8, 0)
    difference = policy.log_prob(rollouts) - merged.log_prob(rollouts)
    return float(difference[rollouts.mask].abs().max()) if bool(rollouts.mask.any()) else 0.0
