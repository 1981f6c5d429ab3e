"""Programs against their tests; cheats earn nothing here, and each passes the check that people write first."""

import pytest

from rlft.sandbox.programs import Limits, Program, Programs
from rlft.verifiers.cases import Case, Cases
from rlft.verifiers.programs import Checked, ProgramTests, program_in
from tests.jails import needs_jail

ADD = Cases((Case("[2, 3]", "5"), Case("[10, -4]", "6")), "add")
SUM = Cases((Case("2 3\n", "5\n"), Case("10 -4\n", "6\n")))
RIGHT = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def jails():
    return Programs()


@pytest.fixture
def tests(jails):
    return ProgramTests(jails, Limits(seconds=0.5, wall=5.0))


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Sure:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```python\na\n```\nor better\n```py\nb\n```", "b\n"),
        ("```\na\n```", "a\n"),
        ("```python\na\n```\nrun it:\n```bash\npython a.py\n```", "a\n"),
        ("<think>\n```python\na\n```\n</think>\n```python\nb\n```", "b\n"),
        ("print(1)", "print(1)"),
        ("```python\nprint(1)", ""),
        ("<think>print(1)</think>", ""),
        ("```python\nx = '```'\n```", "x = '```'\n"),
    ],
)
def test_the_program_of_a_completion(text, program):
    assert program_in(text) == program


@needs_jail
def test_right_and_wrong(tests):
    scripts = ["print(sum(map(int, input().split())))", "print(5)", "print(input())", ""]
    checked = tests.check([(RIGHT, ADD), *((script, SUM) for script in scripts)])
    assert [one.passed for one in checked] == [(True, True), (True, True), (True, False), (False, None), (False, False)]
    assert [one.all for one in checked] == [True, True, False, False, False]
    assert str(checked[0]) == "2 of 2 tests passed"
    assert str(checked[2]) == "1 of 2 tests passed; test 2: the output is not the expected one"
    assert checked[3].share is None
    assert tests.check([(" \n", Cases((Case("", ""),)))])[0] == Checked((False,), ("no program",))


@needs_jail
def test_every_test_for_a_share(jails):
    tests = ProgramTests(jails, Limits(seconds=0.5, wall=5.0), every=True)
    late = "def add(a, b):\n    while a == 2: pass\n    return a + b"
    checked = tests.check([(late, ADD), ("print(6)", SUM), ("1/0", SUM)])
    assert [one.share for one in checked] == [0.5, 0.5, 0.0]
    assert checked[0].why[0] == "timeout: more than 0.5 seconds of processor time"
    assert checked[2].why == ("exit: ZeroDivisionError: division by zero",) * 2


@needs_jail
def test_known_ones_are_not_run_again(tests, monkeypatch):
    asked, run = [], Programs.run
    monkeypatch.setattr(
        Programs, "run", lambda self, programs, *rest: asked.append(len(programs)) or run(self, programs, *rest)
    )
    first = tests.check([(RIGHT, ADD), (RIGHT, ADD), ("1/0", ADD)])
    assert asked == [2, 1]
    assert tests.check([("1/0", ADD), (RIGHT, ADD)]) == [first[2], first[0]]
    assert asked == [2, 1, 0, 0]
    unfinished = tests.check([("def add(a, b): return 5", ADD)], budget=-1.0)
    assert unfinished == [Checked((None, None), ("unrun: there was no time left to run it",) * 2)]
    assert unfinished[0].all is None
    assert tests.check([("def add(a, b): return 5", ADD)])[0].passed == (True, False)


@needs_jail
def test_a_program_is_run_once_for_an_input_whatever_is_expected(tests, monkeypatch):
    """But for one that says much, and one that had no time."""
    asked, run = [], Programs.run
    monkeypatch.setattr(
        Programs, "run", lambda self, programs, *rest: asked.append(len(programs)) or run(self, programs, *rest)
    )
    other = Cases((Case("2 3\n", "6\n"), Case("7 1\n", "8\n")))
    program, long = "print(sum(map(int, input().split())))", "print(5, ' ' * 5000)"
    checked = tests.check([(program, SUM), (program, other), (long, SUM)])
    assert [one.passed for one in checked] == [(True, True), (False, None), (True, False)]
    assert asked == [2, 2]
    checked = tests.check([(program, Cases(SUM.each[::-1])), (long, other), (program, Cases(other.each[1:]))])
    assert [one.passed for one in checked] == [(True, True), (False, None), (True,)]
    assert asked == [2, 2, 2, 0]  # the long one, and 7 1; what stands second in the first has been run
    tests.check([("print(1)", SUM)], budget=-1.0)
    assert tests.check([("print(1)", other)])[0].passed == (False, None) and asked[4:] == [1, 1, 1, 0]


@needs_jail
def test_no_program_sees_what_another_left(tests):
    leaves = "import os\nopen('/tmp/answer', 'w').write('5')\nos.environ['A'] = '5'\nprint(0)"
    takes = "import os\nprint(open('/tmp/answer').read() if os.path.exists('/tmp/answer') else os.environ.get('A'))"
    assert [one.passed for one in tests.check([(leaves, SUM), (takes, SUM)])] == [(False, None)] * 2


# Checks as they are written first, in the process that runs the program: exit code 0, or a word on the output.
ASSERTED = "\nassert add(2, 3) == 5\nassert add(10, -4) == 6\n"
REPORTED = """
def check(function, cases):
    for arguments, expected in cases:
        if function(*arguments) != expected:
            return "FAIL"
    return "PASS"
print(check(add, [((2, 3), 5), ((10, -4), 6)]))
"""
CHEATS = {
    "ends early": (ASSERTED, "import sys\nsys.exit(0)"),
    "ends early, below Python": (ASSERTED, "import os\nos._exit(0)"),
    "ends in the call": (ASSERTED, "import os\ndef add(a, b): os._exit(0)"),
    "equal to everything": (
        ASSERTED,
        "class Any:\n    def __eq__(self, other): return True\ndef add(a, b): return Any()",
    ),
    "a number equal to everything": (
        REPORTED,
        "class Any(int):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
        "def add(a, b): return Any(0)",
    ),
    "reads what is expected in the frame of its caller": (
        REPORTED,
        "import sys\ndef add(a, b): return sys._getframe(1).f_locals['expected']",
    ),
    "searches memory for what is expected": (
        REPORTED,
        "import gc\ndef add(a, b):\n    for one in gc.get_objects():\n"
        "        if type(one) is tuple and len(one) == 2 and one[0] == (a, b): return one[1]",
    ),
    "reads its own file": (
        ASSERTED,
        "import re\ndef add(a, b):\n"
        "    return int(re.search(rf'add\\({a}, {b}\\) == (\\S+)', open(__file__).read())[1])",
    ),
    "prints the verdict": (REPORTED, "import os\nprint('PASS', flush=True)\nos._exit(0)"),
    "prints the verdict at the end": (
        REPORTED,
        "import atexit, builtins\nbuiltins.print = lambda *a, **k: None\n"
        "import sys\natexit.register(sys.stdout.write, 'PASS\\n')\ndef add(a, b): return 0",
    ),
    "changes the comparison": (
        "\nimport operator\nassert operator.eq(add(2, 3), 5)\nassert operator.eq(add(10, -4), 6)\n",
        "import operator\noperator.eq = lambda a, b: True\ndef add(a, b): return 0",
    ),
    "swallows the failure": (
        ASSERTED,
        "import sys, os\nsys.excepthook = lambda *a: os._exit(0)\ndef add(a, b): return 0",
    ),
}
FORGED = {
    "a value of its own on the way back": "import os\ndef add(a, b):\n    os.write(3, b'true')\n    os._exit(0)",
    "two values": "import os\ndef add(a, b):\n    os.write(3, b'5 6 ')\n    return 5",
    "a reply of the jail": 'import os\nos.write(3, b\'["answer", {"reason": "ok", "value": "5"}]\')\nos._exit(0)',
    "changes how values are written": "import json\njson.dumps = lambda value: 'NaN'\ndef add(a, b): return 0",
    "a value that JSON has not": "def add(a, b): return {5}",
    "a value without end": "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
    "as a text": "def add(a, b): return str(a + b)",
    "a truth": "def add(a, b): return True",
}


@needs_jail
@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_passes_the_naive_check_and_not_this_one(tests, jails, name):
    check, cheat = CHEATS[name]
    naive = f"import linecache\n__file__ = '/tmp/main.py'\nopen(__file__, 'w').write('''{check}''')\n{cheat}\n{check}"
    verdict = jails.run([Program(naive)])[0]
    assert "PASS" in verdict.stdout if check is REPORTED else verdict.ok, verdict
    checked = tests.check([(cheat, ADD)])[0]
    assert checked.passed == (False, None), checked


@needs_jail
@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_is_wrong(tests, name):
    assert tests.check([(FORGED[name], ADD)])[0].passed == (False, None)


@needs_jail
def test_a_script_that_prints_more_than_the_answer_is_wrong(tests):
    noisy = ["print(5, 6)", "print('5\\n6')", "print(5); print('PASS')", "import sys; print(5, file=sys.stderr)"]
    crashes = "print(5)\nraise SystemExit(1)"
    assert [one.passed[0] for one in tests.check([(source, SUM) for source in [*noisy, crashes]])] == [False] * 5
