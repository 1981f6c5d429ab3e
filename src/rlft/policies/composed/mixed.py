"""Policies made of other policies' scores, to be sampled, scored and trained like any other. The weights are `mix`'s.

What is mixed is what a family's decisions are drawn from: logits of a language model or of a denoiser of strings,
another denoiser's prediction after its own guidance. A mix of one family is a policy of that family, so nothing else
learns that it is several models.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlft.policies.language.mixed_causal import MixedCausal, OutsideTopP, same_vocabulary
from rlft.policies.language.policy import Language
from rlft.policies.mix import Terms, Weighted, frozen_view, merged
from rlft.policies.pipelines.mixed import MixedPipeline
from rlft.policies.pipelines.pipeline import Pipeline
from rlft.policies.stepwise.diffusion import Diffusion, said
from rlft.policies.stepwise.masked import Masked
from rlft.types import Policy, UserError

__all__ = ["Early", "OutsideTopP", "mixed"]


@dataclass(frozen=True)
class Early:
    """Where the first denoiser speaks alone: at times t > `until`, the first steps (`zero_init_step` in the code of
    arXiv:2508.21016). The others are not asked there. `until` = 1 mixes everywhere."""

    until: float

    def __post_init__(self) -> None:
        if not 0 <= self.until <= 1:
            raise UserError(f"Early(until={self.until}): denoising runs from time 1 to time 0")

    def speaks(self, t: Float[Tensor, "N"]) -> Bool[Tensor, "N"]:
        """The rows at these times."""
        return t > self.until


def mixed(
    terms: Terms,
    *,
    trained: Collection[Policy] = (),
    alone: OutsideTopP | Early | None = None,
    like: Policy | None = None,
) -> Any:
    """The policy whose score is the weighted sum of these policies' scores.

    terms     policies of one family and weights, as the functions of `mix` make them. Weights of denoisers add up to
              1: the sum is then a prediction again. Those of logits may add up to anything, which is an inverse
              temperature
    trained   which of these policies learn when the mix is trained; the others are seen as they are at each moment
              (the same weights, not copies) and have no gradient. A critic and heads beside the score stay behind
    alone     where the first policy speaks alone: `OutsideTopP` for tokens, `Early` for denoisers
    like      whose other settings it has (sampling and tokenizer, or rule, steps and event): by default those of the
              first that has a weight

    One policy with weight 1 gives that policy. UserError where families, vocabularies or schedules differ.
    """
    policies, weights = merged(terms)
    foreign = [policy for policy in trained if not any(policy is member for member in policies)]
    if foreign:
        raise UserError(f"{len(foreign)} of the policies to be trained have no weight in the mix")
    learn = [any(policy is chosen for chosen in trained) for policy in policies]
    kinds = {type(policy).__name__ for policy in (*policies, *([] if like is None else [like]))}
    if len(kinds) > 1:
        raise UserError(f"scores of different families do not add: {', '.join(sorted(kinds))}")
    return _composed(policies[0] if like is None else like, policies, Weighted(tuple(weights)), learn, alone)


@singledispatch
def _composed(like: Any, policies: Sequence[Any], mix: Weighted, learn: Sequence[bool], alone: Any) -> Any:
    raise UserError(
        f"{type(like).__name__} has no score to mix; language models, denoisers, masked diffusion and pipelines have"
    )


@_composed.register
def _language(like: Language, policies: Sequence[Any], mix: Weighted, learn: Sequence[bool], alone: Any) -> Any:
    if not (alone is None or isinstance(alone, OutsideTopP)):
        raise UserError(f"{alone} is a rule for denoisers; for tokens there is OutsideTopP")
    for policy in policies:
        same_vocabulary(like.tokenizer, policy.tokenizer)
        policy.front.alone_with("a mix of models")
    models = [policy.model if own else frozen_view(policy.model) for policy, own in zip(policies, learn, strict=True)]
    causal = MixedCausal(models, mix, alone)
    causal.generation_config = like.causal.generation_config
    return like.with_model(causal)


@_composed.register
def _diffusion(like: Diffusion, policies: Sequence[Any], mix: Weighted, learn: Sequence[bool], alone: Any) -> Any:
    _a_prediction(mix, alone)
    _alike(like, policies, "denoisers", ("shape", "classes", "schedule", "prediction"))
    said_by = [_Guided(policy, own) for policy, own in zip(policies, learn, strict=True)]
    rule = like.rule
    learns = any(own and policy is like for policy, own in zip(policies, learn, strict=True))
    if isinstance(rule, nn.Module) and not learns:
        rule = frozen_view(rule)
    return Diffusion(
        MixedDenoiser(said_by, mix, alone),
        steps=like.steps,
        rule=rule,
        schedule=like.schedule,
        prediction=like.prediction,
        event=like.event,
        shape=like.shape,
        classes=like.classes,
        block=like.block,
    )


@_composed.register
def _pipeline(like: Pipeline, policies: Sequence[Any], mix: Weighted, learn: Sequence[bool], alone: Any) -> Any:
    _a_prediction(mix, alone)
    if any(learn):
        raise UserError("a mix of pipelines is drawn from, and not trained: train one of them, and mix it then")
    _alike(like, policies, "pipelines", ("shape", "steps"))
    for name, of in (("families", lambda one: type(one.family)), ("times", lambda one: one.grid.times.tolist())):
        if any(of(policy) != of(like) for policy in policies):
            raise UserError(f"what networks of different {name} say does not add")
    until = None if alone is None else alone.speaks
    return MixedPipeline(like, [policy.core for policy in policies], mix, until)


def _a_prediction(mix: Weighted, alone: Any) -> None:
    """UserError unless a sum of predictions with these weights is one."""
    if not (alone is None or isinstance(alone, Early)):
        raise UserError(f"{alone} is a rule for tokens; for denoisers there is Early")
    if abs(sum(mix.weights) - 1) > 1e-6:
        raise UserError(
            f"weights of denoisers add up to 1, and {', '.join(f'{w:g}' for w in mix.weights)} to {sum(mix.weights):g}"
        )


@_composed.register
def _masked(like: Masked, policies: Sequence[Any], mix: Weighted, learn: Sequence[bool], alone: Any) -> Any:
    if alone is not None:
        raise UserError(f"{alone} is no rule for masked strings: a mix of them is mixed everywhere")
    _alike(like, policies, "denoisers of strings", ("alphabet", "length", "classes"))
    members = [p.denoiser if own else frozen_view(p.denoiser) for p, own in zip(policies, learn, strict=True)]
    return Masked(
        MixedTokens(members, mix),
        alphabet=like.alphabet,
        length=like.length,
        steps=like.steps,
        rule=like.rule,
        classes=like.classes,
        block=like.block,
    )


def _alike(like: Any, policies: Sequence[Any], what: str, names: Sequence[str]) -> None:
    """UserError unless these attributes are the same."""
    for policy in policies:
        for name in names:
            ours, theirs = getattr(like, name), getattr(policy, name)
            if ours != theirs:
                raise UserError(f"{what} of different {name} do not add: {ours} and {theirs}")


class _Guided(nn.Module):
    """A policy's denoiser with its classifier-free guidance, as one denoiser."""

    def __init__(self, policy: Diffusion, learns: bool):
        super().__init__()
        self.denoiser = policy.denoiser if learns else frozen_view(policy.denoiser)
        self.guidance, self.null = policy.guidance, policy.classes

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return said(self.denoiser, x, t, label, self.guidance, self.null)


class MixedDenoiser(nn.Module):
    """Predictions Σ w·prediction of the members, which are denoisers themselves."""

    def __init__(self, members: Sequence[nn.Module], mix: Weighted, alone: Early | None = None):
        super().__init__()
        self.members = nn.ModuleList(members)
        self.mix, self.alone = mix, alone

    def forward(
        self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]
    ) -> Float[Tensor, "N *S"]:
        first = self.members[0](x, t, label)
        early = torch.zeros_like(t, dtype=torch.bool) if self.alone is None else self.alone.speaks(t)
        if early.all():
            return first
        everyone = self.mix([first, *(member(x, t, label) for member in list(self.members)[1:])])
        return torch.where(early.view(-1, *[1] * (x.ndim - 1)), first, everyone)


class MixedTokens(nn.Module):
    """Logits Σ w·logits of the members, which are denoisers of strings."""

    def __init__(self, members: Sequence[nn.Module], mix: Weighted):
        super().__init__()
        self.members, self.mix = nn.ModuleList(members), mix

    def forward(self, tokens: Int[Tensor, "N L"], label: Int[Tensor, "N"]) -> Float[Tensor, "N L V"]:
        return self.mix([member(tokens, label) for member in self.members])
