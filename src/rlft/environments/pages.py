"""A list that is handed out page by page to whoever asks for more. Knows nothing of what stands on the pages."""

from __future__ import annotations

from collections.abc import Sequence

from rlft.types import Message, Problem


class Pages:
    """A `Dialogue`: a turn that is `more` and the string that ends it is answered with the problem's next page.

    The pages are `problem.columns["pages"]`, said by the user. Behind the last one every further `more` is answered
    with `end`. Any other turn is the last. Which page is next, the transcript says: a page is as many turns away as
    there are pages before it.
    """

    schemas = ()

    def __init__(self, more: str = "n", end: str = "?", stop: str = ";"):
        self.more, self.end, self.stop = more, end, (stop,)

    def respond(self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]) -> list[list[Message]]:
        """The next page of each."""
        return [self._next(problem, said) for problem, said in zip(problems, transcripts, strict=True)]

    def _next(self, problem: Problem, said: Sequence[Message]) -> list[Message]:
        if said[-1].content.removesuffix(self.stop[0]) != self.more:
            return []
        pages, turn = problem.columns["pages"], sum(message.own for message in said)
        return [Message("user", pages[turn - 1] if turn <= len(pages) else self.end)]
