"""A student with a teacher: a language policy that also knows how far its distributions are from another model's.

The student is what is drawn from, trained and saved; the teacher scores and nothing else. Not imitation of a teacher's
texts, which are demonstrations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.models.fingerprint import fingerprint
from rlft.policies.conversation.policy import Conversation
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.distance import distances
from rlft.types import Policy, Problem, Rollouts, UserError


class Taught(nn.Module):
    """The student, and `distance` to its teacher (Agarwal et al. 2024, arXiv:2306.13649).

    student   a `Language`, or a `Conversation` of one
    teacher   a `Language` of the same tokenizer; it is put on the student's device and gets no gradient. Its weights
              are no part of the state, but what they hash to is: a run goes on with the same teacher

    `UserError` for a teacher that reads other tokens.
    """

    hashed: Tensor

    def __init__(self, student: Language | Conversation, teacher: Language):
        super().__init__()
        _same_tokens(_language(student), teacher)
        self.student = student
        # A tuple keeps the teacher's weights out of this module's.
        self.teacher = (teacher.to(_language(student).device).requires_grad_(False),)
        known = bytes.fromhex(fingerprint(teacher.state_dict()))
        self.register_buffer("hashed", torch.tensor(list(known), dtype=torch.uint8))

    def distance(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """KL(student || teacher) of the next token at each decision, over the whole vocabulary, nats; 0 off the mask.

        Both at temperature 1 and without cuts, whatever the rows were drawn with. The gradient goes to the student's
        distributions, and not through the tokens that were drawn.
        """
        student, (teacher,) = _language(self.student), self.teacher
        hidden, at = student.decisions(rollouts)
        with torch.no_grad():
            known, _ = teacher.decisions(rollouts)
        found = distances(student.causal, hidden, teacher.causal, known, student.logits_at_once)
        return found.new_zeros(rollouts.mask.shape).index_put(at, found)

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """The student's."""
        return self.student.sample(problems, group, seed)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The student's."""
        return self.student.log_prob(rollouts)

    def packed(self, rollouts: Rollouts, budget: int, together: bool) -> list[list[int]]:
        """The student's; a conversation's rows are not counted."""
        if isinstance(self.student, Conversation):
            raise UserError("a conversation does not know how long its rows are: give --rows, and no --budget")
        return self.student.packed(rollouts, budget, together)

    def reference(self) -> Policy:
        """The student's: how it was at the start."""
        return self.student.reference()

    def check(self, problems: Iterable[Problem]) -> None:
        """As the student's."""
        self.student.check(problems)

    def show(self, output: Any) -> dict[str, Any]:
        """As the student's."""
        return self.student.show(output)

    def illustrate(self, problem: Problem) -> dict[str, Any]:
        """As the student's."""
        return self.student.illustrate(problem)

    def save(self, folder: Path) -> None:
        """The student alone."""
        self.student.save(folder)


def distance_to_teacher(
    policy: Taught, problems: Sequence[Problem], samples: int = 1, seed: int = 0
) -> dict[str, float]:
    """`teacher/kl`: the mean of `distance` over all tokens that the student draws for these problems, nats a token."""
    with torch.no_grad():
        rollouts = policy.sample(problems, samples, seed)
        found = policy.distance(rollouts)
    return {"teacher/kl": float(found.sum(dtype=torch.float64) / rollouts.mask.sum().clamp(min=1))}


def _language(policy: Language | Conversation) -> Language:
    return policy.language if isinstance(policy, Conversation) else policy


def _same_tokens(student: Language, teacher: Language) -> None:
    mine, its = (dict(policy.tokenizer.get_vocab()) for policy in (student, teacher))
    if mine != its:
        other = len({*mine.items()} ^ {*its.items()})
        raise UserError(
            f"the teacher reads other tokens than the student: {other} of {len(mine)} and {len(its)} differ. They are "
            "compared token by token, so both need one tokenizer; for another, imitate the teacher's texts with sft"
        )
