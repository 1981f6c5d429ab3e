"""What a prover says of a text: a value that names its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Proved:
    """One of the verifier's `REASONS`, and what the prover says.

    stands  of tactics alone, how many sentences it takes before the first that it refuses; None where it is not known
    """

    reason: str
    detail: str = ""
    stands: int | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool | None:
        """Whether all is proved; None if the task itself does not work, so that it cannot be said."""
        return None if self.reason == "unreadable" else self.reason in ("proved", "passed")
