"""Formulas with holes, proved by Z3 or cvc5: a task has goals that name functions, the policy writes their bodies.

Invariants, ranking functions, specifications, witnesses have this form. All commands are written here; of the policy's
text terms are taken, read by a reader of our own and written anew, so there is no `(exit)`, no `(echo "unsat")` and no
`(assert false)` in them. A goal is proved if its negation is `unsat`, and all goals are if the solver ends with code 0
and has said so once for each. A body sees its own arguments and what the preamble has, not the constants of the goals.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rlft.errors import UserError
from rlft.sandbox.commands import Command, Commands, installed
from rlft.sandbox.jail import Bare, Jail, packages
from rlft.verifiers.blocks import last_block
from rlft.verifiers.proved import Proved

REASONS = {
    "proved": "every goal holds",
    "refuted": "a goal has a counterexample",
    "unknown": "the solver gave up on a goal, or its effort was spent",
    "error": "the solver does not take a term: a name or a type that is not there",
    "refused": "the text is not a body for each function, and nothing else",
    "timeout": "it took too long",
    "lost": "the solver ended with it",
    "unreadable": "the task's own goals do not work",
}
_TOKEN = re.compile(r"\s+|[()]|[^\s()|\";:][^\s()|\";]*")
_DEEPEST = 200
# What `unknown` is for is not said, as Z3 does not say it.
_CVC5 = """
import sys, cvc5
solver = cvc5.Solver(cvc5.TermManager())
solver.setOption("incremental", "true")
solver.setOption("rlimit-per", sys.argv[1])
parser = cvc5.InputParser(solver)
parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, sys.stdin.read(), "task")
try:
    while not (command := parser.nextCommand()).isNull():
        print(str(command.invoke(solver, parser.getSymbolManager())).partition(" (")[0], flush=True)
except RuntimeError as error:
    sys.exit(f"error: {error}")
"""
_Started = tuple[tuple[str, ...], tuple[Path, ...], str]
Term = str | list[Any]
"""A word, or a list of terms."""


@final
@dataclass(frozen=True)
class Holes:
    """A task: functions to be written, and the formulas that must hold.

    functions     signatures by name, as SMT-LIB has them: {"inv": "((x Int) (y Int)) Bool"}
    goals         closed formulas, or formulas over the constants of `declarations`, such as `(=> (> x 0) (inv x y))`
    preamble      commands before the functions, which their bodies may use: sorts, helper functions
    declarations  commands behind them
    """

    functions: Mapping[str, str]
    goals: tuple[str, ...]
    preamble: str = ""
    declarations: str = ""


@final
class Smt:
    """A jail in which each text has a solver of its own, so that a verdict does not depend on what was asked before.

    effort   the solver's own measure (`rlimit`): where it ends is the same each time, where seconds end is not; None is
             20 million of Z3's, 4 million of cvc5's for each goal
    seconds  of processor time, four times as long on the clock; for what the measure does not count
    solver   z3, the program, or cvc5, the Python package (`rlft[cvc5]`)
    """

    def __init__(
        self,
        effort: int | None = None,
        seconds: float = 20.0,
        place: Jail | Bare | None = None,
        solver: str = "z3",
    ):
        if solver not in _STARTS:
            raise UserError(f"formulas are proved by {' or '.join(_STARTS)}; got solver={solver!r}")
        (program, *words), shown, self.first = _STARTS[solver](effort)
        self.words = (program if isinstance(place, Bare) else Jail().seen(Path(program)), *words)
        self.seconds = seconds
        self._commands = Commands(shown, seconds, place=place)

    def check_all(self, pairs: Sequence[tuple[Holes, str]]) -> list[Proved]:
        """Each task with its text, one after the other."""
        return [self.check(task, text) for task, text in pairs]

    def check(self, task: Holes, text: str) -> Proved:
        """The goals with a text's bodies: one `(define-fun name …)` for each function, or the body of the only one."""
        bodies = bodies_in(text, task.functions)
        if isinstance(bodies, str):
            return Proved("refused", bodies)
        defined = [f"(define-fun {name} {task.functions[name]} {body})" for name, body in bodies.items()]
        asked = [f"(push)\n(assert (not {goal}))\n(check-sat)\n(pop)" for goal in task.goals]
        whole = [task.preamble, *defined, task.declarations, *asked]
        code, said = self._told("\n".join(whole))
        if code is None:
            return Proved("timeout" if not said else "lost", said or f"not proved within {self.seconds:g} seconds")
        lines = said.split()
        if code == 0 and len(lines) == len(task.goals) and set(lines) <= {"sat", "unsat", "unknown"}:
            return _verdict(lines, task.goals)
        return self._faulty(task, said)

    def _faulty(self, task: Holes, said: str) -> Proved:
        """Whose error it is: the task's, if Z3 does not take it with functions of which nothing is known either."""
        declared = [f"(declare-fun {name} {_types(signature)})" for name, signature in task.functions.items()]
        alone = [task.preamble, *declared, task.declarations, *(f"(assert (not {goal}))" for goal in task.goals)]
        code, own = self._told("\n".join(alone))
        return Proved("error", _error(said)) if code == 0 else Proved("unreadable", _error(own))

    def _told(self, text: str) -> tuple[int | None, str]:
        """The solver's exit code and words; no code and no words if it was late, no code and why if it is lost."""
        ran = self._commands.run({}, [Command(self.words, self.first + text)])
        return ran.code, ran.said if ran.code is not None or ran.lost else ""


def _z3(effort: int | None) -> _Started:
    """The command line, what the jail must show, and what the solver reads first."""
    found = installed("z3", "z3", "formulas are proved by Z3").resolve()
    return (str(found), "-in", "-smt2", f"rlimit={effort or 20_000_000}"), (found.parents[1],), ""


def _cvc5(effort: int | None) -> _Started:
    if importlib.util.find_spec("cvc5") is None:
        raise UserError("formulas are proved by cvc5, and there is none here: pip install 'rlft[cvc5]'")
    return (sys.executable, "-c", _CVC5, str(effort or 4_000_000)), packages(), "(set-logic ALL)\n"


_STARTS: dict[str, Callable[[int | None], _Started]] = {"z3": _z3, "cvc5": _cvc5}


def bodies_in(text: str, functions: Mapping[str, str]) -> dict[str, str] | str:
    """The body of each function that a completion gives, written anew; or what is wrong with it."""
    terms = _read(last_block(text, {"smt", "smt2", "smtlib", "smt-lib", "lisp", "scheme", "z3", ""}))
    if isinstance(terms, str):
        return terms
    names = list(functions)
    if len(names) == len(terms) == 1 and not (isinstance(terms[0], list) and terms[0][:1] == ["define-fun"]):
        return {names[0]: _written(terms[0])}
    bodies: dict[str, str] = {}
    for term in terms:
        if not isinstance(term, list) or len(term) != 5 or term[0] != "define-fun" or term[1] not in names:
            return f"expected (define-fun …) of {', '.join(names)}, got {_written(term)[:80]}"
        signature = f"{_written(term[2])} {_written(term[3])}"
        wanted = _read(functions[str(term[1])])
        if isinstance(wanted, str) or signature != " ".join(map(_written, wanted)):
            return f"{term[1]} is {functions[str(term[1])]}, not {signature}"
        if term[1] in bodies:
            return f"{term[1]} is defined twice"
        bodies[str(term[1])] = _written(term[4])
    missing = [name for name in names if name not in bodies]
    return f"no definition of {', '.join(missing)}" if missing else {name: bodies[name] for name in names}


def _read(text: str) -> list[Term] | str:
    """The terms of a text, as nested lists of words, or what is wrong with it.

    There are no strings, no quoted names, no attributes and no comments in it.
    """
    stack: list[list[Term]] = [[]]
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return f"{text[at]!r} has no place in a term"
        at, token = found.end(), found[0].strip()
        if token == "(":
            stack.append([])
            if len(stack) > _DEEPEST:
                return "too many brackets"
        elif token == ")":
            if len(stack) == 1:
                return "a bracket too many"
            closed = stack.pop()
            stack[-1].append(closed)
        elif token == "!":
            return "'!' has no place in a term"
        elif token:
            stack[-1].append(token)
    return stack[0] if len(stack) == 1 else "a bracket that is never closed"


def _written(term: Term) -> str:
    return term if isinstance(term, str) else f"({' '.join(map(_written, term))})"


def _types(signature: str) -> str:
    """`((x Int) (y Int)) Bool` as `(Int Int) Bool`."""
    read: Any = _read(signature)
    arguments, result = read if isinstance(read, list) and len(read) == 2 else ([], "?")
    return f"({' '.join(_written(pair[1]) for pair in arguments)}) {_written(result)}"


def _verdict(lines: Sequence[str], goals: Sequence[str]) -> Proved:
    for line, reason in (("sat", "refuted"), ("unknown", "unknown")):
        if line in lines:
            return Proved(reason, f"goal {lines.index(line) + 1}: {goals[lines.index(line)]}")
    return Proved("proved")


def _error(said: str) -> str:
    return next((line for line in said.splitlines() if "error" in line), said)[:300]
