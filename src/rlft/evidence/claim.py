"""What a paper claims and what would count as seeing it: declared in the recipe, before anything is run.

A recipe with a claim has a module variable `CLAIM`. Each arm is a set of arguments for the recipe's function, so what
an arm runs is what `rlft run KEY --arm NAME` runs. Nothing here runs or judges.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType
from typing import Any

from rlft.offpolicy.method import OffPolicy
from rlft.types import Method, UserError

# Arguments of a recipe that differ from run to run.
_OF_A_RUN = {"seed", "runtime"}
# Rows drawn ahead: an arm that does not say so draws none, whatever else a recipe could do.
_AHEAD = {"ahead", "staleness_correction", "staleness_bound", "staleness_beyond"}

Numbers = Mapping[str, float]
Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Arm:
    """One way to run the recipe.

    text       what it is, in a few words
    arguments  of the recipe's function
    grid       instead of the claim's own grid: arguments and the values tried; {} leaves the arm as it is
    data       what `rlft reproduce` is to be given for it, because it is not shipped: further arguments under this
               name, `--set NAME.ARGUMENT=VALUE`. Without them the arm is left out, and all that is stated of it
    seeds      reported ones, from 0, where a statement about it needs more than the claim's others
    """

    text: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] | None = None
    data: str | None = None
    seeds: int | None = None


@dataclass(frozen=True)
class Statement:
    """A number of one arm, or its difference to another's on the same seed, lies between `least` and `most`.

    It holds if the whole 95 % interval lies there, fails if the whole interval lies outside, and is open otherwise.

    text     what it says, in words
    metric   which of the measured numbers; of a claim's statement "" is the claim's own
    arm      whose
    over     the arm it is compared with; None judges the number itself
    claimed  part of the paper's claim, and so of the verdict; otherwise a check of ours (a control, an ablation)
    """

    text: str
    metric: str
    arm: str
    over: str | None = None
    least: float | int = -math.inf
    most: float | int = math.inf
    claimed: bool = True


def above(text: str, arm: str, over: str | None = None, least: float | int = 0.0, of: str = "") -> Statement:
    """The number `of` an arm, or its difference to another's, is at least `least`; "" is the claim's metric."""
    return Statement(text, of, arm, over, least=least)


def below(text: str, arm: str, over: str | None = None, most: float | int = 0.0, of: str = "") -> Statement:
    """It is at most `most`."""
    return Statement(text, of, arm, over, most=most)


def between(
    text: str, arm: str, over: str | None = None, *, least: float | int, most: float | int, of: str = ""
) -> Statement:
    """It lies there."""
    return Statement(text, of, arm, over, least, most)


def checks(*statements: Statement) -> list[Statement]:
    """Ours and not the paper's: controls, ablations, costs. They have no part in the verdict."""
    return [replace(statement, claimed=False) for statement in statements]


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    sentence     the paper's claim in one sentence
    source       authors, year, arXiv number
    arms         by name
    metric       the first number to look at, by which arms are tuned and drawn; never the training reward alone
    statements   what is predicted: orders with least differences, equalities, bounds
    budget       what every arm may spend, in words; `shared` names the counts that must come out equal
    scaled_down  what is smaller or otherwise than in the paper
    real         how the same recipe or method is run at full size
    higher       whether more of `metric` is better
    table        further numbers to print beside `metric`
    shared       of `rows/drawn`, `decisions/drawn`, `rows/demonstrated`, `updates`: equal over the arms that train
    grid         arguments and values; every arm takes its best by `metric` on `tuning_seeds`, none of which is reported
    seeds        reported seeds, from 0
    smoke        arguments that make a run take about a second
    more         `(metrics lines, evaluation lines) -> numbers`, read off a run's files beside the usual ones
    curve        a number of the evaluations or of the metrics to be drawn over the steps
    """

    sentence: str
    source: str
    arms: Mapping[str, Arm]
    metric: str
    statements: Sequence[Statement]
    budget: str
    scaled_down: str
    real: str
    higher: bool = True
    table: Sequence[str] = ()
    shared: Sequence[str] = ("rows/drawn",)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tuning_seeds: Sequence[int] = (1000,)
    seeds: int = 5
    smoke: Mapping[str, Any] = field(default_factory=dict)
    more: Callable[[Lines, Lines], Numbers] | None = None
    curve: str | None = None

    def __post_init__(self) -> None:
        meant = tuple(replace(statement, metric=statement.metric or self.metric) for statement in self.statements)
        object.__setattr__(self, "statements", meant)
        for statement in self.statements:
            for arm in (statement.arm, statement.over):
                if arm is not None and arm not in self.arms:
                    raise UserError(f"the statement {statement.text!r} is about {arm!r}, which is not an arm")
            if statement.least == -math.inf and statement.most == math.inf:
                raise UserError(f"the statement {statement.text!r} could not fail: give it least or most")
        if not any(statement.claimed for statement in self.statements):
            raise UserError("a claim needs a statement that the paper makes")
        if both := sorted(set(self.tuning_seeds) & set(range(max(map(self.seeds_of, self.arms))))):
            raise UserError(f"seeds {both} are tuned and reported")

    def grid_of(self, arm: str) -> Mapping[str, Sequence[Any]]:
        """What is tried for an arm."""
        own = self.arms[arm].grid
        return self.grid if own is None else own

    def seeds_of(self, arm: str) -> int:
        """How many seeds of an arm are reported."""
        return self.arms[arm].seeds or self.seeds

    def declared(self) -> dict[str, Any]:
        """The claim as plain values, as a result keeps it."""
        return {
            "sentence": self.sentence,
            "source": self.source,
            "arms": {
                name: {
                    "text": arm.text,
                    "arguments": as_plain(arm.arguments),
                    "grid": as_plain(self.grid_of(name)),
                    **({} if arm.data is None else {"data": arm.data}),
                    **({} if arm.seeds is None else {"seeds": arm.seeds}),
                }
                for name, arm in self.arms.items()
            },
            "metric": self.metric,
            "higher": self.higher,
            "table": list(self.table),
            "statements": [as_plain(vars(statement)) for statement in self.statements],
            "budget": self.budget,
            "shared": list(self.shared),
            "scaled_down": self.scaled_down,
            "real": self.real,
            "seeds": self.seeds,
            "tuning_seeds": list(self.tuning_seeds),
            "curve": self.curve,
        }

    def digest(self, recipe: Callable[..., Any] | None = None) -> str:
        """A hash of everything that decides the numbers and how they are judged; wording may be mended.

        With the recipe's function, also of its defaults: they are what an arm does not say.
        """
        words = {"text", "sentence", "source", "budget", "scaled_down", "real", "table"}

        def bare(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: bare(item) for key, item in value.items() if key not in words}
            return [bare(item) for item in value] if isinstance(value, list) else value

        return digest_of([bare(self.declared()), {} if recipe is None else defaults_of(recipe)])


def defaults_of(recipe: Callable[..., Any]) -> dict[str, Any]:
    """What a recipe's function takes when it is not told, as plain values; without the seed and the runtime."""
    taken = inspect.signature(recipe).parameters
    silent = _OF_A_RUN | (_AHEAD if taken.keys() >= _AHEAD else set())  # a world may have an `ahead` of its own
    return {n: as_plain(p.default) for n, p in taken.items() if p.default is not p.empty and n not in silent}


def as_plain(value: Any) -> Any:
    """A value as JSON keeps it: a method is its name and settings, a function its name, an infinite bound is null.

    A file is its name and its contents' hash, wherever it lies, so that a result holds for equal data anywhere.
    """
    if isinstance(value, Method | OffPolicy):
        return {"method": value.name, **as_plain(value.settings)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    if isinstance(value, Path):
        return {"file": value.name, "sha256": hashlib.sha256(_contents(value)).hexdigest()[:12]}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, FunctionType) and value.__qualname__.isidentifier():
        return value.__name__
    raise UserError(
        "an arm's arguments are plain values, methods and functions of a module, so that a result can keep them; got "
        f"{value!r}"
    )


def _contents(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def digest_of(value: Any) -> str:
    """Twelve hexadecimal digits of a plain value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
