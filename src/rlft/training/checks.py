"""What about a Trainer can be seen to be impossible before it starts. It trains nothing and changes nothing."""

from __future__ import annotations

from typing import Any

from rlft.errors import incapable
from rlft.training.ahead import MOST
from rlft.types import Exchanging, HasValue, Method, Packing, Policy, Remote, UserError


def check(trainer: Any) -> None:
    """Everything about a run that can be seen to be impossible before it starts."""
    method, policy = trainer.method, trainer.policy
    if not isinstance(method, Method):
        raise UserError(f"method {getattr(method, 'name', method)!r:.80} learns from a buffer: give it to a Learner")
    for need in (Policy, *method.needs, *((HasValue,) if method.critic else ())):
        without_critic = need is HasValue and isinstance(policy, HasValue) and not list(policy.value_parameters())
        if not isinstance(policy, need) or without_critic:
            raise incapable(method.name, need, policy)
    if trainer.budget is not None and (trainer.rows is not None or not isinstance(policy, Packing)):
        raise UserError(
            f"budget={trainer.budget} tokens a forward pass needs a policy that counts them, and no rows beside it; "
            f"{type(policy).__name__} has rows={trainer.rows}: give one of the two"
        )
    for name, least in (("prompts", 1), ("group", 1), ("rows", 1), ("budget", 1)):
        value = getattr(trainer, name)
        if value is not None and value < least:
            raise UserError(f"{name} must be at least {least}; got {value}")
    for name, value in (("lr", trainer.lr), ("max_grad_norm", trainer.optimizing.max_grad_norm)):
        if not value >= 0:
            raise UserError(f"{name} must not be negative; got {value}")
    _check_ahead(trainer)
    if trainer.group < method.min_group:
        raise UserError(
            f"method {method.name} compares the rows of a group, so group must be at least {method.min_group}; "
            f"got {trainer.group}"
        )
    if trainer.prompts < max(method.minibatches, trainer.runtime.world):
        raise UserError(
            f"{trainer.prompts} prompts a step cannot be shared over {method.minibatches} minibatches "
            f"and {trainer.runtime.world} processes; raise prompts"
        )


def _check_ahead(trainer: Any) -> None:
    """Whether rows can be drawn before their turn, or elsewhere."""
    steps, method = trainer.ahead.steps, trainer.method
    if Exchanging in method.needs and isinstance(trainer.runtime, Remote):
        raise UserError(
            f"method {method.name} trains two that exchange roles, which samplers elsewhere do not learn of"
        )
    if not 0 <= steps <= MOST:
        raise UserError(f"ahead is the steps that rows are drawn before their turn, 0 to {MOST}; got {steps}")
    if steps and method.collect is not None:
        raise UserError(
            f"method {method.name} demonstrates, or chooses its rows by what they have earned, with the weights that "
            "learn from them, so none are drawn ahead: leave ahead at 0, or use a method that takes rows as they come "
            "(grpo, rloo, ppo)"
        )
