"""Formulas with holes; cheats earn nothing here, and each passes the check that people write first."""

import subprocess

import pytest

from rlft.types import UserError
from rlft.verifiers.proved import Proved
from rlft.verifiers.smt import Holes, Smt, bodies_in
from tests.jails import needs_cvc5, needs_jail, needs_z3

# while (x < 10) x = x + 1, from 0, ends with x = 10.
LOOP = Holes(
    {"inv": "((x Int)) Bool"},
    (
        "(forall ((x Int)) (=> (= x 0) (inv x)))",
        "(forall ((x Int)) (=> (and (inv x) (< x 10)) (inv (+ x 1))))",
        "(forall ((x Int)) (=> (and (inv x) (>= x 10)) (= x 10)))",
    ),
)
ONE, TOP = "#x0000000000000001", "#x0000000100000000"
MAX = Holes(
    {"most": "((a Int) (b Int)) Int"},
    ("(>= (most p q) p)", "(or (= (most p q) p) (= (most p q) q))", "(>= (most p q) q)"),
    declarations="(declare-const p Int)\n(declare-const q Int)",
)


@pytest.fixture(scope="module")
def smt():
    return Smt(effort=2_000_000, seconds=5.0)


@needs_z3
@needs_jail
@pytest.mark.parametrize(
    ("task", "text", "reason", "detail"),
    [
        (LOOP, "(<= x 10)", "proved", ""),
        (LOOP, "```smt2\n(define-fun inv ((x  Int)) Bool\n  (and (<= 0 x) (<= x 10)))\n```", "proved", ""),
        (LOOP, "true", "refuted", "goal 3: "),
        (LOOP, "false", "refuted", "goal 1: "),
        (LOOP, "(<= x 9)", "refuted", "goal 2: "),
        (LOOP, "(<= y 10)", "error", "unknown constant y"),
        (LOOP, "x", "error", ""),
        (MAX, "(ite (>= a b) a b)", "proved", ""),
        (MAX, "(ite (>= p q) p q)", "error", "unknown constant p"),  # the goals' constants are not the body's
        (MAX, "a", "refuted", "goal 3: "),
    ],
)
def test_goals(smt, task, text, reason, detail):
    solved = smt.check(task, text)
    assert solved.reason == reason, solved
    assert detail in solved.detail


@needs_z3
@needs_jail
def test_the_tasks_own_faults_and_what_is_too_hard(smt):
    assert smt.check(Holes(LOOP.functions, ("(inv z)",)), "true").ok is None
    word = "(_ BitVec 64)"
    factors = Holes(
        {"f": f"((x {word}) (y {word})) Bool"},
        (f"(=> (and (bvult {ONE} p) (bvult {ONE} q) (bvult p {TOP}) (bvult q {TOP})) (not (f p q)))",),
        declarations=f"(declare-const p {word})\n(declare-const q {word})",
    )
    little, hard = Smt(effort=50_000, seconds=5.0), "(= (bvmul x y) #x10000016e0000069)"
    assert [little.check(factors, hard).reason for _ in range(2)] == ["unknown", "unknown"]


# Put where the body belongs, these make Z3 say unsat, or end, before the goals are read.
CHEATS = {
    "says unsat": 'true)\n(echo "unsat")\n(exit',
    "ends before the goals": "false)\n(assert false)\n(check-sat)\n(exit",
    "assumes false": "true)\n(assert false",
    "another function of the name": "true)\n(declare-fun inv2 () Bool)\n(assert (and inv2 (not inv2))",
}


@needs_z3
@needs_jail
@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_passes_the_naive_check_and_not_this_one(smt, name):
    goal = f"(assert (not {LOOP.goals[2]}))\n(check-sat)"
    naive = f"(define-fun inv ((x Int)) Bool {CHEATS[name]})\n{goal}\n"
    said = subprocess.run(["z3", "-in"], input=naive, capture_output=True, text=True).stdout
    assert said.splitlines()[0] == "unsat"
    assert smt.check(LOOP, CHEATS[name]).reason == "refused"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no definition of inv"),
        ("true true", "expected (define-fun"),
        ("(assert false) true", "expected (define-fun"),
        ("(= x 1", "never closed"),
        ("(= x 1))", "a bracket too many"),
        ("(= x 1) ; a remark", "';' has no place"),
        ("|true|", "'|' has no place"),
        ('"true"', "has no place"),
        ("(! true :named a)", "'!' has no place"),
        ("(let ((y :a)) true)", "':' has no place"),
        ("(" * 300, "too many brackets"),
        ("(define-fun inv ((x Real)) Bool true)", "inv is ((x Int)) Bool, not ((x Real)) Bool"),
        ("(define-fun other ((x Int)) Bool true)", "expected (define-fun"),
        ("(define-fun inv ((x Int)) Bool true) (define-fun inv ((x Int)) Bool true)", "defined twice"),
    ],
)
def test_what_is_refused(text, what):
    assert what in bodies_in(text, LOOP.functions)


def test_bodies():
    two = {"f": "((x Int)) Int", "g": "() Bool"}
    text = "(define-fun g () Bool (= 1 #x1))\n(define-fun f ((x Int)) Int (* 2 x))"
    assert bodies_in(text, two) == {"f": "(* 2 x)", "g": "(= 1 #x1)"}
    assert bodies_in("(define-fun g () Bool true)", two) == "no definition of f"
    assert bodies_in("x", {"f": "((x Int)) Int"}) == {"f": "x"}


def test_without_z3(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="apt-get install z3"):
        Smt()
    assert Proved("refuted").ok is False


@needs_cvc5
@needs_jail
def test_another_solver():
    """The same verdicts from cvc5, and its own fault for its own reasons."""
    smt = Smt(effort=200_000, seconds=10.0, solver="cvc5")
    texts = ["(<= x 10)", "true", "(<= x 9)", "(<= y 10)", "x"]
    found = [smt.check(LOOP, text) for text in texts]
    assert [one.reason for one in found] == ["proved", "refuted", "refuted", "error", "error"]
    assert found[1].detail.startswith("goal 3: ") and "'y'" in found[3].detail
    assert smt.check(MAX, "(ite (>= a b) a b)").ok
    assert smt.check(Holes(LOOP.functions, ("(inv z)",)), "true").ok is None
    cubes = Holes({"f": "() Bool"}, ("(=> f (or (< x 1) (< y 1) (not (= (+ (* x x x) (* y y y)) (* z z z)))))",))
    cubes = Holes(cubes.functions, cubes.goals, declarations="".join(f"(declare-const {n} Int)" for n in "xyz"))
    assert smt.check(cubes, "true").reason == "unknown"


def test_a_solver_that_is_none():
    with pytest.raises(UserError, match="z3 or cvc5"):
        Smt(solver="yices")
