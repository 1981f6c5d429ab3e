"""Tools: what a model is told, what a call is, and that nothing a model writes or a tool does is a crash."""

import copy
import json
import os
import pickle
import time

import pytest

from rlft.environments.dialogue import Dialogue
from rlft.environments.signatures import mismatch, schema_of
from rlft.environments.tools import Tools
from rlft.types import Message, Problem, UserError
from tests.environments import calculator

PROBLEM = Problem(0, "?")


def call(name, **arguments):
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def answers(tools, *texts):
    """What each text, as the only turn of a row, is answered with."""
    found = tools.respond([PROBLEM] * len(texts), [[Message("assistant", text)] for text in texts])
    return [[(message.content, message.failed) for message in row] for row in found]


@pytest.fixture(scope="module")
def tools():
    names = ("add", "scale", "echo", "hang", "die", "divide", "process", "spin")
    return Tools([getattr(calculator, name) for name in names], seconds=2.0, longest=60)


def test_a_schema_says_what_a_model_needs():
    assert schema_of(calculator.scale) == {
        "type": "function",
        "function": {
            "name": "scale",
            "description": "Scale some values.",
            "parameters": {
                "type": "object",
                "properties": {
                    "values": {"type": "array", "items": {"type": "number"}},
                    "by": {"type": "number"},
                    "unit": {"anyOf": [{"enum": ["m", "km"]}, {"type": "null"}]},
                },
                "required": ["values"],
            },
        },
    }


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"values": [1, 2.5], "by": 3, "unit": "km"}, None),
        ({"values": [], "unit": None}, None),
        ({}, "the argument values is missing"),
        ({"values": [1], "times": 2}, "there is no argument times; there are values, by, unit"),
        ({"values": [1, "2"]}, "values is not an array"),
        ({"values": [True]}, "values is not an array"),
        ({"values": [1], "by": "3"}, "by is not a number"),
        ({"values": [1], "unit": "mile"}, "unit is not one of m, km or a null"),
    ],
)
def test_arguments_are_held_against_the_schema(arguments, wrong):
    assert mismatch(arguments, schema_of(calculator.scale)) == wrong


def test_calls_are_answered_in_their_order(tools):
    assert isinstance(tools, Dialogue)
    both = f"first {call('add', a=2, b=40)} then\n{call('scale', values=[1, 2], by=1.5)}"
    found = answers(tools, both, "no call, so the end", call("echo", text="hm"))
    assert found == [
        [("42", False), ('{"values": [1.5, 3.0], "unit": null}', False)],
        [],
        [("hm", False)],
    ]


def test_the_last_tag_may_be_missing_and_arguments_too(tools):
    assert answers(tools, call("add", a=1, b=2).removesuffix("</tool_call>")) == [[("3", False)]]
    assert answers(tools, '<tool_call>{"name": "add"}</tool_call>') == [[("error: the argument a is missing", True)]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<tool_call>add 1 and 2</tool_call>", "error: the call is not JSON"),
        ("<tool_call>" + "[" * 100_000, "error: the call is not JSON"),
        ("<tool_call>[1]</tool_call>", 'error: a call is {"name": …, "arguments": {…}}'),
        ('<tool_call>{"name": "add", "arguments": 3}</tool_call>', "error: arguments is not an object"),
        (call("add", a=1, b="2"), "error: b is not an integer"),
        (call("divide", a=1, b=0), "error: ZeroDivisionError: division by zero"),
        (call("die"), "error: the tool ended its process"),
        (call("hang", seconds=60), "error: no result within 2 seconds"),
        (call("spin"), "error: no result within 2 seconds"),
    ],
)
def test_what_fails_is_said(tools, text, said):
    start = time.monotonic()
    assert answers(tools, text) == [[(said, True)]]
    assert time.monotonic() - start < 20
    assert answers(tools, call("add", a=2, b=3)) == [[("5", False)]]  # and the next call works


def alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as file:
        return file.read().split()[2] != "Z"


@pytest.mark.parametrize("away", [False, True])
def test_a_fork_that_holds_the_pipe_does_not_hold_the_call(tmp_path, monkeypatch, away):
    monkeypatch.setenv("LEFT", str(tmp_path / "left"))
    tools, start = Tools([calculator.leaves, calculator.add], seconds=1.5), time.monotonic()
    found = answers(tools, call("leaves", seconds=60.0, away=away), call("add", a=1, b=2))
    assert found == [[("error: no result within 1.5 seconds", True)], [("3", False)]]
    assert time.monotonic() - start < 10
    left = int((tmp_path / "left").read_text())
    if away:
        os.kill(left, 9)  # out of reach
    else:
        assert not alive(left)


def test_what_a_tool_started_ends_with_its_process(tmp_path, monkeypatch):
    monkeypatch.setenv("LEFT", str(tmp_path / "left"))
    tools = Tools([calculator.leaves])
    answers(tools, call("leaves", seconds=0.0, away=False))
    left = int((tmp_path / "left").read_text())
    assert alive(left)
    tools.workers[0]._process.stdin.close()  # as when this process is killed
    until = time.monotonic() + 10
    while alive(left) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(left)


def test_a_reply_cannot_be_forged():
    tools = Tools([calculator.forges, calculator.add, calculator.starts, calculator.twice])
    assert answers(tools, call("forges")) == [[("error: the tool wrote where its replies go", True)]]
    assert answers(tools, call("add", a=1, b=2), call("twice"), call("add", a=2, b=2)) == [
        [("3", False)],
        [("parent", False)],
        [("4", False)],
    ]
    (((seen, _),),) = answers(tools, call("starts"))
    assert seen.strip() == "[0, 1, 2] b''"  # empty ones, and the pipe of the tool's own


def test_a_flood_is_cut_off():
    tools = Tools([calculator.flood], longest=50)
    assert answers(tools, call("flood")) == [[("error: the tool wrote where its replies go", True)]]


@pytest.mark.parametrize(
    "arguments",
    ["[" * 500 + "]" * 500, "1e999", "NaN", '"\\ud800"', "9" * 4000, "{" + '"a":{' * 300 + "}" * 301, "null"],
)
def test_no_junk_raises(arguments):
    tools = Tools([calculator.add, calculator.echo], longest=100)
    for name in ("add", "echo", "\\ud800"):
        for key in ("a", "text"):
            text = f'<tool_call>{{"name": "{name}", "arguments": {{"{key}": {arguments}}}}}</tool_call>'
            (((said, _),),) = answers(tools, text)
            assert len(said.encode()) <= 400


def test_an_unknown_tool_is_told_of_the_others():
    tools = Tools([calculator.add, calculator.echo])
    assert answers(tools, call("sub", a=1)) == [[("error: there is no tool sub; there are add, echo", True)]]


def test_text_is_cut_and_can_be_encoded(tools):
    assert answers(tools, call("echo", text="x" * 100)) == [[("x" * 60, False)]]
    (((said, failed),),) = answers(tools, '<tool_call>{"name": "echo", "arguments": {"text": "a\\ud800b"}}</tool_call>')
    assert (said.encode(), failed) == (b"a?b", False)


def test_a_row_has_so_many_calls():
    tools = Tools([calculator.add], calls=3)
    one = call("add", a=1, b=1)
    history = [Message("assistant", one * 2), Message("tool", "2"), Message("tool", "error", failed=True)]
    (found,) = tools.respond([PROBLEM], [[*history, Message("assistant", one * 2)]])
    assert [message.content for message in found] == ["2", "error: no calls are left, 3 have been made"]
    assert [message.failed for message in found] == [False, True]


def test_workers_stand_side_by_side():
    tools = Tools([calculator.process, calculator.hang], workers=2)
    (((first, _),), ((second, _),)) = answers(tools, *[call("process")] * 2)
    assert str(os.getpid()) not in (first, second)
    answers(tools, *[call("hang", seconds=0.0)] * 2)  # both have started
    start = time.monotonic()
    assert answers(tools, *[call("hang", seconds=1.0)] * 2) == [[("awake", False)]] * 2
    assert time.monotonic() - start < 1.8


def test_a_copy_has_processes_of_its_own(tools):
    ((original,),) = answers(tools, call("process"))
    for other in (copy.deepcopy(tools), pickle.loads(pickle.dumps(tools))):
        ((copied,),) = answers(other, call("process"))
        assert copied != original and not copied[1]


def test_without_functions_nobody_answers():
    assert answers(Tools([]), call("add", a=1, b=2)) == [[]]
    assert Tools([]).stop == () and Tools([calculator.add]).stop == ("</tool_call>",)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ([lambda a: a], "<lambda> is not a function of a module"),
        ([len], "len is not a function of a module"),
        ([calculator.add, calculator.add], "two tools have the same name: add, add"),
        ([calculator.untyped], "the tool untyped does not say of what type a is"),
        ([calculator.strange], "a of the tool strange is annotated <class 'complex'>"),
        ([calculator.starred], r"the tool starred takes \*words: 'str'"),
    ],
)
def test_functions_that_cannot_be_tools(functions, message):
    with pytest.raises(UserError, match=message):
        Tools(functions)


def test_a_file_that_cannot_be_imported_there(tmp_path):
    """It is no turn of the policy's: the user has to mend it."""
    from rlft.options.calls import _imported

    path = tmp_path / "here_only.py"
    path.write_text(
        "import os\nassert 'RLFT_TOOL_WORKER' not in os.environ, 'not there'\ndef f() -> int:\n    return 1\n"
    )
    tools = Tools([_imported(path).f])
    with pytest.raises(UserError, match="the process of the tools did not start: AssertionError: not there"):
        answers(tools, call("f"))


def test_tools_are_not_built_by_a_tool(monkeypatch):
    monkeypatch.setenv("RLFT_TOOL_WORKER", "1")
    with pytest.raises(UserError, match="put `if __name__ == '__main__':`"):
        Tools([calculator.add])
