"""The nouns of the library: problems, rollouts, policies, methods. Nothing here computes anything.

The legend of letters, used in every signature:

    P   problems: prompts, start states or classes to condition on
    G   group: rollouts drawn for one problem
    N   rows, N = P·G, group-major: row p·G + g is the g-th rollout of problem p
    D   decisions of the policy in one row: tokens, denoising steps, environment steps, action chunks
    T K tokens, denoising steps; only inside a policy

A policy makes decisions and can say how likely each one was. Whatever the model is, its decisions are the columns
of `[N, D]` tensors, and nothing outside `policies/` learns which kind they are.
"""

from rlft.errors import UserError
from rlft.types.capabilities import (
    Checking,
    Denoising,
    Displaced,
    Exchanging,
    HasEntropy,
    HasReference,
    HasStates,
    HasTeacher,
    HasValue,
    Illustrating,
    Packing,
    Pathwise,
    Policy,
    Resumable,
    Sampler,
    Savable,
    Showable,
    Teachable,
    Writing,
    actor_parameters,
    critic_parameters,
    untrained,
)
from rlft.types.method import (
    Blame,
    Collect,
    Credit,
    Loss,
    Measure,
    Method,
    Parts,
    Reward,
    Through,
    Total,
    Update,
    published,
    unused,
)
from rlft.types.outputs import Message, Text, Transcript, Turns, output_of
from rlft.types.rows import COLUMNS, Problem, Rollouts, field_of
from rlft.types.runtime import Remote, Revisited, Runtime, Source, Stateful, StoredTask, Task, visited

__all__ = [
    "COLUMNS",
    "Blame",
    "Checking",
    "Collect",
    "Credit",
    "Denoising",
    "Displaced",
    "Exchanging",
    "HasEntropy",
    "HasReference",
    "HasStates",
    "HasTeacher",
    "HasValue",
    "Illustrating",
    "Loss",
    "Measure",
    "Message",
    "Method",
    "Packing",
    "Parts",
    "Pathwise",
    "Policy",
    "Problem",
    "Remote",
    "Resumable",
    "Revisited",
    "Reward",
    "Rollouts",
    "Runtime",
    "Sampler",
    "Savable",
    "Showable",
    "Source",
    "Stateful",
    "StoredTask",
    "Task",
    "Teachable",
    "Text",
    "Through",
    "Total",
    "Transcript",
    "Turns",
    "Update",
    "UserError",
    "Writing",
    "actor_parameters",
    "critic_parameters",
    "field_of",
    "output_of",
    "published",
    "untrained",
    "unused",
    "visited",
]
