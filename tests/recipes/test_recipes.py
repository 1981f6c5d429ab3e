"""A recipe made of a world, a method and numbers: its options, what reaches the Trainer and the run, its digest."""

import inspect
from dataclasses import replace

import pytest

from rlft.errors import UserError
from rlft.evidence.claim import defaults_of
from rlft.methods.cory import cory
from rlft.methods.ddpo import ddpo
from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.options.arguments import parse
from rlft.recipes import named, recipe
from rlft.types import Exchanging, Method, Runtime
from rlft.worlds import World
from tests.fakes import Cards, Table, agreement, share


def cards(size: int = 8, problems: int = 5, critic: bool = False, needs: tuple = (), seed: int = 0) -> World:
    """Cards.

    Args:
        size: how many cards there are,
            all told.
        problems: of the evaluation.
    """
    kept = [("size", size), ("seed", seed), ("pair", Exchanging in needs)]
    return World(
        Table(critic=critic),
        Cards(size),
        Cards(2),
        agreement,
        judged=share,
        measures=[lambda problems, outputs: {}],
        probes=[lambda policy: {name: float(value) for name, value in kept}],
        problems=problems,
        samples=3,
        adapted=lambda method: replace(method, epochs=7),
        sharing=2 if Exchanging in needs else 1,
    )


DEALT = recipe(cards, grpo(beta=0.0), steps=4, prompts=3, group=6, lr=0.5, rows=None, every=2)


def test_options_are_the_worlds_the_methods_and_the_numbers():
    names = list(inspect.signature(DEALT).parameters)
    assert names == [
        "method",
        "size",
        "problems",
        "steps",
        "prompts",
        "group",
        "lr",
        "rows",
        "every",
        "ahead",
        "staleness_correction",
        "staleness_bound",
        "staleness_beyond",
        "seed",
        "runtime",
    ]
    kinds = inspect.get_annotations(DEALT)
    assert kinds["method"] is Method and kinds["lr"] is float and kinds["runtime"] == Runtime | None
    assert DEALT.__name__ == "cards"
    assert "        size: how many cards there are,\n            all told.\n" in DEALT.__doc__
    assert "        prompts: problems in a step.\n" in DEALT.__doc__
    assert DEALT.__doc__.endswith("        seed: of everything random but the base.")
    told = parse(DEALT, ["--size", "9", "--method", "ppo", "--method.gamma", "0.5", "--lr", "1"], "rlft run cards")
    assert told["size"] == 9 and told["lr"] == 1.0 and told["method"].settings["gamma"] == 0.5


def test_a_world_that_says_what_its_seed_is_of_is_believed():
    def seeded(seed: int = 0) -> World:
        """Cards.

        Args:
            seed: of the cards.
        """
        return cards(seed=seed)

    assert recipe(seeded, grpo()).__doc__.count("seed: ") == 1


def test_defaults_are_what_a_digest_hashes():
    plain = {"size": 8, "problems": 5, "steps": 4, "prompts": 3, "group": 6, "lr": 0.5, "rows": None, "every": 2}
    assert defaults_of(DEALT) == {"method": {"method": "grpo", **grpo(beta=0.0).settings}, **plain}


def test_everything_reaches_the_trainer_and_the_run():
    run = DEALT(size=7, seed=3, steps=1, lr=0.25)
    trainer = run.trainer
    assert (trainer.prompts, trainer.group, trainer.lr, trainer.seed, trainer.rows) == (3, 6, 0.25, 3, None)
    assert trainer.method.epochs == 7 and trainer.reward is agreement and trainer.task.size == 7
    assert trainer.reference is not None
    assert (run.steps, run.problems, run.samples, run.every, run.reward) == (1, 5, 3, 2, share)
    assert len(run.measures) == 1 and run.held_out.size == 2
    assert run.probes[0](None) == {"size": 7.0, "seed": 3.0, "pair": 0.0}
    assert recipe(cards, grpo(beta=0.0), watch_kl=False, steps=1)().trainer.reference is None
    assert recipe(cards, grpo(), steps=1, problems=4, samples=1)(problems=2).problems == 2


def test_runs_of_one_method_share_no_memory():
    """An arm's method is one value: its second seed begins with nothing remembered, and its first goes on with its."""
    method = ddpo(buffer=2, at_least=1)
    one = DEALT(method=method, steps=1)
    first = one.trainer.step()
    two = DEALT(method=method, steps=1)
    assert one.trainer.method.advantage.history and not two.trainer.method.advantage.history
    assert not method.advantage.history
    assert two.trainer.step()["loss"] == first["loss"]


def test_a_world_is_told_what_the_method_needs():
    assert list(DEALT(method=ppo()).trainer.policy.value_parameters())
    seen = []

    def asked(critic: bool = False, needs: tuple = ()) -> World:
        seen.append((critic, needs))
        return cards(needs=needs)

    with pytest.raises(Exception, match="cory"):  # a table is no pair; what it was told is what counts
        recipe(asked, grpo(), group=6)(method=cory())
    assert seen == [(True, cory().needs)]


def test_two_that_learn_together_share_the_group():
    def pair() -> World:
        return replace(cards(), sharing=2)

    assert recipe(pair, grpo(), steps=1, group=6)().trainer.group == 3


def test_what_is_no_option_is_refused():
    with pytest.raises(TypeError, match="critic"):
        DEALT(critic=True)


def test_a_file_of_ones_own_may_make_its_recipe_by_recipe(tmp_path):
    """What makes recipes is imported there under the name that a recipe may have, and is none."""
    path, world = tmp_path / "mine.py", "from tests.recipes.test_recipes import cards\n"
    made = "from rlft.methods.grpo import grpo\nfrom rlft.recipes import recipe\n" + world
    path.write_text(f"{made}mine = recipe(cards, grpo(), steps=1)\n")
    assert named(str(path))(size=7).trainer.task.size == 7
    path.write_text(f"{made}other = recipe(cards, grpo(), steps=1)\n")
    with pytest.raises(UserError, match="neither a function 'mine' nor one called 'recipe'"):
        named(str(path))
