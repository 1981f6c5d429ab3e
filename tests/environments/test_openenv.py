"""Served environments: a stand-in for OpenEnv's server speaks its wire; what is earned, what ends, what fails."""

import pytest

from rlft.environments.agents import Agents
from rlft.environments.openenv import openenv
from rlft.types import Message, Problem, UserError
from tests.environments.guessing import Guessing

pytest.importorskip("websockets")


@pytest.fixture
def guessing():
    made = Guessing()
    yield made
    made.server.shutdown()


QUESTION = Problem(3, "A number?", columns={"level": 7})


def played(program, *turns, problem=QUESTION):
    """What is said between these turns of the policy, and the result."""
    agents = Agents(program, seconds=10.0)
    (put,) = agents.opened([problem])
    transcript, heard = [], [put.input[-1]["content"]]
    for turn in turns:
        transcript.append(Message("assistant", turn))
        (answer,) = agents.respond([put], [transcript])
        transcript += answer
        heard.append(answer[-1].content)
    return heard, transcript[-1]


def number(guessing):
    return guessing.resets[-1]["seed"] % 3


def test_an_episode_is_a_conversation_and_its_rewards_the_result(guessing):
    program = openenv(guessing.url, action="guess", given=("level", "other"))
    played(program, "9")
    wrong, right = str((number(guessing) + 1) % 3), str(number(guessing))
    heard, last = played(program, wrong, right)
    # one text that is known by its name; the right guess is no word
    assert heard == ["A number?\n\nGuess", "No", "0.5"] and last.role == "result" and not last.failed
    assert guessing.resets[0] == guessing.resets[1] and guessing.resets[0]["level"] == 7  # the problem decides the seed
    assert "other" not in guessing.resets[0]
    other = Problem(4, "Another?", columns={"level": 7})
    assert played(program, "9", "9", "9", problem=other)[0][-1] == "0.0"
    assert guessing.resets[-1]["seed"] != guessing.resets[0]["seed"]


def test_what_is_shown(guessing):
    whole = openenv(guessing.url, action="guess", shows="attempts")
    agents = Agents(whole, seconds=10.0)
    with pytest.raises(UserError, match="observation has no 'attempts'; it has text, metadata"):
        agents.opened([QUESTION])


def test_a_turn_that_is_no_action_ends_with_what_was_earned(guessing):
    program = openenv(guessing.url, action="json")
    assert played(program, "no object")[1].content == "0.0"
    assert played(program, '{"wrong": "field"}')[1].content == "0.0"
    assert played(program, '{"guess": "9"}')[0][-1] == "No"


def test_an_environment_that_fails_leaves_no_score(guessing):
    _, last = played(openenv(guessing.url, action="guess"), "bad")
    assert last.failed and "EXECUTION_ERROR: Field required" in last.content


@pytest.mark.parametrize("capacity", [0, 1])
def test_a_server_that_takes_too_few_sessions(capacity):
    """For the first row, and for the second of a group, whose program is another."""
    few = Guessing(capacity)
    agents = Agents(openenv(few.url, action="guess"), seconds=10.0)

    def two_rows():
        (put,) = agents.opened([QUESTION])
        agents.respond([put] * 2, [[Message("assistant", "9")]] * 2)

    with pytest.raises(UserError, match="max_concurrent_envs of --prompts times --group"):
        two_rows()
    few.server.shutdown()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "file:///tmp", ""])
def test_an_address_is_one(url):
    with pytest.raises(UserError, match="is at an address"):
        openenv(url)
