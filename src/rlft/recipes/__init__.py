"""Recipes: one run each, world + method + numbers. A recipe's signature is its command line.

A recipe is a function that returns a `rlft.runs.drive.Run`; the file's name is its name. `recipe` makes one of a world.
`train` is the user's own run. A recipe that tests a paper's claim has a `CLAIM` beside it, whose arms are arguments of
the function; one without may have `SMOKE`, the arguments that make it small, as `Claim.smoke` does.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rlft.errors import UserError, unknown

if TYPE_CHECKING:
    from rlft.runs.drive import Run
    from rlft.types import Method
    from rlft.worlds import World

# The numbers of a run: their types, and what they mean in every recipe that is made of a world.
NUMBERS: Mapping[str, tuple[Any, str]] = {
    "steps": (int, "steps in all; 0 evaluates what there is before any."),
    "prompts": (int, "problems in a step."),
    "group": (int, "rollouts of each."),
    "lr": (float, "learning rate."),
    "rows": (int | None, "rows in one forward pass of an update."),
    "problems": (int | None, "held-out problems; none is all of them."),
    "samples": (int, "rollouts of each held-out problem."),
    "every": (int, "steps between evaluations; 0 is before and after only."),
}
_OF_THE_TRAINER = ("prompts", "group", "lr", "rows")
# What a world may ask for and no command line gives it: what the method needs, and the run's seed.
_HIDDEN = ("critic", "needs", "seed")


def recipe(world: Callable[..., World], method: Method, watch_kl: bool = True, **numbers: Any) -> Callable[..., Run]:
    """The run of a world by a method: a function whose options are the world's, the method's and these numbers.

    world     a function of settings, each with a default and described in its docstring, that returns a `World`. One
              called `critic` or `needs` is no option and is given the method's; `seed` is the run's
    method    the default one
    watch_kl  measure the KL to the start at every step, also where the method does not need it
    numbers   those of `NUMBERS` that the recipe has, with their defaults
    """

    def run(**given: Any) -> Run:
        from rlft.runs.drive import Run
        from rlft.training.trainer import Trainer

        told = inspect.signature(run).bind(**given)
        told.apply_defaults()
        chosen, taken = told.arguments, told.arguments["method"]
        asked = {"critic": taken.critic, "needs": taken.needs, **chosen}
        made = world(**{name: asked[name] for name in inspect.signature(world).parameters})
        sizes = {name: chosen[name] for name in numbers if name in _OF_THE_TRAINER}
        if "group" in sizes:
            sizes["group"] //= made.sharing
        trainer = Trainer(
            made.policy,
            made.adapted(taken),
            made.train,
            made.reward,
            **sizes,
            seed=chosen["seed"],
            watch_kl=watch_kl,
            measures=made.watched,
            runtime=chosen["runtime"],
        )
        counts = {"problems": made.problems, "samples": made.samples}
        counts |= {name: chosen[name] for name in numbers if name not in _OF_THE_TRAINER}
        seen = {"reward": made.judged, "deploy": made.deploy, "measures": made.measures, "probes": made.probes}
        return Run(trainer, held_out=made.test, **counts, **seen)

    return _with_options(run, world, method, numbers)


def _with_options(run: Any, world: Any, method: Method, numbers: Mapping[str, Any]) -> Callable[..., Run]:
    """The function with the signature and the documentation of all its options."""
    from rlft.types import Method, Runtime

    own = {name: p.default for name, p in inspect.signature(world).parameters.items() if name not in _HIDDEN}
    hints = typing.get_type_hints(world, include_extras=True)
    kinds = {"method": (Method, method), **{name: (hints[name], default) for name, default in own.items()}}
    kinds |= {name: (NUMBERS[name][0], value) for name, value in numbers.items()}
    kinds |= {"seed": (int, 0), "runtime": (Runtime | None, None)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, keyword, default=d, annotation=kind) for name, (kind, d) in kinds.items()]
    run.__signature__, run.__annotations__ = inspect.Signature(parameters), {n: kind for n, (kind, _) in kinds.items()}
    about, _, options = inspect.cleandoc(world.__doc__ or "").partition("\nArgs:\n")
    lines = [*options.splitlines(), *(f"    {name}: {NUMBERS[name][1]}" for name in numbers)]
    lines += [] if "    seed: " in options else ["    seed: of everything random but the base."]
    run.__doc__ = "\n    ".join([*about.splitlines(), "", "Args:", *lines])
    run.__name__ = run.__qualname__ = world.__name__
    return run


def names() -> list[str]:
    """Every recipe there is: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


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
    recipe = getattr(held, stem, None) or getattr(held, "recipe", None)
    if recipe is None:
        raise UserError(f"{name} has neither a function {stem!r} nor one called 'recipe' that returns a Run")
    return recipe


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"there is no recipe file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    held = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(held)
    return held
