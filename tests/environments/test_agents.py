"""Agents: what a program asks is a prompt, what it hears is what was drawn, and one that misbehaves is no crash."""

import pickle
import threading

import pytest

from rlft.environments.agents import Agents
from rlft.environments.dialogue import Opening
from rlft.types import Message, Problem, UserError
from tests.environments import asking

pytest.importorskip("openai")

SUM = Problem(3, "1+2=", answer="3", columns={"level": 7})


def own(text):
    return Message("assistant", text)


def contents(messages):
    return [(message.role, message.content) for message in messages]


def test_what_it_asks_is_the_prompt_and_what_it_says_next_the_answer():
    agents = Agents(asking.asked_twice)
    assert isinstance(agents, Opening)
    (put,) = agents.opened([SUM])
    assert put.input == [{"role": "user", "content": "1+2="}]
    assert (put.answer, put.index, put.columns["level"]) == ("3", 3, 7)
    rows = [[own("3")], [own("4")]]  # of one group: a second program is run for the second row
    first = agents.respond([put] * 2, rows)
    assert [contents(answer) for answer in first] == [[("user", "?")]] * 2
    said = [[*row, *answer, own("3")] for row, answer in zip(rows, first, strict=True)]
    assert [contents(answer) for answer in agents.respond([put] * 2, said)] == [
        [("result", "1.0")],
        [("result", "0.5")],
    ]


def test_the_data_reach_the_program_as_they_are_however_often_the_problem_is_put():
    seen = []

    def program(problem, endpoint):
        seen.append(dict(problem))
        return asking.asked_twice(problem, endpoint)

    agents = Agents(program)
    (put,) = agents.opened([SUM])
    agents.opened([put])
    assert seen == [{"input": "1+2=", "level": 7, "answer": "3"}] * 2


def test_calls_of_tools():
    agents = Agents(asking.calling)
    (put,) = agents.opened([SUM])
    assert [message["role"] for message in put.input] == ["system", "user"]
    assert agents.schemas == [asking.ADD]
    call = own('so: <tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>')
    (answer,) = agents.respond([put], [[call]])
    assert contents(answer) == [("tool", "3")]
    (ended,) = agents.respond([put], [[call, *answer, own("3")]])
    assert contents(ended) == [("result", "1.0")]
    (put,) = agents.opened([SUM])
    (ended,) = agents.respond([put], [[own("<tool_call>no call</tool_call>")]])
    assert contents(ended) == [("result", "0.0")]


def test_a_script_in_a_process_of_its_own_which_reads_a_stream():
    agents = Agents(asking.elsewhere)
    (put,) = agents.opened([SUM])
    assert put.input == [{"role": "user", "content": "1+2="}]
    assert contents(agents.respond([put], [[own("three")]])[0]) == [("result", "three")]


def test_a_conversation_whose_program_is_gone_is_told_to_a_new_one():
    agents = Agents(asking.asked_twice)
    (put,) = agents.opened([SUM])
    later = pickle.loads(pickle.dumps(agents))
    (ended,) = later.respond([put], [[own("3"), Message("user", "?"), own("4")]])
    assert contents(ended) == [("result", "0.5")]
    with pytest.raises(UserError, match=r"problem 3 of task, said '\?' where it had said 'sure\?' before"):
        later.respond([put], [[own("3"), Message("user", "sure?"), own("4")]])


def test_a_program_that_fails_has_no_result_and_the_others_go_on(capsys):
    agents = Agents(asking.breaking)
    (put,) = agents.opened([SUM])
    gone, going = agents.respond([put] * 2, [[own("9")], [own("3")]])
    assert contents(gone) == [("result", "error: ValueError: it said 9")] and gone[0].failed
    assert contents(going) == [("user", "?")]
    assert capsys.readouterr().err.count("an agent's program failed, and its row has no score: error: ValueError") == 1


def converse(*requests):
    """A program that asks these lists of messages one after the other, each with the answers so far behind it."""

    def program(problem, endpoint):
        client = endpoint.client()
        for messages in requests:
            client.chat.completions.create(model="policy", messages=messages)

    return program


USER = {"role": "user", "content": "one"}


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([[USER], [{"role": "user", "content": "two"}]], "it began another conversation"),
        ([[USER], [USER]], "it began another conversation"),
        ([[USER], [USER, {"role": "assistant", "content": "other"}, USER]], "it began another conversation"),
        (
            [[USER], [USER, {"role": "assistant", "content": "3"}, {"role": "assistant", "content": "4"}, USER]],
            "puts words into the policy's mouth",
        ),
        (
            [[USER], [USER, {"role": "assistant", "content": "3"}, {"role": "user", "content": [{"type": "image"}]}]],
            "something that is no text",
        ),
    ],
)
def test_a_row_is_one_conversation(requests, said):
    agents = Agents(converse(*requests))
    (put,) = agents.opened([SUM])
    ((ended,),) = agents.respond([put], [[own("3")]])
    assert ended.role == "result" and ended.failed and said in ended.content


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"n": 2}, "`n` is not served"),
        ({"logprobs": True}, "`logprobs` is not served"),
        ({"stop": ["a"]}, "`stop` is not served"),
        ({"response_format": {"type": "json_object"}}, "`response_format` is not served"),
        ({"tool_choice": "required"}, "`tool_choice` is not served"),
        ({"messages": [USER, {"role": "assistant", "content": "a"}]}, "the last message is the assistant's"),
    ],
)
def test_what_it_would_not_get_is_refused(asked, said):
    def program(problem, endpoint):
        endpoint.client().chat.completions.create(**{"model": "policy", "messages": [USER], **asked})

    with pytest.raises(UserError, match=f"BadRequestError.*{said}"):
        Agents(program).opened([SUM])


def test_one_that_asks_nothing_or_is_not_heard_from():
    with pytest.raises(UserError, match="it ended without asking the policy anything"):
        Agents(lambda problem, endpoint: 1.0).opened([SUM])
    with pytest.raises(UserError, match="error: it left with 2"):
        Agents(lambda problem, endpoint: exit(2)).opened([SUM])
    forever = threading.Event()
    with pytest.raises(UserError, match=r"nothing was heard of it for 0\.05 seconds"):
        Agents(lambda problem, endpoint: forever.wait(), seconds=0.05).opened([SUM])
    forever.set()
    with pytest.raises(UserError, match=r"seconds=0\.0"):
        Agents(asking.calling, seconds=0.0)


def test_conversations_that_were_cut_off_end_their_programs():
    ended = threading.Event()

    def program(problem, endpoint):
        try:
            endpoint.client().chat.completions.create(model="policy", messages=[USER])
        finally:
            ended.set()

    agents = Agents(program)
    agents.opened([SUM])
    assert not ended.is_set()
    agents.opened([])
    assert ended.wait(5)


def test_other_tools_for_some():
    def program(problem, endpoint):
        tools = [asking.ADD] * problem["level"]
        endpoint.client().chat.completions.create(model="policy", messages=[USER], tools=tools or None)

    with pytest.raises(UserError, match="offer the same"):
        Agents(program).opened([Problem(0, "a", columns={"level": 1}), Problem(1, "a", columns={"level": 0})])
