"""What answers are worth, by hand; what the judge makes of what he is shown; what is measured of both."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.noise import hashed
from rlft.types import Problem, Text
from rlft.worlds.ranked import (
    JUDGED,
    LETTERS,
    TRUTH,
    Questions,
    Ranker,
    drafted,
    examination,
    features,
    malformed,
    rightness,
    worth,
)

UNSEEN = "fgfgfg"  # none of the letters that are counted but what the question names


def text(words, truncated=False):
    return Text(words, truncated=truncated)


def test_features_by_hand():
    # of abca: a twice, b and c once; two of four named by "bcd"; no pair alike
    found = features("bcd>", "abca")
    expected = [2.5 * (v - 1 / 8) for v in (0.5, 0.25, 0.25, 0, 0)] + [2 * (0.5 - 3 / 8), 2 * (0 - 1 / 8)]
    assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
    assert features("bcd>", "aabb")[-1] == pytest.approx(2 * (2 / 3 - 1 / 8))
    assert not features("bcd>", "").any()


def test_worth_and_what_is_malformed():
    problem = Problem(0, "bcd>")
    outputs = [text("abca"), text("abc"), text("abcaabca", truncated=True)]
    assert malformed(outputs).tolist() == [0, 1, 1]
    found = worth([problem] * 3, outputs)
    bare = features("bcd>", "abca") @ torch.tensor(TRUTH).double()
    assert float(found[0]) == pytest.approx(float(bare))
    assert float(found[1]) == pytest.approx(float(features("bcd>", "abc") @ torch.tensor(TRUTH).double()) - 2)


def test_questions_are_three_letters_and_splits_share_none():
    train, test = Questions(), Questions("test", 8)
    asked = [{task.at(index).input for index in range(400)} for task in (train, test)]
    assert not asked[0] & asked[1] and len(asked[0]) > 100 and len(asked[1]) > 30
    assert all(len(set(one[:3])) == 3 and one[3:] == ">" for one in asked[0] | asked[1])
    assert train.at(3) == train.at(3)


def test_the_writer_takes_what_he_likes_best_and_ends_in_time():
    lessons = [drafted(Questions().at(index)).demonstration for index in range(50)]
    assert all(4 <= len(lesson) <= 8 and set(lesson) <= set(LETTERS) for lesson in lessons)
    assert len({len(lesson) for lesson in lessons}) == 5


def test_he_learns_by_one_step_of_gradient_descent():
    ranker = Ranker((0.0,) * 7, noise=0.0, learns=3.0)
    assert not ranker.learned(()).any()
    told = {"prompt": "bcd>", "answers": ["abca", UNSEEN]}
    apart = features("bcd>", "abca") - features("bcd>", UNSEEN)
    # at equal scores the slope is a half
    assert_close(ranker.learned([told]), 1.5 * apart, rtol=0, atol=1e-12)
    # one more that says the opposite takes it back; he who agrees already learns less
    back = {"prompt": "bcd>", "answers": [UNSEEN, "abca"]}
    assert_close(ranker.learned([told, back]), 0 * apart, rtol=0, atol=1e-12)
    sure = Ranker(tuple((4 * apart).tolist()), noise=0.0, learns=3.0)
    moved = (sure.learned([told]) - sure.weights).norm()
    assert float(moved) == pytest.approx(float(3 * (1 - (4 * apart @ apart).sigmoid()) * apart.norm()))


def test_right_demonstrations_help_him_and_wrong_ones_mislead():
    problems = [replace(Questions().at(index)) for index in range(30) for _ in range(8)]
    drafts = [
        "".join(LETTERS[hashed("t", row, place) % 8] for place in range(4 + hashed("t", row) % 5)) for row in range(240)
    ]
    outputs = [text(draft) for draft in drafts]
    value = worth(problems, outputs).tolist()
    shown = []
    for first in range(0, 64, 8):
        order = sorted(range(first, first + 8), key=lambda row: -value[row])
        shown.append({"prompt": problems[first].input, "answers": [drafts[row] for row in order]})
    wrong = [{**one, "answers": one["answers"][::-1]} for one in shown]
    measure = examination(Ranker(JUDGED, 0.6, 3.0), problems[64:], outputs[64:])

    def tau(demonstrations):
        asked = [replace(problems[0], columns={"demonstrations": demonstrations})]
        return measure(asked, [])["tau"]

    assert tau(wrong) + 0.03 < tau([]) < tau(shown) - 0.03
    assert tau(shown[:2]) > tau([])
    assert rightness(shown) == 1 and rightness(wrong) == 0 and math.isnan(rightness([]))


def test_his_error_about_an_answer_is_its_own():
    problems, outputs = [Questions().at(5)] * 4, [text(one) for one in ("abca", "fgfg", "abca", "hhhh")]
    ranker = Ranker(JUDGED, 0.6, 3.0)
    scores = ranker.scores(problems, outputs)
    assert scores[0] == scores[2]
    kept = Ranker(JUDGED, 0.0, 3.0).scores(problems, outputs)
    assert (scores - kept).abs().min() > 1e-3
    assert (scores - Ranker(JUDGED, 0.6, 3.0, seed=1).scores(problems, outputs)).abs().min() > 1e-3
    assert_close(scores[1:2], ranker.scores(problems[:1], outputs[1:2]), rtol=0, atol=0)
    paid = ranker(problems, outputs)["ranking"]
    assert paid.argmax() == scores.argmax() and paid[0] == paid[2] and paid.sum() == 2


def test_a_judge_who_knows_ranks_as_answers_are_worth():
    problem, ranker = Questions().at(0), Ranker(TRUTH, 0.0, 3.0)
    outputs = [text(one) for one in ("abca", "hhhh", "fgfg", "ab")]
    paid = ranker([problem] * 4, outputs)["ranking"]
    assert paid.argsort().equal(worth([problem] * 4, outputs).argsort())
