"""What the observer of a pair of language models is asked: the pioneer's answer, and then again. Draws nothing."""

from __future__ import annotations

from dataclasses import replace

from rlft.policies.composed.pair import Merge
from rlft.types import Problem, Text


def asked_again(again: str = "{prompt}") -> Merge:
    """A merge: the question, the pioneer's answer, and `again`, in which `{prompt}` is what was asked last.

    A text goes on with the answer, a line break and `again`; chat messages with a message of the assistant's and one
    more of the user's, which `again` is. The observer's context is so much longer, by the answer and the question.
    """

    def merge(problem: Problem, answer: Text) -> Problem:
        asked = problem.input
        if isinstance(asked, str):
            return replace(problem, input=f"{asked}{answer}\n{again.replace('{prompt}', asked)}")
        last = {**asked[-1], "content": again.replace("{prompt}", asked[-1]["content"])}
        return replace(problem, input=[*asked, {"role": "assistant", "content": str(answer)}, last])

    return merge
