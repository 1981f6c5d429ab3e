"""Recipes: one run each, world + method + numbers. A recipe's signature is its command line.

A recipe is a function that returns a `rlft.runs.drive.Run`; the file's name is its name. `recipe` makes one of a world.
`train` is the user's own run. A recipe that tests a paper's claim has a `CLAIM` beside it, whose arms are arguments of
the function; one without may have `SMOKE`, the arguments that make it small, as `Claim.smoke` does.
"""

from __future__ import annotations

import builtins  # `int` is a recipe too, and once it has been imported this package's name for it
import importlib
import importlib.util
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from rlft import methods
from rlft.errors import UserError, unknown

if TYPE_CHECKING:
    from rlft.offpolicy.learner import Learner, Phase
    from rlft.offpolicy.method import OffPolicy
    from rlft.runs.drive import Run
    from rlft.runs.staged import Staged
    from rlft.training.trainer import Trainer
    from rlft.types import Method
    from rlft.worlds import Ground, World

# The numbers of a run: their types, and what they mean in every recipe that is made of a world.
NUMBERS: Mapping[str, tuple[Any, str]] = {
    "steps": (int, "steps in all; 0 evaluates what there is before any."),
    "prompts": (int, "problems in a step."),
    "group": (int, "rollouts of each."),
    "lr": (float, "learning rate."),
    "rows": (int | None, "rows in one forward pass of an update."),
    "batch": (int, "windows in an update from a buffer."),
    "problems": (int | None, "held-out problems; none is all of them."),
    "samples": (int, "rollouts of each held-out problem."),
    "every": (int, "steps between evaluations; 0 is before and after only."),
    "ahead": (int, "draw a step's rows with the weights of so many steps before, and reward them in the background."),
    "staleness_correction": (
        Literal["token", "row", "none"],
        "of rows drawn ahead, weigh each decision (token), the row as a whole, or nothing, by who drew it.",
    ),
    "staleness_bound": (float, "the largest such weight."),
    "staleness_beyond": (Literal["truncate", "mask"], "what becomes of a larger one: it is the bound, or nothing."),
}
_OF_THE_TRAINER = ("prompts", "group", "lr", "rows")
# A recipe of a world has these besides its own numbers.
_AHEAD = {"ahead": 0, "staleness_correction": "token", "staleness_bound": 2.0, "staleness_beyond": "truncate"}
# What a function may ask for and no option gives it of its own: the method and what it needs, and the run's seed.
_HIDDEN = ("method", "critic", "needs", "seed")


def recipe(world: Callable[..., World], method: Method, watch_kl: bool = True, **numbers: Any) -> Callable[..., Run]:
    """The run of a world by a method: a function whose options are the world's, the method's and these numbers.

    world     a function of settings that returns a `World`; see `optioned`
    method    the default one
    watch_kl  measure the KL to the start at every step, also where the method does not need it
    numbers   those of `NUMBERS` that the recipe has, with their defaults
    """

    ahead = {} if _AHEAD.keys() & inspect.signature(world).parameters else _AHEAD  # or `ahead` means something else
    numbers |= ahead

    @optioned(method, world, **numbers)
    def run(chosen: Mapping[str, Any]) -> Run:
        from rlft.options.learning import Learning, corrected
        from rlft.training.trainer import Trainer

        made, learning = asked(world, chosen), Learning(**{name: chosen[name] for name in ahead})
        sizes = {name: chosen[name] for name in numbers if name in _OF_THE_TRAINER}
        if "group" in sizes:
            sizes["group"] //= made.sharing
        told = {"seed": chosen["seed"], "runtime": chosen["runtime"], "watch_kl": watch_kl, "measures": made.watched}
        used, told["ahead"] = corrected(made.adapted(chosen["method"]), learning), learning.ahead
        trainer = Trainer(made.policy, used, made.train, made.reward, **sizes, **told)
        other = {name: chosen[name] for name in numbers if name not in (*_OF_THE_TRAINER, *ahead)}
        return measured(trainer, made, other)

    return run


def measured(trainer: Trainer | Staged, made: World, numbers: Mapping[str, Any]) -> Run:
    """The run of what learns in a world, measured as the world says; `numbers` are `steps` and others of `Run`."""
    from rlft.runs.drive import Run

    counts = {"problems": made.problems, "samples": made.samples, **numbers}
    seen = {"reward": made.judged, "deploy": made.deploy, "measures": made.measures, "probes": made.probes}
    return Run(trainer, held_out=made.test, **counts, **seen)


def learner(
    ground: Ground, phases: Sequence[Phase], chosen: Mapping[str, Any], interval: builtins.int, capacity: builtins.int
) -> Learner:
    """What learns in these phases there: of the chosen numbers `width` (of two hidden layers), `batch` and `lr`."""
    from rlft.offpolicy.learner import Learner
    from rlft.rewards.environment import environment_reward

    return Learner(
        ground.policy,
        ground.environment,
        phases,
        data=ground.data,
        reward=environment_reward,
        capacity=max(capacity, 1),
        batch=chosen["batch"],
        interval=interval,
        lr=chosen["lr"],
        hidden=(chosen["width"], chosen["width"]),
        seed=chosen["seed"],
        runtime=chosen["runtime"],
    )


def asked(function: Callable[..., Any], chosen: Mapping[str, Any]) -> Any:
    """What a function of settings returns for those that were chosen."""
    return function(**{name: chosen[name] for name in inspect.signature(function).parameters})


def optioned(method: Method | OffPolicy, *functions: Callable[..., Any], **numbers: Any) -> Callable[..., Any]:
    """Makes a recipe of a function of all that was chosen: its options are those of these functions and the numbers.

    Each option has a default and stands in the `Args` of its function's docstring, the first of which says what the run
    is. A setting called `method`, `critic` or `needs` is no option and is given the method, or what is known of it;
    `seed` is the run's own.
    """

    def wrapped(make: Callable[[Mapping[str, Any]], Run]) -> Callable[..., Run]:
        def run(**given: Any) -> Run:
            from rlft.types import Method, unused

            told = inspect.signature(run).bind(**given)
            told.apply_defaults()
            known = told.arguments["method"]
            if isinstance(known, Method):
                # An arm's method is one value for all its seeds, and so is a recipe's own.
                known = told.arguments["method"] = unused(known)
            return make({"critic": getattr(known, "critic", None), "needs": known.needs, **told.arguments})

        kinds = _kinds(method, functions, numbers)
        keyword = inspect.Parameter.KEYWORD_ONLY
        options = [inspect.Parameter(name, keyword, default=d, annotation=kind) for name, (kind, d) in kinds.items()]
        run.__name__, run.__doc__ = functions[0].__name__, _documented(functions, numbers)
        run.__annotations__ = {name: kind for name, (kind, _) in kinds.items()}
        vars(run)["__signature__"] = inspect.Signature(options)
        return run

    return wrapped


def _kinds(method: Any, functions: Any, numbers: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The type and the default of every option."""
    from rlft.types import Runtime

    kinds = {"method": (type(method), method)}
    for function in functions:
        hints = typing.get_type_hints(function, include_extras=True)
        own = inspect.signature(function).parameters
        kinds |= {name: (hints[name], p.default) for name, p in own.items() if name not in _HIDDEN}
    kinds |= {name: (NUMBERS[name][0], value) for name, value in numbers.items()}
    return {**kinds, "seed": (builtins.int, 0), "runtime": (Runtime | None, None)}


def _documented(functions: Any, numbers: Mapping[str, Any]) -> str:
    """What the run is, and every option."""
    parts = [inspect.cleandoc(function.__doc__ or "").partition("\nArgs:\n") for function in functions]
    lines = [line for _, _, options in parts for line in options.splitlines()]
    lines += [f"    {name}: {NUMBERS[name][1]}" for name in numbers]
    if not any(line.startswith("    seed: ") for line in lines):
        lines.append("    seed: of everything random but the base.")
    return "\n    ".join([*parts[0][0].splitlines(), "", "Args:", *lines])


def names() -> list[str]:
    """Every recipe there is: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def of_a_method(name: str, words: Sequence[str]) -> tuple[str, list[str]]:
    """`sac --env Pendulum-v1` as the recipe that plays worlds by such methods, and its words; others as they are.

    A method with a recipe of its own name is meant where a world is named.
    """
    given = {word.split("=")[0] for word in words}
    if name not in methods.names() or (name in names() and "--env" not in given):
        return name, list(words)
    from rlft.types import Method

    kind = "on_policy" if methods.kind(methods.named(name)) is Method else "off_policy"
    return kind, [*words] if "--method" in given else ["--method", name, *words]


def module(name: str) -> ModuleType:
    """The module of the recipe of this name, or of a Python file of your own."""
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name not in names():
        raise unknown("recipe", name, names())
    return importlib.import_module(f"{__name__}.{name}")


def named(name: str) -> Callable[..., Any]:
    """The recipe of this name, or of a file of your own: the function called as the file, or `recipe`."""
    held, stem = module(name), Path(name).stem
    found = [function for own in (stem, "recipe") if callable(function := getattr(held, own, None))]
    found = [function for function in found if function is not recipe]  # which makes one, and is imported for that
    if not found:
        raise UserError(f"{name} has neither a function {stem!r} nor one called 'recipe' that returns a Run")
    return found[0]


def smallest(name: str) -> Mapping[str, Any]:
    """Arguments with which a step of the recipe takes about a second.

    They are its claim's `smoke`, and over it what its module says in `SMOKE`; a recipe without a claim has only that.
    """
    held = module(name)
    claim, own = getattr(held, "CLAIM", None), getattr(held, "SMOKE", None)
    if claim is None and own is None:
        raise UserError(f"recipe {name!r} does not say how small it can be: give it a claim's smoke, or SMOKE = {{…}}")
    return {**(claim.smoke if claim is not None else {}), **(own or {})}


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"there is no recipe file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    held = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(held)
    return held
