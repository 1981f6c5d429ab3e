"""The tests of a row, in the forms in which they are published."""

import base64
import json
import pickle
import zlib

import pytest

from rlft.verifiers.cases import Case, Cases, cases_of, expected_values

SCRIPTS = Cases((Case("1\n", "2\n"), Case("3\n", "4\n")))
PAIRS = {"inputs": ["1\n", "3\n"], "outputs": ["2\n", "4\n"]}
LISTED = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}, {"input": "3\n", "output": "4\n"}]


def packed(value) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        ({"input_output": json.dumps(PAIRS)}, None),
        ({"input_output": PAIRS}, "something else"),
        ({"reward_model": {"style": "rule", "ground_truth": json.dumps(PAIRS)}}, None),
        ({}, json.dumps(PAIRS)),
        ({}, json.dumps(LISTED)),
        ({"public_test_cases": json.dumps(LISTED[:1]), "private_test_cases": json.dumps(LISTED[1:])}, None),
        ({"public_test_cases": json.dumps(LISTED[:1]), "private_test_cases": packed(json.dumps(LISTED[1:]))}, None),
        ({"input_output": {"inputs": [["1", ""], "3\n"], "outputs": [["2", ""], "4\n"]}}, None),
    ],
)
def test_scripts(columns, answer):
    assert cases_of(columns, answer) == SCRIPTS


def test_functions():
    called = {"inputs": [[1, [2]], ["a", []]], "outputs": [3, ["b"]], "fn_name": "f"}
    wanted = Cases((Case("[1, [2]]", "3"), Case('["a", []]', '["b"]', wrapped=True)), "f")
    assert cases_of({"input_output": json.dumps(called)}) == wanted
    assert [expected_values(case) for case in wanted.each] == [[3], [["b"], "b"]]
    texts = {"inputs": ['1\n"a"'], "outputs": ["[3]"], "fn_name": "f"}
    assert cases_of({}, texts) == Cases((Case('[1, "a"]', "[3]"),), "f")
    row = {"public_test_cases": json.dumps([{"input": "1\n[2]", "output": "3", "testtype": "functional"}])}
    named = {**row, "metadata": json.dumps({"func_name": "g"})}
    assert cases_of(named) == Cases((Case("[1, [2]]", "3"),), "g")


class Runs:
    def __reduce__(self):
        return print, ("a pickle ran",)


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        ({}, None),
        ({}, "42"),
        ({}, "not json"),
        ({"input_output": json.dumps({"inputs": [], "outputs": []})}, None),
        ({"input_output": {"inputs": ["1"], "outputs": []}}, None),
        ({"private_test_cases": "no base 64"}, None),
        ({"private_test_cases": packed(Runs())}, None),
        ({"private_test_cases": packed([1, 2])}, None),
        ({"reward_model": {"ground_truth": "[" * 100_000}}, None),
    ],
)
def test_rows_without_tests(columns, answer, capsys):
    assert cases_of(columns, answer) is None
    assert capsys.readouterr().out == ""
