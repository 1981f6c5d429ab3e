"""What the process beside `rewards.mathematics` runs: Math-Verify on one pair of answers. Not for import elsewhere.

Math-Verify is the judge. Around it: numbers that are plainly different are not simplified first (it takes long), and
what it calls equal must also be equal to a relative error of 1e-6, since it rounds to six decimals whatever the size.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy
from antlr4.atn.PredictionMode import PredictionMode
from latex2sympy2_extended import NormalizationConfig
from latex2sympy2_extended.antlr_parser import PSParser
from math_verify import LatexExtractionConfig, parse, verify
from sympy.parsing import sympy_parser

# Units are dropped before; here every letter is a symbol, so that 3t is not 3.
_AS_IT_IS = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
)
_TARGETS = [LatexExtractionConfig(normalization_config=_AS_IT_IS)]
_TOLERANCE = 1e-6
_POINTS = (sympy.Rational(137, 100), sympy.Rational(-73, 100), sympy.Rational(289, 100))
_Verdict = tuple[bool | None, str, str, str]


def answer(gold: str, given: str | None) -> _Verdict:
    """Whether `given` equals `gold`, None if `gold` cannot be read; the rule that decided; both as they were read.

    Without `given`, whether `gold` can be read.
    """
    golds, givens = parsed(gold), parsed(given) if given is not None else ()
    said = str(golds[0]) if golds else "", str(givens[0]) if givens else ""
    if not golds:
        return None, "the gold answer cannot be read", *said
    if not givens:
        return False, "the answer cannot be read", *said
    verdict, rule = _judged(golds[0], givens[0])
    return verdict, rule, *said


def _judged(gold: Any, given: Any) -> tuple[bool, str]:
    gold, given = _complex(*_right_sides(gold, given))
    if _of_other_kinds(gold, given) or _of_other_kinds(given, gold):
        return False, "different kinds of answers"
    if isinstance(gold, sympy.Expr) and isinstance(given, sympy.Expr) and _plain(gold, given) and _far(gold, given):
        return False, "other values"
    if isinstance(gold, sympy.Eq) and isinstance(given, sympy.Eq) and (line := _multiples(gold, given)) is not None:
        return line, "multiples of an equation"
    equal = verify([gold], [given], timeout_seconds=None, allow_set_relation_comp=True)
    if equal and _apart(gold, given):
        return False, "relative error"
    return equal, "Math-Verify"


def _right_sides(gold: Any, given: Any) -> tuple[Any, Any]:
    """Of `x = a` and `x = b`, and of `x = a` and `b`, a and b; `x \\in A` is parsed as `x = A`."""
    equations = [isinstance(side, sympy.Eq) for side in (gold, given)]
    named = [equation and side.lhs.is_Symbol for equation, side in zip(equations, (gold, given), strict=True)]
    alike = all(named) and gold.lhs == given.lhs
    alone = any(named) and not all(equations) and any(isinstance(side, sympy.Expr) for side in (gold, given))
    if alike or alone:
        gold, given = (side.rhs if isinstance(side, sympy.Eq) else side for side in (gold, given))
    return gold, given


def _of_other_kinds(one: Any, other: Any) -> bool:
    """What Math-Verify would compare and should not: `2 < x < 3` and `2, 3`, an equation and the 0 that it ends in."""
    if isinstance(one, sympy.Eq) and isinstance(other, sympy.Eq):  # the names differ, and one is a set
        return isinstance(one.rhs, sympy.Set)
    listed = isinstance(other, sympy.Eq) and isinstance(other.rhs, sympy.FiniteSet)
    if listed or isinstance(other, sympy.FiniteSet | sympy.Tuple):
        inequality = isinstance(one, sympy.Rel | sympy.And) and not isinstance(one, sympy.Eq | sympy.Ne)
        return inequality or (isinstance(one, sympy.Eq) and isinstance(one.rhs, sympy.Interval))
    equation = isinstance(one, sympy.Eq) and not isinstance(other, sympy.Rel | sympy.And)
    return equation and one.rhs == 0 and bool(one.lhs.free_symbols) and not (one.lhs.is_Symbol or one.lhs.is_Function)


def _plain(*expressions: Any) -> bool:
    """No percentages, which Math-Verify compares both as they are and as hundredths; no matrices."""
    return not any(e.has(sympy.UnevaluatedExpr) or e.is_Matrix for e in expressions)


def _values(expression: Any, symbols: list[Any]) -> list[Any]:
    """At each of the points, in thirty digits; None where there is none."""
    found = []
    for shift in range(len(_POINTS) if symbols else 1):
        at = {symbol: _POINTS[(place + shift) % 3] + place for place, symbol in enumerate(symbols)}
        value = expression.subs(at).evalf(30) if at else expression.evalf(30)
        found.append(value if value.is_number and value.is_finite else None)
    return found


def _far(gold: Any, given: Any) -> bool:
    """Whether both have values and these differ; what cannot be evaluated does not."""
    try:
        symbols = sorted(gold.free_symbols | given.free_symbols, key=str)
        if any(not symbol.is_Symbol for symbol in symbols) or gold.has(sympy.Function("f")):
            return False
        pairs = list(zip(_values(gold, symbols), _values(given, symbols), strict=True))
        return any(None not in pair and _differ(*pair) for pair in pairs)
    except Exception:
        return False


def _differ(a: Any, b: Any) -> bool:
    return bool(abs(a - b) > _TOLERANCE * max(abs(a), abs(b)))


def _apart(gold: Any, given: Any) -> bool:
    """Whether two answers that were called equal differ by more than rounding: members, bounds, entries one by one."""
    if isinstance(gold, sympy.Eq) or isinstance(given, sympy.Eq):
        if isinstance(gold, sympy.Eq) and isinstance(given, sympy.Eq) and gold.lhs != given.lhs:
            return False  # two forms of an equation
        gold, given = (side.rhs if isinstance(side, sympy.Eq) else side for side in (gold, given))
    if isinstance(gold, sympy.Expr) and isinstance(given, sympy.Expr):
        return _plain(gold, given) and _far(gold, given)
    if isinstance(gold, sympy.Rel) and isinstance(given, sympy.Rel):
        gold, given = gold.canonical, given.canonical
        return gold.lhs == given.lhs and _apart(gold.rhs, given.rhs)
    parts = [_members(side) for side in (gold, given)]
    if len(parts[0]) != len(parts[1]):
        return False
    return any(_apart(a, b) for a, b in zip(*parts, strict=True))


def _members(thing: Any) -> list[Any]:
    if isinstance(thing, sympy.MatrixBase):
        return list(thing.flat())
    if isinstance(thing, sympy.FiniteSet):
        return sorted(thing.args, key=lambda x: (0, float(x)) if x.is_number and x.is_real else (1, 0.0))
    if isinstance(thing, sympy.Interval):
        return [thing.start, thing.end]
    return list(thing.args) if isinstance(thing, sympy.Tuple | sympy.Union | sympy.And) else []


def _multiples(gold: Any, given: Any) -> bool | None:
    """Whether two linear equations are multiples of each other; None if one is not linear."""
    sides = [side.lhs - side.rhs for side in (gold, given)]
    symbols = sorted(sides[0].free_symbols | sides[1].free_symbols, key=str)
    if len(symbols) == 1 and len({side.lhs.is_Symbol for side in (gold, given)}) == 2:
        return None  # x = 5 is the solution of 2x = 10, not the same answer
    try:
        forms = [sympy.Poly(side, *symbols) for side in sides]
    except Exception:
        return None
    if any(form.total_degree() != 1 or not _constants(form) for form in forms):
        return None
    a, b = ([form.coeff_monomial(m) for m in (*symbols, 1)] for form in forms)
    return all(sympy.simplify(x * v - y * u) == 0 for x, u in zip(a, b, strict=True) for y, v in zip(a, b, strict=True))


def _constants(form: sympy.Poly) -> bool:
    return all(c.is_number for c in form.coeffs())


def _complex(gold: Any, given: Any) -> tuple[Any, Any]:
    """With i as the imaginary unit, if both are values and have no other letter."""
    if not (isinstance(gold, sympy.Expr) and isinstance(given, sympy.Expr)):
        return gold, given
    symbols = gold.free_symbols | given.free_symbols
    if {str(symbol) for symbol in symbols} != {"i"}:
        return gold, given
    at = dict.fromkeys(symbols, sympy.I)
    return sympy.expand_complex(gold.xreplace(at)), sympy.expand_complex(given.xreplace(at))


@lru_cache(maxsize=8192)
def parsed(text: str) -> tuple[Any, ...]:
    """The expression of an answer that is one LaTeX formula from its first sign to its last; else nothing.

    Math-Verify would go on to look for a number in it, and find 12 in "at least 12".
    """
    return tuple(parse(f"${text}$", _TARGETS, fallback_mode="no_fallback", parsing_timeout=None))  # type: ignore[arg-type]


def _faster() -> None:
    """The same trees, sooner.

    ANTLR's two-stage parsing: prediction without the call stack either gives the tree that full prediction would, or an
    error, after which full prediction is tried. And sympy collects the names it parses digits with once, not each time.
    """
    full, plain, names = PSParser.math, sympy_parser.parse_expr, {}
    exec("from sympy import *", names)

    def math(self: Any) -> Any:
        self._interp.predictionMode = PredictionMode.SLL
        try:
            return full(self)
        except Exception:
            self.reset()
            self._interp.predictionMode = PredictionMode.LL
            return full(self)

    @lru_cache(maxsize=8192)
    def digits(s: str, transformations: Any, evaluate: bool) -> Any:
        return plain(s, transformations=transformations, global_dict=dict(names), evaluate=evaluate)

    def parse_expr(s: str, *rest: Any, **named: Any) -> Any:
        if s.isdigit() and not rest and not named.get("local_dict") and named.get("transformations"):
            return digits(s, named["transformations"], named.get("evaluate", True))
        return plain(s, *rest, **named)

    PSParser.math, sympy_parser.parse_expr = math, parse_expr


_faster()
