"""What a reward said, as columns: blame of characters becomes blame of the decisions that wrote them."""

import pytest
import torch

from rlft.methods.capo import capo
from rlft.models.small_language import small_llama, word_tokenizer
from rlft.policies.language.policy import Language
from rlft.training.paid import blamed, columns
from rlft.training.score import Scores
from rlft.training.trainer import Trainer
from rlft.types import Blame, Parts, Problem, UserError
from tests.fakes import Cards, Table

WORDS = ["1+1", "=2", ";", "no", "?"]


def policy():
    tokenizer = word_tokenizer(WORDS)
    return Language(small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24), tokenizer, max_new_tokens=8)


def rows(*lessons):
    return policy().demonstrate([Problem(i, "?", lesson) for i, lesson in enumerate(lessons)], 0)


def test_the_decisions_that_wrote_a_passage():
    """`1+1` `=2` `;` `no` and the end: the first step is three decisions, the last one has what ended the row."""
    r = rows("1+1=2;no", "1+1")
    found = blamed([[Blame(0, 6, 0.5), Blame(6, 8, 1.0)], [Blame(0, 3, 0.25)]], policy(), r)
    assert found.tolist() == [[0.5, 0.5, 0.5, 1, 1], [0.25, 0.25, 0, 0, 0]]
    # a decision that reaches over counts to what follows
    assert blamed([[Blame(0, 4, 1.0)], []], policy(), r).tolist() == [[1, 0, 0, 0, 0], [0] * 5]
    assert blamed([[Blame(4, 6, 1.0)], []], policy(), r).tolist() == [[0, 1, 1, 0, 0], [0] * 5]


def test_what_cannot_be():
    r = rows("1+1=2;no", "1+1")
    with pytest.raises(UserError, match="characters 3 to 9 of row 0, which has 8"):
        blamed([[Blame(3, 9, 1.0)], []], policy(), r)
    with pytest.raises(UserError, match="of 1 rows, and there are 2"):
        blamed([[]], policy(), r)
    with pytest.raises(UserError, match="Table cannot say"):
        blamed([[], []], Table(), r)


def test_columns():
    r = rows("1+1")
    total = torch.tensor([1.0])
    assert set(columns(Scores(total, None, {}), Table(), r)) == {"rewards"}
    found = columns(Scores(total, torch.zeros(1, 4), {}, [[Blame(0, 3, 1.0)]]), policy(), r)
    assert found["rewards"] is total and found["reward_at"].shape == (1, 4) and found["blame"].tolist() == [[1, 1]]


def test_a_step_of_capo():
    """Blame reaches the credit: a row that is blamed throughout is worth less than its fellow with the same reward."""
    learner = policy()

    def reward(problems, outputs):
        blame = [[Blame(0, len(text), 1.0)] if row % 2 and text else [] for row, text in enumerate(outputs)]
        return Parts({"paid": torch.zeros(len(problems))}, {}, blame)

    class Asked:
        name, split, size = "asked", "train", None

        def at(self, index):
            return Problem(index, "?", "no")

    trainer = Trainer(learner, capo(), Asked(), reward, prompts=2, group=2, lr=1e-3)
    rollouts = trainer.credit(trainer.collect())
    assert rollouts.outputs[1] or rollouts.outputs[3]
    for free, guilty in ((0, 1), (2, 3)):
        blamed_one = rollouts.advantages[guilty][rollouts.mask[guilty]]
        other = rollouts.advantages[free][rollouts.mask[free]]
        assert (blamed_one < 0).all() and (other > 0).all() if rollouts.outputs[guilty] else not other.any()
    assert trainer.step()["ratio/first"] <= 5e-5
    with pytest.raises(UserError, match="Table cannot say"):
        Trainer(Table(), capo(), Cards(), reward, prompts=2, group=2).step()
