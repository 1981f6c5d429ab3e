"""The numbers of a run as a Trainer has them: rows drawn ahead, and how they are corrected."""

import inspect

import pytest

from rlft import recipes
from rlft.methods.grpo import grpo
from rlft.methods.online_dpo import online_dpo
from rlft.methods.rloo import rloo
from rlft.options.arguments import parse
from rlft.options.learning import Learning, corrected, numbers_of, trainer_of
from rlft.rewards.limited import Limited
from rlft.types import UserError
from tests.fakes import Cards, Table, agreement

SMALL = {"steps": 3, "prompts": 4, "group": 4, "lr": 0.1}


def test_a_trainer_draws_ahead_and_corrects_as_it_is_told():
    t = trainer_of(Learning(**SMALL, ahead=2, staleness_correction="row"), Table(), grpo(), Cards(), agreement)
    assert (t.ahead.steps, t.method.drawn, t.method.name) == (2, True, "grpo")
    for _ in range(2):
        t.step()
    t.advance()
    weight = t.pending.column("weight")
    assert (weight[t.pending.mask] != 1).any()
    rows = [row[own] for row, own in zip(weight, t.pending.mask, strict=True)]
    assert all(bool((row == row[0]).all()) for row in rows), "one weight for each row"


def test_without_a_correction_and_without_a_distance_the_method_is_as_it_was():
    method = grpo()
    assert corrected(method, Learning(ahead=3, staleness_correction="none")) is method
    assert corrected(method, Learning(staleness_correction="row")) is method
    assert "ahead" not in numbers_of(Learning()) and numbers_of(Learning(ahead=3))["ahead"] == 3


def test_an_alarm_in_a_thread_is_refused_before_anything_is_drawn():
    with pytest.raises(UserError, match="--reward-seconds interrupts the main thread, and with --ahead"):
        trainer_of(Learning(**SMALL, ahead=1), Table(), grpo(), Cards(), Limited(agreement, 5.0))


def test_a_loss_without_advantages_can_be_drawn_ahead_uncorrected():
    with pytest.raises(UserError, match="method online_dpo does not weigh rows"):
        trainer_of(Learning(**SMALL, ahead=1), Table(), online_dpo(), Cards(), agreement)
    t = trainer_of(Learning(**SMALL, ahead=1, staleness_correction="none"), Table(), online_dpo(), Cards(), agreement)
    assert [line["version/lag"] for line in t.run(2)] == [0, 1]


def test_a_recipe_of_a_world_has_the_options_unless_the_world_means_something_else():
    words = ["--ahead", "2", "--staleness-correction", "row", "--staleness-beyond", "mask", "--staleness-bound", "3"]
    given = parse(recipes.named("arithmetic"), words, "rlft run")
    assert (given["ahead"], given["staleness_correction"], given["staleness_bound"]) == (2, "row", 3.0)
    assert "staleness_correction" not in inspect.signature(recipes.named("eft")).parameters
    run = recipes.named("point_mass")(**recipes.smallest("point_mass"), ahead=1, method=rloo())
    assert run.trainer.ahead.steps == 1 and run.trainer.method.drawn
