"""`rlft reproduce` and `rlft compare`: each function is a command, its signature the command line."""

from __future__ import annotations

import json as as_json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tyro

from rlft.errors import UserError, say
from rlft.runs.folder import Stopped

Positional = tyro.conf.Positional


def reproduce(
    recipe: Positional[tuple[str, ...]] = (),
    seeds: int | None = None,
    first_seed: int = 0,
    smoke: bool = False,
    check: bool = False,
    publish: bool = False,
    workers: int = 2,
    ray: tuple[str, ...] | None = None,
    out: Path | None = None,
    set: tuple[str, ...] = (),
    json: bool = False,
) -> int:
    """Test a paper's claim: tune every arm, run all seeds, judge what was predicted. Goes on where it was stopped.

    Args:
        recipe: one or more recipes with a claim, or files of your own; with --smoke none is all of them.
        seeds: how many seeds, those of the claim by default.
        first_seed: the first of them: with another, a verdict is tested on seeds that nobody has reported.
        smoke: the same code at seconds' size; its verdict means nothing.
        check: compare with the committed result: every number on the machine that made it, elsewhere and with other
            seeds what was concluded; exit code 1 if it is contradicted.
        publish: make the result the committed one (of this checkout).
        workers: processes of one torch thread each; 0 runs everything in this one.
        ray: run them as tasks of the Ray cluster at this address, or of one that is started here, --workers at a time.
        out: folder of the runs, runs/reproduce/RECIPE by default.
        set: data of your own for the arms that want some, NAME.ARGUMENT=VALUE; without it they are left out.
        json: print the result as JSON.
    """
    from rlft import recipes
    from rlft.reproduce import declared
    from rlft.reproduce import reproduce as evidence

    names = recipe or (tuple(filter(declared.declares, recipes.names())) if smoke else ())
    if not names:
        raise UserError("rlft reproduce needs a recipe: rlft reproduce loop; rlft papers lists them")
    if publish and (smoke or seeds is not None or first_seed):
        raise UserError("only a whole run is published: leave out --smoke, --seeds and --first-seed")
    if ray is not None and (len(ray) > 1 or smoke or workers < 1):
        raise UserError("--ray takes one address or none, --workers of at least 1, and is not for --smoke")
    told = {"seeds": seeds, "first_seed": first_seed, "workers": 0 if smoke else workers, "smoke": smoke}
    data, contradicted = _data(set), False
    with _pool(ray, workers) as pool:
        for name in names:
            root = _root(name, out if len(names) == 1 else None, smoke)
            said = _say(f"{Path(name).stem}: ")
            try:
                result = evidence.reproduce(name, root, data=data, pool=pool, said=said, **told)
            except Stopped as stopped:
                say(str(stopped))
                return 3
            if publish and (left := result["claim"]["arms"].keys() - result["arms"].keys()):
                raise UserError(f"only a whole run is published: give the data of {', '.join(sorted(left))} with --set")
            _keep(result, root, publish)
            print(as_json.dumps(result)) if json else _show(result, root)
            if check:
                contradicted |= _contradicts(result)
    return int(contradicted)


@contextmanager
def _pool(ray: tuple[str, ...] | None, count: int) -> Iterator[Callable[[int], Executor]]:
    """What cells run in: processes here, or tasks of a cluster for as long as the command."""
    from rlft.reproduce.elsewhere import Elsewhere
    from rlft.reproduce.runner import processes

    if ray is None:
        yield processes
        return
    from rlft.runtime.ray_tasks import RayTasks

    tasks = RayTasks(count, *ray)
    try:
        yield lambda workers: Elsewhere(workers, tasks)
    finally:
        tasks.close()


def compare(
    what: Positional[tuple[str, ...]],
    rollouts: int | None = None,
    seeds: int = 3,
    workers: int = 2,
    out: Path | None = None,
) -> int:
    """Compare recipes, or finished run folders, under one budget: one table and one figure.

    Args:
        what: two or more of RECIPE, RECIPE:ARM, or a recipe with its options in quotes, "arithmetic --lr 1e-3"; or run
            folders.
        rollouts: rows that each run may draw, by default the least that one of them draws by itself.
        seeds: runs of each recipe.
        workers: processes of one torch thread each.
        out: folder of the runs and of the page, by default runs/compare; of run folders the page lies beside them.
    """
    from rlft.reproduce import comparison

    try:
        table, page = comparison.compare(what, out, rollouts=rollouts, seeds=seeds, workers=workers, said=_say(""))
    except Stopped as stopped:
        say(str(stopped))
        return 3
    from rich.console import Console

    Console().print(table)
    print(f"page: {page}")
    return 0


def _data(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`NAME.ARGUMENT=VALUE` as options of a recipe's command line, by name."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        place, _, value = word.partition("=")
        name, _, argument = place.partition(".")
        if not (name and argument and value):
            raise UserError(f"--set {word!r} is not NAME.ARGUMENT=VALUE, such as pair.source=train.es")
        found[name] = (*found.get(name, ()), f"--{argument.replace('_', '-')}", value)
    return found


def _root(name: str, out: Path | None, smoke: bool) -> Path:
    if smoke and out is None:
        import tempfile

        return Path(tempfile.mkdtemp(prefix=f"rlft-smoke-{Path(name).stem}-"))
    return out or Path("runs/reproduce") / Path(name).stem


def _say(prefix: str) -> Any:
    return lambda line: print(f"{prefix}{line}", file=sys.stderr)


def _keep(result: dict[str, Any], root: Path, publish: bool) -> None:
    """The result, its figure and its page beside the runs; and, to publish, the result in the library's own folder."""
    from rlft.reproduce import page, results

    key = result["key"]
    results.write(root / "result.json", result)
    (root / f"{key}.svg").write_text(figure_of(result))
    (root / "README.md").write_text(page.committed(result))
    if publish:
        results.write(results.FOLDER / f"{key}.json", result)


def figure_of(result: dict[str, Any]) -> str:
    """The picture of a result."""
    from rlft.report.arms import figure

    metric, arms = result["claim"]["metric"], {}
    for arm, data in result["arms"].items():
        if metric in (means := result["means"][arm]):
            values = [run[metric] for run in data["runs"].values()]
            arms[arm] = {**means[metric], "values": values, "curve": data["curve"]}
    return figure(arms, metric, result["claim"]["curve"], result["key"])


def _show(result: dict[str, Any], root: Path) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    from rlft.reproduce import page

    console = Console()
    console.print(f"\n{result['claim']['sentence']}\n  — {result['claim']['source']}\n", highlight=False)
    for lines in (page.measurements(result), page.statements(result)):
        console.print(Markdown("\n".join(lines)))
    note = " (a smoke run: it means nothing)" if result["smoke"] else ""
    console.print(f"\nverdict: [bold]{result['verdict']}[/bold]{note}")
    for line in result["uneven"]:
        console.print(f"the arms did not spend alike: {line}")
    console.print(f"page: {root / 'README.md'}", highlight=False)


def _contradicts(result: dict[str, Any]) -> bool:
    """Compare with the committed result and say what came of it."""
    from rlft.reproduce import results
    from rlft.reproduce.checking import checked

    committed = results.load(result["key"])
    if committed is None:
        raise UserError(f"there is no committed result of {result['key']} to compare with")
    lines, contradicted = checked(result, committed)
    print("\n".join(lines))
    return contradicted
