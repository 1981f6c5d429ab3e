"""Make rewards of other functions: one answer at a time, written for TRL or for verl, several of them together.

Not a home for rewards of its own. A function's kind is read off the names of its parameters, see `adapted`.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlft.errors import shown
from rlft.rewards.pictures import of_images
from rlft.types import Blame, Parts, Problem, Reward, Stateful, Text, UserError, field_of

Blames = Sequence[Sequence[Blame]]
_KINDS = """\
    f(problems, outputs) -> N numbers                          the whole batch, rlft's own
    f(prompts, completions, **columns) -> list of numbers      the whole batch, as for TRL
    f(data_source, solution_str, ground_truth, extra_info)     one completion, as for verl
    f(images, prompts, metadata) -> N numbers, or with info    a batch of pictures, as for TRL's DDPO and Flow-GRPO
one written f(problem, output) for a single completion is lifted by rlft.rewards.each"""


def each(f: Callable[[Problem, Any], Any]) -> Reward:
    """Lift a function of one problem and one output to the batch; a coroutine's rows are awaited together. None means
    that it could not be scored."""

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        return column(awaited([f(problem, outputs[row]) for row, problem in enumerate(problems)]))

    return reward


class Deferred:
    """A reward in two steps, so that what several coroutines wait for they wait for together.

    name    of the function
    ask     what it says of the problems and outputs, a list of results that may have to be awaited
    read    a reward of the results
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[Sequence[Problem], Any], list[Any]],
        read: Callable[[Sequence[Problem], list[Any]], Any],
    ):
        self.__name__, self.ask, self.read = name, ask, read

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Any:
        return self.read(problems, awaited(self.ask(problems, outputs)))


def trl(f: Callable[..., Any], special_tokens: bool = False) -> Reward:
    """A reward function written for TRL's GRPOTrainer, called by keywords as TRL does; a coroutine too.

    It gets `prompts`, `completions`, `completion_ids`, every other column of the data under its own name (and `answer`,
    if the data have none), `trainer_state` (None: a reward does not see the run), `log_extra(name, values)` and
    `log_metric(name, value)`, as far as its parameters ask for them. For chat prompts a completion is
    `[{"role": "assistant", "content": …}]`. None excludes a row. Numbers that are logged are watched, see `Parts`.
    TRL leaves special tokens out of completions; `special_tokens=True` does not, but for what ended the row.
    """
    name, accepts = _name(f), _accepts(f)

    def ask(problems: Sequence[Problem], outputs: Any) -> list[Any]:
        watch: dict[str, Tensor] = {}
        given = {
            **_columns(problems),
            "prompts": [problem.input for problem in problems],
            "completions": [_completion(p, _text(outputs[row], special_tokens)) for row, p in enumerate(problems)],
            "completion_ids": [_tokens(outputs[row]) for row in range(len(problems))],
            "trainer_state": None,
            "log_extra": lambda column, values: watch.update(_numeric(column, values)),
            "log_metric": lambda metric, value: watch.update(_numeric(metric, [value] * len(problems))),
        }
        return [f(**accepts(given)), watch]

    def read(problems: Sequence[Problem], results: list[Any]) -> Float[Tensor, "N"] | Parts:
        scores, watch = results
        if not isinstance(scores, Tensor | np.ndarray | Sequence) or len(scores) != len(problems):
            raise UserError(
                f"{name} returned {shown(scores)} for {len(problems)} completions; expected as many numbers"
            )
        return Parts({name: column(scores)}, watch) if watch else column(scores)

    return Deferred(name, ask, read)


def verl(f: Callable[..., Any], special_tokens: bool = False) -> Reward:
    """A `compute_score(data_source, solution_str, ground_truth, extra_info)` written for verl; a coroutine too.

    `data_source` and `extra_info` are the data's columns of these names, else the task's name and all columns (or the
    columns `extra_info.NAME`, where a table has them flat); `ground_truth` is the problem's answer, else
    `reward_model.ground_truth`. A dict's `score` is the reward; its other numbers are watched (see `Parts`) and do not
    add to the reward. `special_tokens` as for `trl`.
    """
    name, accepts = _name(f), _accepts(f)

    def call(problem: Problem, output: Any) -> Any:
        columns, answer = problem.columns, problem.answer
        flat = {key.removeprefix("extra_info."): v for key, v in columns.items() if key.startswith("extra_info.")}
        given = {
            "data_source": columns.get("data_source", problem.task),
            "solution_str": _text(output, special_tokens),
            "ground_truth": field_of(columns, "reward_model.ground_truth") if answer is None else answer,
            "extra_info": columns.get("extra_info", flat or dict(columns)),
        }
        return f(**accepts(given))

    def ask(problems: Sequence[Problem], outputs: Any) -> list[Any]:
        return [call(problem, outputs[row]) for row, problem in enumerate(problems)]

    def read(problems: Sequence[Problem], said: list[Any]) -> Float[Tensor, "N"] | Parts:
        dicts = [one if isinstance(one, Mapping) else {"score": one} for one in said]
        if any("score" not in one for one in dicts):
            raise UserError(
                f"{name} returned a dict without `score`: {shown(next(d for d in dicts if 'score' not in d))}"
            )
        scores = column([one["score"] for one in dicts])
        extras = dict.fromkeys(key for one in dicts for key in one if key != "score")
        watch = {
            key: values for extra in extras for key, values in _numeric(extra, [d.get(extra) for d in dicts]).items()
        }
        return Parts({name: scores}, watch) if watch else scores

    return Deferred(name, ask, read)


def under(name: str, result: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A reward's parts as `name/part`, or the reward as `name` if it has none, and what it watches, named likewise.

    A function's own part, beside what it watches, has the function's name already.
    """
    watched = {f"{name}/{key}": values for key, values in result.watch.items()} if isinstance(result, Parts) else {}
    if not isinstance(result, Mapping):
        return {name: result}, watched
    return {name if name.split(":")[-1] == k else f"{name}/{k}": v for k, v in result.items()}, watched


class _Combined:
    """Weighted rewards by name; a part that has parts gives each of them. Remembers what its parts remember."""

    def __init__(self, rewards: Mapping[str, Reward], weights: Mapping[str, float]):
        self.rewards, self.weights = dict(rewards), dict(weights)

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        parts, watch, blame = {}, {}, None
        asked = {name: r.ask(problems, outputs) for name, r in self.rewards.items() if isinstance(r, Deferred)}
        results = iter(awaited([one for said in asked.values() for one in said]))
        for name, reward in self.rewards.items():
            if isinstance(reward, Deferred):
                result = reward.read(problems, [next(results) for _ in asked[name]])
            else:
                result = reward(problems, outputs)
            weight, (named, watched) = self.weights.get(name, 1.0), under(name, result)
            watch |= watched
            blame = _blamed(blame, result)
            parts |= {key: weight * (v if isinstance(v, Tensor) else column(v)) for key, v in named.items()}
        return Parts(parts, watch, blame)

    def explain(self, problem: Problem, output: Any) -> str:
        return "; ".join(f"{name}: {explained(reward, problem, output)}" for name, reward in self.rewards.items())

    def state_dict(self) -> dict[str, Any]:
        return {name: reward.state_dict() for name, reward in self.rewards.items() if isinstance(reward, Stateful)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, reward in self.rewards.items():
            if isinstance(reward, Stateful):
                reward.load_state_dict(state[name])


def _blamed(before: Blames | None, result: Any) -> Blames | None:
    """What one reward finds wrong, beside what others found; two that look for it would count a step twice."""
    found = result.blame if isinstance(result, Parts) else None
    if before is not None and found is not None:
        raise UserError("two of the rewards are critiques; give one, with more votes if one critique is too few")
    return found if before is None else before


@runtime_checkable
class Explains(Protocol):
    """A reward that can say how it came to what it gives."""

    def explain(self, problem: Problem, output: Any) -> str:
        """One line about one row."""
        ...


def explained(reward: Reward, problem: Problem, output: Any) -> str:
    """How a reward came to what it gives one row, if it can say."""
    return reward.explain(problem, output) if isinstance(reward, Explains) else "this reward gives no reasons"


class Remembering:
    """What is around a `reward` remembers what that one remembers, which may be nothing."""

    reward: Reward

    def state_dict(self) -> dict[str, Any]:
        """The reward's."""
        return self.reward.state_dict() if isinstance(self.reward, Stateful) else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reward's."""
        if isinstance(self.reward, Stateful):
            self.reward.load_state_dict(state)


def combine(rewards: Mapping[str, Reward], weights: Mapping[str, float] | None = None) -> Reward:
    """R = Σ w_k R_k, as named parts w_k R_k; a weight that is not given is 1.

    A part that abstains from a row (None, NaN) adds nothing to it; a row from which all abstain has no total. Several
    coroutines are awaited together. With one reward and weight 1 it is that reward.
    """
    if not rewards:
        raise UserError("combine needs at least one reward: combine({'math': math(), …})")
    if unknown := [name for name in weights or {} if name not in rewards]:
        raise UserError(f"no reward is called {unknown[0]!r}; the rewards are {', '.join(rewards)}")
    return _Combined({name: adapted(reward) for name, reward in rewards.items()}, weights or {})


def named(rewards: Sequence[Reward | str]) -> list[str]:
    """A name for each of several rewards, its own where that is no other's."""
    names: list[str] = []
    for reward in rewards:
        name = reward if isinstance(reward, str) else _name(reward)
        same = sum(other == name or other.startswith(f"{name}-") for other in names)
        names.append(f"{name}-{same + 1}" if same else name)
    return names


def adapted(f: Callable[..., Any], special_tokens: bool = False) -> Reward:
    """A user's function as a reward: rlft's own kind as it is, TRL's and verl's adapted; anything else is refused.

    `special_tokens` says whether TRL's and verl's kinds read them in completions; ours have them in `output.raw`.
    """
    names = list(_parameters(f))
    if is_reward(f):
        return Deferred(_name(f), lambda *given: [f(*given)], lambda rows, said: said[0]) if _is_coroutine(f) else f
    if "completions" in names:
        return trl(f, special_tokens)
    if "solution_str" in names:
        return verl(f, special_tokens)
    if names and names[0] in ("images", "pil_images"):
        return of_images(f)
    raise UserError(f"{_name(f)}({', '.join(names)}) is not a reward function. Accepted are\n{_KINDS}")


def is_reward(f: Callable[..., Any]) -> bool:
    """Whether a function's parameters are `problems` and the outputs, under whatever name."""
    names = list(_parameters(f))
    return len(names) >= 2 and names[0] == "problems"


def _parameters(f: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(f).parameters
    except (TypeError, ValueError):
        raise UserError(f"{f!r} is not a reward function. Accepted are\n{_KINDS}") from None


def _accepts(f: Callable[..., Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Choose from what could be given what `f` has parameters for, and say which it lacks."""
    parameters = _parameters(f)
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    needed = [
        p.name for p in parameters.values() if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]

    def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
        if missing := [name for name in needed if name not in given]:
            raise UserError(f"the reward {_name(f)} asks for {missing[0]!r}, but the data has only {', '.join(given)}")
        return {name: value for name, value in given.items() if takes_all or name in parameters}

    return chosen


def _columns(problems: Sequence[Problem]) -> dict[str, list[Any]]:
    """The data's columns as lists over the rows, as TRL passes them; a row that lacks one has None."""
    names = dict.fromkeys(name for problem in problems for name in problem.columns)
    columns = {name: [problem.columns.get(name) for problem in problems] for name in names}
    for taken in ("prompt", "completion", "completion_ids"):
        columns.pop(taken, None)
    return {"answer": [problem.answer for problem in problems], **columns}


def _completion(problem: Problem, output: Any) -> Any:
    return output if isinstance(problem.input, str) else [{"role": "assistant", "content": output}]


def _text(output: Any, special_tokens: bool) -> Any:
    return output.raw if special_tokens and isinstance(output, Text) else output


def _is_coroutine(f: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(f) or inspect.iscoroutinefunction(type(f).__call__)


def _tokens(output: Any) -> list[int]:
    return list(output.tokens) if isinstance(output, Text) else []


def awaited(results: list[Any]) -> list[Any]:
    """The results, those of coroutines awaited together; in a thread, for this one may have a loop that runs."""
    if not any(isinstance(result, Awaitable) for result in results):
        return results

    async def settled() -> list[Any]:
        waiting = [result for result in results if isinstance(result, Awaitable)]
        done = iter(await asyncio.gather(*waiting))
        return [next(done) if isinstance(result, Awaitable) else result for result in results]

    done: Future[list[Any]] = Future()

    def run() -> None:
        try:
            done.set_result(asyncio.run(settled()))
        except BaseException as error:
            done.set_exception(error)

    # no pool, which would wait for its thread also after an interrupt, and again at the end of the process
    threading.Thread(target=run, daemon=True).start()
    return done.result()


def _numeric(name: str, values: Sequence[Any] | np.ndarray | Tensor) -> dict[str, Tensor]:
    """The values as a column of this name if they are numbers, else nothing."""
    return {name: column(values)} if all(v is None or _is_number(v) for v in values) else {}


def _is_number(value: Any) -> bool:
    """A number of Python's, an array's or a tensor's."""
    kinds = int | float | np.bool_ | np.integer | np.floating
    return isinstance(value, kinds) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0)


def column(values: Any) -> Float[Tensor, "N"]:
    """Numbers as float32; None is NaN."""
    if isinstance(values, Tensor):
        if values.is_complex():
            raise UserError("the reward returned complex numbers; expected real ones")
        return values.detach().float()
    for row, value in enumerate(values):
        if isinstance(value, str | bytes):
            raise UserError(f"the reward returned {shown(value)} for row {row}; expected a number, or None if unscored")
    return torch.tensor([math.nan if value is None else float(value) for value in values], dtype=torch.float32)


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", type(f).__name__)
