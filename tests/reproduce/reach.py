"""A recipe of a user's own, with a claim: used by the tests of the runner."""

from rlft.environments.point_mass import PointMass
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.control import control
from rlft.methods.reinforce import reinforce
from rlft.methods.rloo import rloo
from rlft.policies.control.policy import Control
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer
from rlft.types import Method


def reach(
    method: Method = rloo(), steps: int = 6, prompts: int = 4, group: int = 4, lr: float = 1e-3, seed: int = 0
) -> Run:
    """A point mass.

    Args:
        steps: steps in all.
        prompts: start states in a step.
        group: episodes from each.
        lr: learning rate.
        seed: of everything random.
    """
    world = PointMass(horizon=10)
    trainer = Trainer(
        Control(world), method, Starts(world), environment_reward, prompts=prompts, group=group, lr=lr, seed=seed
    )
    held_out = Starts(world, split="test")
    return Run(trainer, steps, held_out, problems=8, measures=[control(world)], probes=[weights], every=2)


def weights(policy):
    return {"size": sum(float(p.detach().abs().sum()) for p in policy.parameters())}


CLAIM = Claim(
    sentence="Leave-one-out is better than one baseline for all.",
    source="Nobody 2026, arXiv:0000.00000",
    arms={
        "base": Arm("untrained", {"steps": 0}, grid={}, seeds=3),
        "rloo": Arm("leave one out", {"method": rloo()}),
        "reinforce": Arm("one baseline", {"method": reinforce()}),
    },
    metric="reward",
    statements=(
        Statement("it is better by far", "reward", "rloo", over="reinforce", least=1e6),
        Statement("weights have a size", "size", "base", least=0.1, claimed=False),
    ),
    budget="16 episodes a step.",
    scaled_down="Everything.",
    real="An environment is an argument.",
    table=("train/entropy", "cost/updates"),
    shared=("rows/drawn", "updates"),
    grid={"lr": (1e-3, 0.5)},
    seeds=2,
    smoke={"steps": 1},
    curve="reward",
    more=lambda metrics, evaluations: {"lines": float(len(metrics)), "evaluated": float(len(evaluations))},
)
