"""Functions written for TRL and verl, called as these call them; weighted sums; what is refused."""

import asyncio

import numpy as np
import pytest
import torch

from rlft.rewards import combine, each, exact, trl, verl
from rlft.rewards.adapt import adapted, named
from rlft.training.score import score
from rlft.types import Parts, Problem, Stateful, Text, UserError

nan = float("nan")
CHAT = [{"role": "user", "content": "2+2?"}]
ROWS = [
    Problem(index=0, input="1+1?", answer="2", columns={"question": "1+1?", "answer": "2", "level": 5}, task="sums"),
    Problem(index=1, input=CHAT, answer="4", columns={"question": CHAT, "answer": "4", "level": 7}, task="sums"),
]
TEXTS = [Text("it is 2", (10, 11)), Text("it is 5", (12,))]


def test_each():
    seen = []
    reward = each(lambda problem, output: seen.append((problem.index, output)) or (None if problem.index else 0.5))
    assert reward(ROWS, TEXTS).tolist() == pytest.approx([0.5, nan], nan_ok=True)
    assert seen == [(0, "it is 2"), (1, "it is 5")]


def test_trl_gets_everything_by_keyword():
    seen = {}

    def reward(prompts, completions, completion_ids, answer, trainer_state, log_extra, log_metric, **columns):
        seen.update(locals())
        return [None, 0.25]

    assert trl(reward)(ROWS, TEXTS).tolist() == pytest.approx([nan, 0.25], nan_ok=True)
    assert seen["prompts"] == ["1+1?", CHAT]
    assert seen["completions"] == ["it is 2", [{"role": "assistant", "content": "it is 5"}]]
    assert seen["completion_ids"] == [[10, 11], [12]]
    assert (seen["answer"], seen["columns"]) == (["2", "4"], {"question": ["1+1?", CHAT], "level": [5, 7]})
    assert seen["trainer_state"] is None


def test_trl_by_what_it_asks_for():
    # as in TRL's own documentation: no `prompts`, and without **kwargs
    assert trl(lambda completions, level: [float(x) for x in level])(ROWS, TEXTS).tolist() == [5, 7]
    # the answer is there even if the data call it otherwise, or not at all
    bare = [Problem(index=0, input="?", answer="x", columns={"gold": "x", "prompt": "?"})]
    rest = {"prompts", "completion_ids", "trainer_state", "log_extra", "log_metric", "gold"}
    reward = trl(lambda completions, answer, **others: [float(answer == ["x"] and set(others) == rest)])
    assert reward(bare, [Text("y")]).tolist() == [1]
    with pytest.raises(UserError, match="asks for 'solution', but the data has only answer, question, level"):
        trl(lambda completions, solution: [0.0, 0.0])(ROWS, TEXTS)
    with pytest.raises(UserError, match="for 2 completions"):
        trl(lambda completions: [0.0])(ROWS, TEXTS)


def test_trl_coroutines_also_inside_a_loop():
    async def reward(completions, level, **kwargs):
        await asyncio.sleep(0)
        return [x / 10 for x in level]

    async def within():
        return trl(reward)(ROWS, TEXTS)

    assert trl(reward)(ROWS, TEXTS).tolist() == asyncio.run(within()).tolist() == pytest.approx([0.5, 0.7])


def test_trl_logs_are_watched():
    def reward(completions, log_extra, log_metric, **kwargs):
        log_extra("size", [len(str(c)) for c in completions])
        log_extra("words", ["not", "numbers"])
        log_metric("level", 3.5)
        return [1.0, 2.0]

    result = trl(reward)(ROWS, TEXTS)
    assert isinstance(result, Parts)
    assert {name: part.tolist() for name, part in result.items()} == {"reward": [1, 2]}
    assert {name: part.tolist() for name, part in result.watch.items()} == {"size": [7, 45], "level": [3.5, 3.5]}


def test_verl_one_at_a_time():
    seen = []

    def compute_score(data_source, solution_str, ground_truth, extra_info=None):
        seen.append((data_source, solution_str, ground_truth, extra_info))
        return float(solution_str.endswith(ground_truth))

    assert verl(compute_score)(ROWS, TEXTS).tolist() == [1, 0]
    assert seen[0] == ("sums", "it is 2", "2", ROWS[0].columns)
    data = {"data_source": "gsm", "reward_model": {"ground_truth": "9"}, "extra_info": {"a": 1}}
    verl(compute_score)([Problem(index=0, input="?", columns=data)], [Text("9")])
    assert seen[2] == ("gsm", "9", "9", {"a": 1})
    verl(compute_score)([Problem(index=0, input="?", answer="8", columns=data)], [Text("9")])
    assert seen[3] == ("gsm", "9", "8", {"a": 1})


def test_verl_dicts_are_scored_by_score():
    def compute_score(data_source, solution_str, ground_truth):
        return {"score": 2.0, "acc": True} if ground_truth == "2" else {"score": None, "acc": False, "note": "late"}

    result = verl(compute_score)(ROWS, TEXTS)
    assert result["compute_score"].tolist() == pytest.approx([2, nan], nan_ok=True)
    assert {name: part.tolist() for name, part in result.watch.items()} == {"acc": [1, 0]}
    assert score(lambda p, o: result, ROWS, TEXTS).total.tolist() == pytest.approx([2, nan], nan_ok=True)
    with pytest.raises(UserError, match="without `score`"):
        verl(lambda data_source, solution_str, ground_truth: {"acc": 1})(ROWS, TEXTS)


def test_combine_weighs_and_names():
    def parts(problems, outputs):
        return {"a": torch.tensor([1.0, 2.0]), "b": [3.0, nan]}

    def logged(completions, log_metric):
        log_metric("m", 4)
        return [5.0, 6.0]

    reward = combine({"first": parts, "second": logged, "third": exact()}, {"first": 0.5, "second": -2.0})
    result = reward(ROWS, [Text("2"), Text("4")])
    expected = {"first/a": [0.5, 1], "first/b": [1.5, nan], "second/logged": [-10, -12], "third": [1, 1]}
    assert {name: part.tolist() for name, part in result.items()} == {
        name: pytest.approx(part, nan_ok=True) for name, part in expected.items()
    }
    assert result.watch["second/m"].tolist() == [4, 4]
    assert score(reward, ROWS, [Text("2"), Text("4")]).total.tolist() == [-7, -10]  # first/b abstains from the second


def test_rewards_that_abstain_from_each_others_rows():
    """TRL's sum is of what there is; only a row that nobody scored has no total."""

    def a(completions, level, **others):
        return [1.0 if x == 5 else None for x in level]

    def b(completions, level, **others):
        return np.array([0.5 if x == 7 else nan for x in level])

    three = [*ROWS, Problem(2, "?", columns={"level": 9})]
    found = score(combine({"a": a, "b": b}), three, [*TEXTS, Text("?")])
    assert found.total.tolist() == pytest.approx([1.0, 0.5, nan], nan_ok=True)
    assert found.parts["a"].tolist() == pytest.approx([1.0, nan, nan], nan_ok=True)
    # of single decisions alike: what a part cannot score stays out of the row, all of it
    parts = {"a": torch.tensor([[1.0, nan], [2.0, 3.0]]), "b": torch.tensor([[4.0, 5.0], [nan, nan]])}
    found = score(lambda p, o: parts, ROWS, TEXTS, decisions=2)
    assert (found.total.tolist(), found.at.tolist()) == ([9, 5], [[4, 5], [2, 3]])


def test_coroutines_of_several_rewards_and_rows_wait_together():
    waiting, most = [0], [0]

    async def met(value):
        waiting[0] += 1
        await asyncio.sleep(0.02)
        most[0] = max(most[0], waiting[0])
        return value

    async def trl_style(completions, **kwargs):
        return [await met(1.0)] * len(completions)

    async def verl_style(data_source, solution_str, ground_truth, extra_info):
        return await met(2.0)

    async def ours(problems, outputs):
        return [await met(3.0)] * len(problems)

    reward = combine({"t": trl_style, "v": verl_style, "o": ours})
    assert score(reward, ROWS, TEXTS).total.tolist() == [6, 6]
    assert most[0] == 1 + 2 + 1

    async def one(problem, output):
        return await met(None if problem.index else 4.0)

    assert each(one)(ROWS, TEXTS).tolist() == pytest.approx([4, nan], nan_ok=True)


def test_numbers_may_be_arrays():
    def trl_style(completions, log_extra, log_metric, **kwargs):
        log_extra("size", np.array([3, 4]))
        log_metric("right", np.bool_(True))
        return np.array([0.5, None])

    result = trl(trl_style)(ROWS, TEXTS)
    assert result["trl_style"].tolist() == pytest.approx([0.5, nan], nan_ok=True)
    assert (result.watch["size"].tolist(), result.watch["right"].tolist()) == ([3, 4], [1, 1])

    def verl_style(data_source, solution_str, ground_truth):
        return {"score": np.float32(0.25), "acc": np.int64(1), "overlap": torch.tensor(0.5), "pair": np.zeros(2)}

    result = verl(verl_style)(ROWS, TEXTS)
    assert result["verl_style"].tolist() == [0.25, 0.25]
    assert {name: values.tolist() for name, values in result.watch.items()} == {"acc": [1, 1], "overlap": [0.5, 0.5]}


def test_verl_columns_that_lie_flat():
    data = {"reward_model.ground_truth": "9", "extra_info.index": 3, "extra_info.split": "train", "prompt": "?"}
    seen = []
    verl(lambda solution_str, ground_truth, extra_info: seen.append((ground_truth, extra_info)))(
        [Problem(0, "?", columns=data)], [Text("9")]
    )
    assert seen == [("9", {"index": 3, "split": "train"})]


def test_special_tokens_are_read_where_asked_for():
    row = [Text("aha 7", (8, 9), raw="<think>aha</think> 7")]
    seen = []
    for special in (False, True):
        trl(lambda completions: [float(seen.append(completions[0]) is None)], special)(ROWS[:1], row)
        verl(lambda solution_str, ground_truth: float(seen.append(solution_str) is None), special)(ROWS[:1], row)
    assert seen == ["aha 7"] * 2 + ["<think>aha</think> 7"] * 2


def test_rewards_have_names_of_their_own():
    def f(problems, outputs): ...

    assert named([f, "math", f, trl(lambda completions: []), lambda problems, outputs: []]) == [
        "f",
        "math",
        "f-2",
        "<lambda>",
        "<lambda>-2",
    ]


def test_combine_of_one_is_that_one():
    alone, combined = exact()(ROWS, TEXTS), combine({"exact": exact()})
    assert torch.equal(score(combined, ROWS, TEXTS).total, alone)


def test_combine_remembers_what_its_parts_remember():
    class Counting:
        def __init__(self):
            self.calls = 0

        def __call__(self, problems, outputs):
            self.calls += 1
            return torch.full((len(problems),), float(self.calls))

        def state_dict(self):
            return {"calls": self.calls}

        def load_state_dict(self, state):
            self.calls = state["calls"]

    first, second = combine({"n": Counting(), "e": exact()}), combine({"n": Counting(), "e": exact()})
    assert isinstance(first, Stateful)
    first(ROWS, TEXTS), first(ROWS, TEXTS)
    second.load_state_dict(first.state_dict())
    assert second(ROWS, TEXTS)["n"].tolist() == [3, 3]


def test_combine_refuses():
    with pytest.raises(UserError, match="'lenght'; the rewards are length"):
        combine({"length": exact()}, {"lenght": 1.0})
    with pytest.raises(UserError, match="at least one"):
        combine({})


def test_kinds_are_recognised_by_parameters():
    def native(problems, outputs):
        return [0.5] * len(problems)

    class Native:
        def __call__(self, problems, outputs):
            return [0.5]

    assert adapted(native) is native
    assert isinstance(adapted(Native()), Native)
    assert adapted(lambda prompts, completions, **kwargs: [1.0, 2.0])(ROWS, TEXTS).tolist() == [1, 2]
    assert adapted(lambda data_source, solution_str, ground_truth, **kwargs: 3.0)(ROWS, TEXTS).tolist() == [3, 3]
    for other in (lambda text: 0.0, lambda problem, output: 0.0, max):
        with pytest.raises(UserError) as error:
            adapted(other)
        for signature in (
            "f(problems, outputs)",
            "f(prompts, completions",
            "f(data_source, solution_str, ground_truth",
        ):
            assert signature in str(error.value)
