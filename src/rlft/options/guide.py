"""`--guide` of the command line: a policy led by a reward while it samples. The leading is `rlft.guidance`'s.

    --guide "best_of(8)"                          any policy, also a language model
    --guide "sparse_to_dense(frames=8, most=64)"  language models that are shown films
    --guide "svdd(alpha=0.01, candidates=10)"     policies that refine a state; also smc(…) and svdd_r(…)

Written as rewards are: a name and literals. Values are predicted ones, r(x̂0), which need no training.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence

from rlft import rewards
from rlft.errors import nearest
from rlft.guidance import Predicted, SparseToDense, best_of, smc, svdd, svdd_r
from rlft.guidance.denser import Tempered, Views
from rlft.guidance.samplers import BestOf, Guided
from rlft.options.calls import Call, check_arguments, parse_call
from rlft.options.reward import load_reward
from rlft.tasks.films import frames_of, viewed
from rlft.types import Reward, Sampler, UserError

_DENSER = "sparse_to_dense"
Led = BestOf | Guided | SparseToDense


def guided(policy: Sampler, words: str | None, specs: Sequence[str] = (), own: Reward | None = None) -> Sampler:
    """The policy led as `words` say, or itself if they are None.

    `specs` name what it is led by, as `--reward` does; several add, and `own` stands in for none. UserError for other
    words, for no reward, and for a policy that cannot be led so.
    """
    if words is None:
        return policy
    call, makers = parse_call(words), {make.__name__: make for make in (best_of, smc, svdd, svdd_r)}
    if call.name == _DENSER:
        return _denser(policy, specs, call)
    if call.name not in makers:
        raise UserError(f"--guide {words!r}: there is no {call.name!r}{nearest(call.name, [*makers, _DENSER])}")
    reward = _reward(specs, own)
    by = reward if call.name == "best_of" else Predicted(reward)
    return _made(functools.partial(makers[call.name], policy, by), call)


def looks_ahead(words: str | None) -> bool:
    """Whether words name a guide that chooses among next states, which a policy then has to draw at random."""
    return words is not None and parse_call(words).name in [make.__name__ for make in (smc, svdd, svdd_r)]


def _denser(policy: Sampler, specs: Sequence[str], call: Call) -> Sampler:
    if not isinstance(policy, Tempered):
        raise UserError(
            f"--guide {call.name}: a language model that is shown films is looked with again, no other policy"
        )
    if specs:
        raise UserError(f"--guide {call.name} is led by its own votes: leave out the reward that is to lead it")

    def make(frames: int = 32, most: int = 128) -> Sampler:
        return SparseToDense(policy, Views(viewed, frames_of), frames, most)

    return _made(make, call)


def _made(make: Callable[..., Sampler], call: Call) -> Sampler:
    """The sampler of these numbers: whole ones where it counts something."""
    check_arguments(make, call)
    given = inspect.signature(make).bind(*call.arguments, **call.settings)
    for name, value in given.arguments.items():
        whole = given.signature.parameters[name].annotation == "int"
        if type(value) is not int and (whole or type(value) is not float):
            raise UserError(f"--guide: {name}={value!r} is not a {'whole ' * whole}number")
        given.arguments[name] = value if whole else float(value)
    return make(*given.args, **given.kwargs)


def _reward(specs: Sequence[str], own: Reward | None) -> Reward:
    if specs:
        return rewards.combine({spec: load_reward(spec) for spec in specs})
    if own is None:
        raise UserError("--guide needs a reward to be led by: --reward NAME or --reward file.py:function")
    return own
