"""A recipe of a user's own that learns from a buffer, with a claim: used by the tests of the runner."""

from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.control import control
from rlft.methods.cql import cql
from rlft.methods.sac import sac
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import OffPolicy
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts


def buffered(
    method: OffPolicy = sac(critics=3, norm=layer_norm),
    steps: int = 4,
    warmup: int = 12,
    offline: float = 0.0,
    lr: float = 1e-3,
    seed: int = 0,
) -> Run:
    """A point mass.

    Args:
        steps: steps in all.
        warmup: environment steps before the first update.
        offline: share of a batch that others acted.
        lr: learning rate.
        seed: of everything random.
    """
    world = PointMass(horizon=8)
    phase = Phase(method, worlds=2, warmup=warmup, offline=offline)
    data = demonstrations(world, 4, seed=1)
    settings = {"batch": 8, "interval": 10, "hidden": (8,), "capacity": 64, "lr": lr, "seed": seed}
    policy = Control(world, head=StateTanhGaussian, width=8)
    learner = Learner(policy, world, [phase], data=data, reward=environment_reward, **settings)
    return Run(learner, steps, Starts(world, split="test"), problems=4, measures=[control(world)], every=1)


def dip(metrics, evaluations):
    """How far the reward fell below where it began."""
    rewards = [line["reward"] for line in evaluations]
    return {"dip": rewards[0] - min(rewards), "seen": float(len(rewards)), "idle": float(metrics[0]["updates"] == 0)}


CLAIM = Claim(
    sentence="Data help.",
    source="Nobody 2026, arXiv:0000.00000",
    arms={
        "base": Arm("untrained", {"steps": 0}, grid={}),
        "sac": Arm("no data", {"method": sac(critics=3, norm=layer_norm)}),
        "cql": Arm("half data", {"method": cql(critics=3, norm=layer_norm), "offline": 0.5}),
    },
    metric="reward",
    statements=(Statement("the dip is not negative", "dip", "sac", least=0.0),),
    budget="40 environment steps and their updates.",
    scaled_down="Everything.",
    real="An environment is an argument.",
    shared=("decisions/drawn", "updates"),
    grid={"method.tau": (0.005, 0.5)},
    seeds=1,
    curve="reward",
    more=lambda metrics, evaluations: dip(metrics, evaluations) if metrics else {},
)
