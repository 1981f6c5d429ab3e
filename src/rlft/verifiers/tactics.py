"""A part of Coq's language of tactics, checked in this process: the same verdicts as Coq's, in microseconds.

    intro h1.                               exact h1.
    refine (h1 _ _).                        as many holes as h1 has premises to be proved
    split.  left.  right.  exfalso.         tauto.  lia.
    destruct (h1 : _ /\\ _) as [h2 h3].      destruct (h1 : _ \\/ _) as [h2|h3].
    {  }                                    around all that is said of one goal
    all: first [solve [tauto] | solve [lia]].

Statements are those of `goals`. A text of other sentences is refused, though Coq may take it; of these it takes
exactly what is taken here. The types that `destruct` is told keep it from inequalities, which are inductive too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rlft.verifiers.deciding import lia, tauto
from rlft.verifiers.formulas import AND, FALSE, IMPLIES, OR, Formula, Joined
from rlft.verifiers.goals import Goal, Refused, lemma
from rlft.verifiers.proved import Proved
from rlft.verifiers.sentences import sentences

_NAME = r"(h[1-9]\d?)"
_SOLVERS: dict[str, Callable[[Sequence[Formula], Formula], bool]] = {"tauto": tauto, "lia": lia}
_FIRST = re.compile(r"all: first \[(solve \[(?:tauto|lia)\](?: \| solve \[(?:tauto|lia)\])*)\]\.")


def checked(statement: str, text: str) -> Proved:
    """What there is to say of a proof: `proved`, `unfinished`, `error` or `refused`; and how many of its sentences
    stand. UserError for a statement that is none."""
    said = sentences(text)
    if not spoken(text):
        return Proved("refused", "there are other sentences in it than this language has")
    focus = [[lemma(statement)]]
    for place, sentence in enumerate(said):
        try:
            _taken(sentence, focus)
        except Refused as error:
            return Proved("error", f"{sentence} {error}", place)
    if focus == [[]]:
        return Proved("proved", "", len(said))
    return Proved("unfinished", "a goal is open", len(said))


def spoken(text: str) -> bool:
    """Whether a text has sentences of this language only."""
    said = sentences(text)
    known = all(one in ("{", "}") or any(form.fullmatch(one) for form in (*_TACTICS, _FIRST)) for one in said)
    return known and "".join("".join(said).split()) == "".join(text.split())


def after(goal: Goal, sentence: str) -> list[Goal]:
    """The goals that a tactic leaves of one. `Refused` where Coq refuses it."""
    for form, act in _TACTICS.items():
        if found := form.fullmatch(sentence):
            return act(goal, *found.groups())
    raise Refused("is no tactic")


def _taken(sentence: str, focus: list[list[Goal]]) -> None:
    """Go on: `focus` has the goals within each brace that is open."""
    goals = focus[-1]
    if sentence == "}":
        if goals or len(focus) == 1:
            raise Refused("closes nothing" if len(focus) == 1 else "leaves a goal open")
        focus.pop()
    elif found := _FIRST.fullmatch(sentence):
        solvers = [_SOLVERS[name] for name in re.findall(r"tauto|lia", found[1])]
        if not all(any(solve(goal.formulas(), goal.wanted) for solve in solvers) for goal in goals):
            raise Refused("does not solve all")
        goals.clear()
    elif not goals:
        raise Refused("has no goal")
    elif sentence == "{":
        focus.append([goals.pop(0)])
    else:
        goals[:1] = after(goals[0], sentence)


def _intro(goal: Goal, name: str) -> list[Goal]:
    wanted = goal.wanted
    if not isinstance(wanted, Joined) or wanted.sign != IMPLIES:
        raise Refused("has nothing to assume")
    return [goal.and_so(wanted.right, (name, wanted.left))]


def _exact(goal: Goal, name: str) -> list[Goal]:
    if goal.named(name) != goal.wanted:
        raise Refused("is something else")
    return []


def _refine(goal: Goal, name: str, holes: str) -> list[Goal]:
    left, premises = goal.named(name), []
    for _ in holes.split():
        if not isinstance(left, Joined) or left.sign != IMPLIES:
            raise Refused("has fewer premises")
        premises.append(left.left)
        left = left.right
    if left != goal.wanted:
        raise Refused("concludes something else")
    return [goal.and_so(premise) for premise in premises]


def _assumed(goal: Goal, sign: str) -> tuple[Goal, Joined]:
    """As `split`, `left` and `right` do: all that is assumed before a conclusion of this sign, under no name."""
    while isinstance(goal.wanted, Joined) and goal.wanted.sign == IMPLIES:
        goal = goal.and_so(goal.wanted.right, ("", goal.wanted.left))
    if not isinstance(goal.wanted, Joined) or goal.wanted.sign != sign:
        raise Refused(f"needs a {sign}")
    return goal, goal.wanted


def _split(goal: Goal) -> list[Goal]:
    goal, wanted = _assumed(goal, AND)
    return [goal.and_so(wanted.left), goal.and_so(wanted.right)]


def _side(goal: Goal, side: str) -> list[Goal]:
    goal, wanted = _assumed(goal, OR)
    return [goal.and_so(wanted.left if side == "left" else wanted.right)]


def _exfalso(goal: Goal) -> list[Goal]:
    return [goal.and_so(FALSE)]


def _both(goal: Goal, name: str, left: str, right: str) -> list[Goal]:
    held = _of_sign(goal.named(name), AND)
    return [goal.and_so(goal.wanted, (left, held.left), (right, held.right))]


def _either(goal: Goal, name: str, left: str, right: str) -> list[Goal]:
    held = _of_sign(goal.named(name), OR)
    return [goal.and_so(goal.wanted, (left, held.left)), goal.and_so(goal.wanted, (right, held.right))]


def _of_sign(held: Formula, sign: str) -> Joined:
    if not isinstance(held, Joined) or held.sign != sign:
        raise Refused(f"is no {sign}")
    return held


def _solve(goal: Goal, solver: str) -> list[Goal]:
    if not _SOLVERS[solver](goal.formulas(), goal.wanted):
        raise Refused("does not prove it")
    return []


_TACTICS: dict[re.Pattern[str], Callable[..., list[Goal]]] = {
    re.compile(form): act
    for form, act in {
        rf"intro {_NAME}\.": _intro,
        rf"exact {_NAME}\.": _exact,
        rf"refine \({_NAME}((?: _)+)\)\.": _refine,
        r"split\.": _split,
        r"(left|right)\.": _side,
        r"exfalso\.": _exfalso,
        r"(tauto|lia)\.": _solve,
        rf"destruct \({_NAME} : _ /\\ _\) as \[{_NAME} {_NAME}\]\.": _both,
        rf"destruct \({_NAME} : _ \\/ _\) as \[{_NAME}\|{_NAME}\]\.": _either,
    }.items()
}
