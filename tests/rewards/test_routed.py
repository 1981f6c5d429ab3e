"""Rewards chosen row by row by a column of the data."""

import math

import pytest
import torch

from rlft.options.reward import load_reward
from rlft.rewards import by_column, combine, exact, label
from rlft.types import Parts, Problem, Text, UserError

ROWS = [
    Problem(0, "", "[0,0,8,8]", {"kind": "iou"}),
    Problem(1, "", "yes", {"kind": "word"}),
    Problem(2, "", "no", {"kind": "other"}),
    Problem(3, "", "No", {}),
]
SAID = [Text("[0,0,8,4]"), Text("yes"), Text("no"), Text("no")]


def values(told):
    return {name: [None if math.isnan(v) else v for v in part.tolist()] for name, part in told.items()}


def test_each_row_has_one_reward_and_the_others_abstain():
    reward = load_reward("by_column('kind', iou='box_iou', word='label', otherwise='exact(case=False)')")
    told = reward(ROWS, SAID)
    assert values(told) == {
        "iou": [0.5, None, None, None],
        "word": [None, 1.0, None, None],
        "otherwise": [None, None, 1.0, 1.0],
    }
    # Beside another reward of all rows their parts add.
    both = combine({"by": reward, "form": exact()})(ROWS, SAID)
    assert torch.stack(list(both.values())).nansum(0).tolist() == [0.5, 2.0, 2.0, 1.0]


def test_a_reward_sees_its_own_rows_alone_in_their_order():
    seen = []

    def counted(problems, outputs):
        seen.append(([problem.index for problem in problems], list(outputs)))
        scores = torch.arange(len(problems)).float()
        return Parts({"a": scores, "b": scores + 1}, {"watched": scores * 2})

    rows = [Problem(i, "", "", {"kind": kind}) for i, kind in enumerate("xyxx")]
    told = by_column("kind", {"x": counted, "y": label()})(rows, list("abcd"))
    assert seen == [([0, 2, 3], ["a", "c", "d"])]
    assert values(told)["x/b"] == [1.0, None, 2.0, 3.0] and values(told.watch)["x/watched"] == [0.0, None, 2.0, 4.0]
    by_column("kind", x=counted, y=label())(rows[1:2], ["b"])
    assert len(seen) == 1


def test_what_a_reward_remembers_is_kept():
    class Counts:
        count = 0

        def __call__(self, problems, outputs):
            self.count += len(problems)
            return torch.zeros(len(problems))

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    first, second = Counts(), Counts()
    reward = by_column("kind", word=first, otherwise=label())
    reward(ROWS, SAID)
    by_column("kind", word=second, otherwise=label()).load_state_dict(reward.state_dict())
    assert second.count == 1


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "by_column('kind', iou='box_iou', word='label')",
            "'kind' says 'other', and by_column has rewards for iou, word",
        ),
        ("by_column('kind', iou='box_iuo')", "no reward 'box_iuo'; did you mean box_iou"),
        ("by_column('kind', iou=1)", "its rewards are texts"),
        ("by_column('kind')", "needs a reward for at least one value"),
        ("by_column(iou='label')", "by_column"),
    ],
)
def test_a_sentence_for_what_is_missing(spec, said):
    with pytest.raises(UserError, match=said):
        load_reward(spec)(ROWS, SAID)


def test_a_matrix_is_refused():
    with pytest.raises(UserError, match=r"gave \(2, 3\) for 2 rows"):
        by_column("kind", other=lambda problems, outputs: torch.zeros(2, 3), None_=label(), otherwise=label())(
            [ROWS[2], ROWS[2]], SAID[:2]
        )
