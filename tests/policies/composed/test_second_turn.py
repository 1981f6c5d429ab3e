"""What an observer of texts and of chats is asked."""

from rlft.policies.composed.second_turn import asked_again
from rlft.types import Problem, Text

CHAT = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "2 + {answer}?"}]


def test_a_text_goes_on():
    problem = Problem(3, "What is {x}?", answer="7", split="test")
    asked = asked_again()(problem, Text(" six", (1, 2)))
    assert asked.input == "What is {x}? six\nWhat is {x}?"
    assert (asked.index, asked.answer, asked.split) == (3, "7", "test")
    assert asked_again("Better: {prompt}")(problem, Text(" six")).input == "What is {x}? six\nBetter: What is {x}?"
    assert asked_again("Now you.")(problem, Text("")).input == "What is {x}?\nNow you."


def test_a_chat_has_two_more_messages():
    asked = asked_again("Once more: {prompt}")(Problem(0, CHAT), Text("four {prompt}")).input
    assert asked == [
        *CHAT,
        {"role": "assistant", "content": "four {prompt}"},
        {"role": "user", "content": "Once more: 2 + {answer}?"},
    ]
    assert type(asked[2]["content"]) is str
    assert CHAT[-1]["content"] == "2 + {answer}?"
