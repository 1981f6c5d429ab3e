"""Every row that a small language policy could draw, so that its distribution is known exactly. Not a sampler."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.policies.language.policy import Language
from rlft.types import Problem, Rollouts, UserError

_MOST = 10**6


def every_row(policy: Language, problem: Problem) -> Rollouts:
    """The rows of all completions of one problem, one group of M; their probabilities add up to 1.

    With V tokens, E of them ending a row, and D = max_new_tokens, M is sum_{d<D} E (V-E)^d + (V-E)^D: rows that ended
    after d + 1 decisions, and those cut off after D. Special tokens can be drawn, so they are there too. `logp_old` is
    the policy's now. UserError where M is above a million, or where text and not tokens ends a row or cuts the support.
    """
    tokens, lengths = _completions(policy)
    like = policy.sample([problem], 1, seed=0)
    mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    ended = torch.isin(tokens, policy.ends).any(1).tolist()
    texts = [
        policy.codec.text(row[:length], not done)
        for row, length, done in zip(tokens.tolist(), lengths.tolist(), ended, strict=True)
    ]
    prompt = {name: like.trace[name].repeat_interleave(len(tokens), 0) for name in ("prompt", "prompt_length")}
    blank = torch.zeros(mask.shape, dtype=like.logp_old.dtype, device=mask.device)
    problems = (problem,) * len(tokens)
    rows = Rollouts(problems, len(tokens), texts, {**prompt, "completion": tokens}, mask, blank)
    with torch.no_grad():
        return Rollouts(problems, len(tokens), texts, rows.trace, mask, policy.log_prob(rows))


def log_probs_of_rows(policy: Language, rows: Rollouts) -> Float[Tensor, "M"]:
    """log pi of each whole row, float64 and without gradient."""
    with torch.no_grad():
        return policy.log_prob(rows).double().sum(1)


def _completions(policy: Language) -> tuple[Int[Tensor, "M D"], Int[Tensor, "M"]]:
    """Tokens, padded at the end with zeros, and the number of each row's own."""
    sampling, ends = policy.sampling, policy.ends
    if policy.codec.stop or sampling.truncates or not sampling.temperature:
        raise UserError("rows are listed for a policy without stop strings, top_k, top_p, min_p and temperature=0 only")
    vocabulary = torch.arange(policy.causal.get_output_embeddings().weight.shape[0], device=policy.device)
    going = vocabulary[~torch.isin(vocabulary, ends)]
    depth = sampling.max_new_tokens
    if len(vocabulary) ** depth > _MOST:
        raise UserError(
            f"{len(vocabulary)} tokens make {len(vocabulary)}^{depth} rows of {depth} decisions, more than {_MOST} to "
            "list; lower max_new_tokens"
        )
    alive, rows, lengths = torch.zeros(1, 0, dtype=torch.long, device=policy.device), [], []
    for d in range(depth):
        rows.append(_extended(alive, ends))
        alive = _extended(alive, going)
        lengths += [d + 1] * len(rows[-1])
    whole = [torch.nn.functional.pad(part, (0, depth - part.shape[1])) for part in (*rows, alive)]
    return torch.cat(whole), torch.tensor(lengths + [depth] * len(alive), device=policy.device)


def _extended(prefixes: Int[Tensor, "A d"], tokens: Int[Tensor, "V"]) -> Int[Tensor, "B e"]:
    """Each prefix with each token behind it."""
    return torch.cat([prefixes.repeat_interleave(len(tokens), 0), tokens.repeat(len(prefixes))[:, None]], 1)
