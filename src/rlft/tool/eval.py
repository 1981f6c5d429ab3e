"""`rlft eval`: a model on problems, or a run folder as its recipe says. Trains nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rlft.errors import say
from rlft.measure.difficulty import by_column
from rlft.measure.text import text_measures, turn_measures
from rlft.options.counts import at_least
from rlft.options.fitting import fitting
from rlft.options.guide import Led, guided
from rlft.options.mix import loaded
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.options.tools import ToolUse
from rlft.policies.language.folder import Loading
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.policies.perception.thumbnails import bare
from rlft.runs.log import finite
from rlft.tool.evaluate_run import evaluated
from rlft.tool.show import counting, messages, show
from rlft.training.evaluate import Rated, evaluate
from rlft.types import Problem, UserError


@dataclass(frozen=True)
class Evaluating:
    """How much is evaluated.

    Args:
        problems: how many, by default all of a file.
        samples: completions of each; by default 1, of a run folder its recipe's number.
        batch: problems sampled at once; memory, not results.
        split: of a task that has splits.
        by: a column of the data, of each of whose values the mean reward is reported besides.
        seed: of the sampling noise.
    """

    problems: int | None = None
    samples: int | None = None
    batch: int = 64
    split: str = "test"
    by: str | None = None
    seed: int = 0


def eval_(
    model: str,
    data: str | None = None,
    reward: tuple[str, ...] = (),
    mix: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    guide: str | None = None,
    guide_reward: tuple[str, ...] = (),
    evaluating: Evaluating = Evaluating(),
    sampling: Sampling = Sampling(max_new_tokens=128),
    prompting: Prompting = Prompting(),
    tools: ToolUse = ToolUse(),
    loading: Loading = Loading(),
    fields: Fields = Fields(),
    out: Path | None = None,
    json: bool = False,
    trust_run: bool = False,
) -> int:
    """Evaluate a model on problems: mean reward with its 95 % interval over problems, pass@k.

    A language model is evaluated on --data; without it, the run folder of any recipe on its own held-out problems, with
    its own reward, in whatever way it is sampled there.

    Args:
        model: a folder, a hub id, or a run folder, whose trained model is taken.
        data: a file of problems, or a task: arithmetic, reasoning_gym:NAME. None for the run folder's own.
        reward: as for rlft train; a task that has its own needs none.
        mix: TUNED:WEIGHT adds WEIGHT times what distinguishes the model TUNED from --model, TUNED:REFERENCE:WEIGHT what
            distinguishes it from the model REFERENCE, in log-probabilities; repeat it for several. See rlft sample.
        guide: sample by looking ahead: "best_of(8)", and for policies that refine a state "svdd(alpha=0.01)", "smc(…)",
            "svdd_r(…)"; "sparse_to_dense(frames=8, most=64)" looks at films again. See rlft.guidance.
        guide_reward: what it is led by, as --reward; by default the reward of the evaluation, which is cheating unless
            you have it when you use the model.
        out: a new JSONL file for every completion and its reward, written as they are evaluated.
        json: print one JSON object instead of a table.
        trust_run: without --data, run the code that a run folder names although others have made it; asked once.
    """
    at_least(evaluating, problems=1, samples=1, batch=1)
    told: dict[str, Any] = {"problems": evaluating.problems, "seed": evaluating.seed}
    if data is None:
        _check_run(model, reward, mix, tools.speaking_to, tools.generator, out)
        told |= {"samples": evaluating.samples, "trusted": trust_run}
        return show(evaluated(Path(model), guide, guide_reward, **told), json)
    with _written(out) as seen, counting(not json) as progress:
        task = load_task(data, fields, evaluating.split)
        scored = reward_of(Rewards(reward), task)
        policy, scored = tools.answering(loaded(model, mix, sampling, prompting, loading), scored, loading)
        task = fitting(task, policy)
        count = evaluating.problems if evaluating.problems is not None else task.size
        policy.check(task.at(index) for index in range(min(count or 256, task.size or 256)))
        sampler = guided(policy, guide, guide_reward, scored)
        told |= {"samples": evaluating.samples or 1, "batch": evaluating.batch, "progress": progress, "seen": seen}
        speaking = tools.speaking_to or tools.generator
        watched = [text_measures, *([turn_measures] if speaking else [])]
        watched += [by_column(scored, evaluating.by)] if evaluating.by else []
        result = evaluate(sampler, task, scored, measures=watched, **told)
    spent = sampler.spent.per_row() if isinstance(sampler, Led) else {}
    said = {n: v for n, v in {"mix": list(mix), "guide": guide}.items() if v}
    return show({"model": model, **said, "data": data, **result.numbers(), **spent}, json)


def _check_run(model: str, *told: Any) -> None:
    """Without --data it is a run folder that is evaluated, by its recipe."""
    if not (Path(model) / "run.json").is_file():
        raise UserError(f"--data is needed: {model} is not the run folder of a recipe, which has problems of its own")
    if any(told):
        raise UserError(
            "--reward, --mix, --tools, --agent, --record, --generator, --out are for --data: a run folder is evaluated "
            "as its recipe says"
        )


@contextmanager
def _written(path: Path | None) -> Iterator[Callable[[Sequence[Rated]], None]]:
    """Append rows to a new file as they are rated, or to none; what was rated stays whatever happens then.

    `UserError` if it is there already or cannot be made.
    """
    if path is None:
        yield lambda rows: None
        return
    try:
        file = path.open("x")
    except FileExistsError:
        raise UserError(f"{path} exists already and will not be overwritten; choose another --out") from None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another --out") from error
    written = []
    try:
        with file:

            def write(rows: Sequence[Rated]) -> None:
                file.writelines(_row(*row) for row in rows)
                file.flush()
                written.extend(rows)

            yield write
    except BaseException:
        if written:
            say(f"the {len(written)} rows that were evaluated are in {path}")
        else:
            path.unlink()
        raise


def _row(problem: Problem, output: Any, reward: float) -> str:
    row = {"index": problem.index, "prompt": bare(problem.input), "answer": problem.answer}
    said = {"completion": str(output), "reward": reward, **messages(output)}
    return json.dumps(finite({**row, **said}), default=str) + "\n"
