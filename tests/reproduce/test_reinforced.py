"""RL against SFT read off results: pairs by hand, what makes two arms comparable, and the count."""

import pytest

from rlft.reproduce import reinforced, results
from rlft.reproduce.catalogue import system, systems
from rlft.reproduce.methods_compared import Compared
from rlft.reproduce.reinforced import count_line, counts, gaps, of_result, trained
from tests.reproduce.test_page import DOCS

# rows drawn, rows demonstrated, updates
SPENT = {
    "rl": (80.0, 0.0, 10.0),
    "sft": (0.0, 20.0, 10.0),
    "both": (60.0, 5.0, 10.0),
    "base": (0.0, 0.0, 0.0),
    "short": (0.0, 20.0, 5.0),
}


def result(*statements, metric="score", higher=True, spent=SPENT):
    arms = {
        arm: {
            "runs": {
                str(seed): {"cost/rows/drawn": drawn, "cost/rows/demonstrated": shown, "cost/updates": updates}
                for seed in range(2)
            }
        }
        for arm, (drawn, shown, updates) in spent.items()
    }
    return {"claim": {"metric": metric, "higher": higher}, "statements": list(statements), "arms": arms}


def statement(arm, over, difference, low, high, metric="score", least=0.0, most=None, outcome="holds"):
    its = {"text": f"{arm} over {over}", "metric": metric, "arm": arm, "over": over, "least": least, "most": most}
    return {**its, "mean": difference, "interval": [low, high], "outcome": outcome}


ONE = system("r1_aqa")


def test_what_an_arm_was_trained_by():
    found = result()
    assert [trained(found, arm) for arm in SPENT] == ["RL", "SFT", "SFT and RL", None, "SFT"]


@pytest.mark.parametrize(
    ("told", "difference", "ahead"),
    [
        (statement("rl", "sft", 0.25, 0.125, 0.5), 0.25, "RL"),
        (statement("sft", "rl", 0.25, 0.125, 0.5), -0.25, "SFT"),
        (statement("rl", "sft", 0.25, -0.125, 0.5), 0.25, "level"),
        (statement("rl", "sft", -4.0, -5.0, -3.0, metric="tokens", least=None, most=-1.0), -4.0, "RL"),
        (statement("rl", "sft", 0.25, 0.125, 0.5, metric="gap", least=-1.0, most=1.0), 0.25, ""),
    ],
)
def test_a_statement_by_hand(told, difference, ahead):
    (its,) = of_result(ONE, result(told))
    assert (its.arms, its.trained, its.difference, its.ahead) == (("rl", "sft"), "RL", difference, ahead)
    assert its.low < its.difference < its.high and its.outcome == "holds"


def test_of_the_claims_own_number_less_may_be_better():
    (its,) = of_result(ONE, result(statement("rl", "sft", 0.25, 0.125, 0.5), higher=False))
    assert its.ahead == "SFT"


@pytest.mark.parametrize(
    ("arm", "over"), [("rl", "both"), ("rl", "base"), ("sft", "short"), ("rl", "short"), ("rl", None)]
)
def test_what_is_not_compared(arm, over):
    """Both drew, one was not trained, both were shown, neither updates nor rows are as many, or one arm alone."""
    assert of_result(ONE, result(statement(arm, over, 0.25, 0.125, 0.5))) == []


def test_as_many_rows_are_one_budget_too():
    spent = {"rl": (80.0, 0.0, 40.0), "sft": (0.0, 80.0, 10.0)}
    assert len(of_result(ONE, result(statement("rl", "sft", 0.25, 0.125, 0.5), spent=spent))) == 1


def test_sft_in_front_of_rl_is_said():
    (its,) = of_result(ONE, result(statement("both", "sft", 0.25, 0.125, 0.5)))
    assert its.trained == "SFT and RL"


def test_a_pair_is_added_where_no_statement_compares_it():
    pair = Compared("r1_aqa", "score", True, "sft", "grpo", ("sft", "rl"), 0.5, 0.25, 0.75, 2)
    (its,) = of_result(ONE, result(), [pair])
    assert (its.arms, its.difference, its.low, its.high) == (("rl", "sft"), -0.5, -0.75, -0.25)
    assert its.ahead == "SFT" and not its.outcome
    told = statement("rl", "sft", 0.25, 0.125, 0.5)
    assert [one.outcome for one in of_result(ONE, result(told), [pair])] == ["holds"]


def test_the_count_grows_with_the_results():
    video = system("seed_bench_r1")
    first = of_result(ONE, result(statement("rl", "sft", 0.25, 0.125, 0.5), statement("rl", "sft", 0.0, -1.0, 1.0)))
    assert counts(first) == {"RL": 1, "SFT": 0, "level": 1, "unsaid": 0}
    assert count_line(first) == "2 comparisons in 1 systems: RL ahead in 1, SFT in 0, level in 1"
    assert "audio" not in gaps(first) and "video" in gaps(first)
    odd = statement("sft", "rl", 0.25, 0.125, 0.5, metric="gap", least=-1.0, most=1.0)
    more = [*first, *of_result(video, result(statement("sft", "rl", 0.25, 0.125, 0.5), odd))]
    assert count_line(more) == (
        "4 comparisons in 2 systems: RL ahead in 1, SFT in 1, level in 1; of 1 the number has no better end"
    )
    assert "video" not in gaps(more)


def test_the_page_agrees_with_the_results():
    page = reinforced.markdown()
    assert (DOCS / "taxonomy.md").read_text() == page, "run: make docs"
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    found = reinforced.collected()
    assert len(rows) == len(found) >= 16 and f"**{count_line(found)}.**" in page
    multimodal = {one.key for one in systems() if set(one.modality) & set(reinforced.MODALITIES)}
    assert {its.system.key for its in found} <= multimodal & {path.stem for path in results.FOLDER.glob("*.json")}
    assert {"vlm_r1", "r1_aqa", "cls_rl", "rex_thinker"} <= {its.system.key for its in found}
