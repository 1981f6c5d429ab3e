"""What every method is made of, read off the values that the functions of `methods/` return. Nothing is typed by hand.

A method is made with its own defaults (1 where it has none), so what depends on a setting is said of these; whether it
reads a reference is asked with the KL's weight at 0 and above.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rlft import methods
from rlft.advantages.around import Around
from rlft.errors import unknown
from rlft.offpolicy.method import OffPolicy
from rlft.reproduce import declared, results
from rlft.reproduce.catalogue import systems
from rlft.reproduce.catalogue_page import as_script
from rlft.reproduce.standing import imports
from rlft.types import Method

KINDS: Mapping[str, str] = {
    "learns": "from rows of its own, from a buffer of transitions, or from demonstrations alone",
    "credit": "the parts that make advantages of rewards; a method that learns from a buffer has temporal differences",
    "rows": "the parts that collect them; `one_batch` is a plain draw",
    "critic": "whether values are learned",
    "reference": "whether the loss or the credit reads the reference policy",
    "needs": "capabilities of the policy besides draws and likelihoods; groups, and whether they stay whole",
    "updates": "what is minimised, by optimiser",
}
"""kind of tag of a method -> what it tells."""
# Those with a column of their own.
_SHOWN = ("credit", "rows", "updates")


@dataclass(frozen=True)
class MethodTags:
    """A method.

    name        of its file and function
    says        the first line of its page
    tags        kind of `KINDS` -> words
    introduced  systems whose paper its page cites
    used        systems whose recipe or result has it
    """

    name: str
    says: str
    tags: Mapping[str, tuple[str, ...]]
    introduced: tuple[str, ...]
    used: tuple[str, ...]


@functools.cache
def everything() -> tuple[MethodTags, ...]:
    """Every method, in the order of the alphabet."""
    armed = {one.key: _of_a_result(one.key) for one in systems()}
    return tuple(_tags(name, armed) for name in methods.names())


def tagged(tag: str) -> list[MethodTags]:
    """The methods that carry a word, of whatever kind, or that a system introduces or uses."""
    found = everything()
    keys = {key for one in found for key in (*one.introduced, *one.used)}
    known = {word for its in words().values() for word in its} | keys
    if tag not in known:
        raise unknown("word", tag, sorted(known))
    return [one for one in found if tag in (*one.introduced, *one.used) or any(tag in its for its in one.tags.values())]


def table() -> list[str]:
    """The table at the head of the page of methods, and what its filters offer."""
    told = "; ".join(f"{kind}: {text}" for kind, text in KINDS.items())
    lines = [
        f"What each is made of, read off the methods themselves ({told}). Systems in bold introduced the method.",
        "",
    ]
    lines += [as_script(words()), "", f"| method | what it is | {' | '.join(_SHOWN)} | systems | tags |"]
    lines.append(f"|{'---|' * (len(_SHOWN) + 4)}")
    for one in everything():
        shown = {kind: " ".join(f"`{word}`" for word in its) for kind, its in one.tags.items()}
        named = ", ".join([*(f"**{_narrow(key)}**" for key in one.introduced), *map(_narrow, one.used)])
        cells = [
            f"[{_narrow(one.name)}](#{one.name})",
            one.says.split(". ")[0].rstrip("."),
            *(shown[kind] for kind in _SHOWN),
        ]
        cells += [named, " ".join(its for kind, its in shown.items() if kind not in _SHOWN and its)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _narrow(name: str) -> str:
    """A name that a narrow column may break at its underscores."""
    return name.replace("_", "_<wbr>")


def words() -> dict[str, list[str]]:
    """kind of tag -> the words in use, by the alphabet."""
    found = everything()
    return {kind: sorted({word for one in found for word in one.tags[kind]}, key=str.casefold) for kind in KINDS}


def made(name: str, **settings: Any) -> Method | OffPolicy:
    """The value of a method, with its defaults; an argument without one is 1."""
    function = methods.named(name)
    known = inspect.signature(function).parameters
    needed = {one.name: 1 for one in known.values() if one.default is one.empty}
    return function(**{**needed, **{key: value for key, value in settings.items() if key in known}})


def _tags(name: str, armed: Mapping[str, frozenset[str]]) -> MethodTags:
    page = inspect.getsource(sys.modules[methods.named(name).__module__])
    introduced = [one.key for one in systems() if one.arxiv in page]
    used = [one.key for one in systems() if name in armed[one.key] or _takes(one.key, name)]
    tags = _of_transitions(method) if isinstance(method := made(name), OffPolicy) else _of_rollouts(name, method)
    says = (inspect.getdoc(sys.modules[methods.named(name).__module__]) or "").split("\n")[0]
    return MethodTags(name, says, tags, tuple(introduced), tuple(key for key in used if key not in introduced))


def _of_rollouts(name: str, method: Method) -> dict[str, tuple[str, ...]]:
    rows = tuple(dict.fromkeys(_parts(method.collect, "collect"))) or ("one_batch",)
    needs = [one.__name__ for one in method.needs]
    needs += [f"groups-of-{method.min_group}"] if method.min_group > 1 else []
    needs += ["whole-groups"] if method.whole_groups else []
    needs += ["differentiable-reward"] if method.pathwise else []
    return {
        "learns": ("demonstrations-alone" if rows == ("demonstrations",) else "own-rows",),
        "credit": tuple(dict.fromkeys(_parts(method.advantage, "advantages"))) or ("its-own",),
        "rows": rows,
        "critic": ("has-critic" if method.critic else "no-critic",),
        "reference": (_reference(name, method),),
        "needs": tuple(needs),
        "updates": tuple(update.name for update in method.updates),
    }


def _of_transitions(method: OffPolicy) -> dict[str, tuple[str, ...]]:
    return {
        "learns": ("buffer",),
        "credit": ("temporal-difference",),
        "rows": ("transitions",),
        "critic": ("has-critic",),
        "reference": ("no-reference",),
        "needs": tuple(one.__name__ for one in method.needs),
        "updates": (*(descent.name for descent in method.descents), *method.duals),
    }


def _reference(name: str, method: Method) -> str:
    """Of its defaults, and of the KL's weight where it has one."""
    if "beta" not in method.settings:
        return "reference" if method.reference else "no-reference"
    without, with_it = (made(name, beta=beta) for beta in (0.0, 0.1))
    asked = [isinstance(one, Method) and one.reference for one in (without, with_it)]
    return "reference" if all(asked) else "reference-where-beta" if any(asked) else "no-reference"


def _parts(part: Any, room: str, seen: set[int] | None = None) -> Iterator[str]:
    """Names of the parts of a room that a part is made of: itself, what it holds, and what a method's page calls."""
    seen = set() if seen is None else seen
    if not callable(part) or id(part) in seen:
        return
    seen.add(id(part))
    module = getattr(part, "__module__", "") or ""
    own = isinstance(part, Around) or module.startswith("rlft.methods")
    if module.startswith(f"rlft.{room}") and not own:
        name = getattr(part, "__qualname__", type(part).__qualname__).split(".")[0]
        yield from () if name.startswith("_") else (name,)
    held = [cell.cell_contents for cell in getattr(part, "__closure__", None) or ()]
    held += list(vars(part).values()) if not inspect.isroutine(part) and not isinstance(part, type) else []
    if own and inspect.isfunction(part):
        held += [part.__globals__[name] for name in part.__code__.co_names if name in part.__globals__]
    for one in held:
        yield from _parts(one, room, seen)


def _takes(key: str, name: str) -> bool:
    """Whether a recipe imports the method."""
    path = declared.RECIPES / f"{key}.py"
    return path.is_file() and f"rlft.methods.{name}" in imports(path.read_text(encoding="utf-8"))


def _of_a_result(key: str) -> frozenset[str]:
    """The methods that a committed result's arms name."""
    result = results.load(key)
    told = [arm["arguments"].get("method") for arm in result["arms"].values()] if result else []
    return frozenset(one["method"] for one in told if isinstance(one, Mapping))
