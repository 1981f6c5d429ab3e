"""Kandinsky 5: what the arms of the recipe spend, and which are told apart by what."""

from rlft.recipes.kandinsky5 import CLAIM, kandinsky5
from rlft.types import Teachable


def test_arms_differ_by_what_they_say():
    settings = {name: arm.arguments["method"].settings for name, arm in CLAIM.arms.items() if "method" in arm.arguments}
    trained = {name: (told.get("last"), told.get("beta")) for name, told in settings.items()}
    tens = {"rl": (10, 0.02), "sample": (10, 0.02), "free": (10, 0.0)}
    others = {"rl-1": (1, 0.02), "rl-2": (2, 0.02), "rl-all": (20, 0.02), "free-1": (1, 0.0), "more": (None, None)}
    assert trained == {**tens, **others}
    assert CLAIM.arms["sample"].arguments["against"] == "sample"
    assert {name for name in CLAIM.arms if CLAIM.grid_of(name)} == {"rl", "rl-1", "rl-2", "rl-all", "sample", "more"}


def test_an_arm_begins_with_its_models_weights():
    small = {name: value for name, value in CLAIM.smoke.items() if name != "steps"}
    runs = {name: kandinsky5(**{**small, **CLAIM.arms[name].arguments}) for name in ("pretrained", "sft", "more")}
    first = {name: next(run.trainer.policy.parameters()) for name, run in runs.items()}
    assert bool((first["sft"] == first["more"]).all()) and not bool((first["sft"] == first["pretrained"]).all())
    assert Teachable in runs["more"].trainer.method.needs and runs["more"].trainer.reference is None
    assert kandinsky5(**small).trainer.reference is not None
