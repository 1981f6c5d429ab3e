"""What `rlft doctor` runs: the engine's promises on three small policies, in seconds, on the user's own machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator

import torch

from rlft.trainer import Trainer

EXTRAS = {
    "lora": ("peft",),
    "tasks": ("reasoning_gym", "math_verify", "pyarrow"),
    "digits": ("sklearn",),
    "control": ("gymnasium",),
    "hub": ("datasets",),
}

# The first ratio of a float32 policy: step-wise ones score as they sample; a cached decoder sums in another order.
RATIO = {"control": 1e-6, "diffusion": 1e-6, "language": 5e-5}


def there(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def run() -> Iterator[tuple[str, str | None]]:
    """Each promise and what is wrong with it, or None."""
    for kind, build in (("control", _control), ("diffusion", _diffusion), ("language", _language)):
        for name, check in (
            ("the first ratio is 1", lambda b=build, k=kind: _first_ratio(b, RATIO[k])),
            ("micro-batches change nothing", lambda b=build: _micro_batches(b)),
            ("a resumed run is the straight run", lambda b=build: _resume(b)),
        ):
            try:
                yield f"{kind}: {name}", check()
            except Exception as error:  # a doctor reports, whatever it is
                yield f"{kind}: {name}", f"{type(error).__name__}: {error}"


def _first_ratio(build: Callable[..., Trainer], tolerance: float) -> str | None:
    off = build().step()["ratio/first"]
    return None if off <= tolerance else f"off by {off:.1e}, more than {tolerance:.0e}"


def _micro_batches(build: Callable[..., Trainer]) -> str | None:
    whole, cut = build(), build(rows=3)
    whole.step()
    cut.step()
    pairs = zip(whole.policy.state_dict().values(), cut.policy.state_dict().values(), strict=True)
    off = max(float((a - b).abs().max()) for a, b in pairs)
    return None if off < 1e-4 else f"weights differ by {off:.1e}"


def _resume(build: Callable[..., Trainer]) -> str | None:
    straight, resumed = build(), build()
    straight.advance()
    straight.advance()
    resumed.load_state_dict(straight.state_dict())
    for trainer in (straight, resumed):
        list(trainer.run(2))
    same = all(
        torch.equal(a, b) for a, b in zip(straight.policy.parameters(), resumed.policy.parameters(), strict=True)
    )
    return None if same else "weights differ"


def _control(rows: int | None = None) -> Trainer:
    from rlft.environments.point_mass import PointMass
    from rlft.methods.ppo import ppo
    from rlft.policies.control import Control
    from rlft.rewards.environment import environment_reward
    from rlft.tasks.starts import Starts

    world = PointMass(horizon=10)
    policy = Control(world, critic=True)
    return Trainer(policy, ppo(epochs=2), Starts(world), environment_reward, prompts=4, group=2, rows=rows)


def _diffusion(rows: int | None = None) -> Trainer:
    from rlft.methods.loop import loop
    from rlft.models.denoiser import ResidualMLP
    from rlft.models.schedules import VELOCITY, RectifiedFlow
    from rlft.policies.diffusion import Diffusion
    from rlft.policies.noise_rules import flow_sde
    from rlft.rewards.images import near
    from rlft.tasks.mixture import Mixture

    policy = Diffusion(
        ResidualMLP((2,), classes=4, width=16, blocks=1),
        steps=4,
        rule=flow_sde(0.7),
        schedule=RectifiedFlow(),
        prediction=VELOCITY,
        event="sum",
        shape=(2,),
        classes=4,
    )
    return Trainer(policy, loop(epochs=2), Mixture(), near((0.5, 0.5)), prompts=4, group=2, rows=rows)


def _language(rows: int | None = None) -> Trainer:
    from rlft.methods.grpo import grpo
    from rlft.models.small_language import character_tokenizer, small_llama
    from rlft.policies.language import Language
    from rlft.rewards import length
    from rlft.tasks.arithmetic import Arithmetic

    tokenizer = character_tokenizer("0123456789+=")
    model = small_llama(len(tokenizer), width=32, layers=2, heads=2, context=32)
    policy = Language(model, tokenizer, max_new_tokens=6)
    reward = length(target=3, unit="characters")
    return Trainer(policy, grpo(epochs=2), Arithmetic(), reward, prompts=4, group=4, rows=rows)
