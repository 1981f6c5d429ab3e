"""Orders as they are read, places as they are paid, what a judge is asked, and whose reply cannot be used."""

import json
import math

import pytest
import torch

from rlft.rewards.judging.ranking import Order, demonstrated, groups, numbered, placed, ranking
from rlft.types import Problem, UserError
from tests.rewards.judging.stand_in import StandIn


@pytest.mark.parametrize(
    ("reply", "places"),
    [
        ("Ranking: 2 > 3 > 1", [0, 1, 0.5]),
        ("so\n**Ranking:** [1] > [2] > [3].", [1, 0.5, 0]),
        ("Ranking: 1 > 2 > 3\nno, wait. ranking: 3 > 2 = 1", [0.25, 0.25, 1]),
        ("<think>Ranking: 1 > 2 > 3</think>Ranking: 3>1>2", [0.5, 0, 1]),
        ("Ranking: 1 = 2 = 3", [0.5, 0.5, 0.5]),
        ("<think>Ranking: 1 > 2 > 3", None),
        ("Ranking: 1 > 2", None),
        ("Ranking: 1 > 2 > 2", None),
        ("Ranking: 1 > 2 > 3 > 3", None),
        ("Ranking: 1 > 2 > 4", None),
        ("The best is 2.", None),
    ],
)
def test_an_order_is_read_or_it_is_none(reply, places):
    assert Order().places(reply, 3) == places
    # that there is an order is read without knowing of how many
    assert Order().of(reply) == (
        None if reply.startswith(("<think>Ranking: 1 > 2 > 3", "The")) and places is None else 1
    )


def test_places():
    scores = torch.tensor([[5.0, 1.0, 3.0], [2.0, 2.0, 0.0]])
    assert placed(scores).tolist() == [[1, 0, 0.5], [0.75, 0.75, 0]]
    assert math.isnan(placed(torch.tensor([[4.0]])).item())


def test_rows_of_a_problem_stand_together():
    one, two, again = Problem(0, "q"), Problem(1, "q"), Problem(0, "q", visit=1)
    assert groups([one, one, two, again, again]) == [[0, 1], [2], [3, 4]]
    assert groups([]) == []


def test_a_demonstration_says_how_its_answers_rank():
    told = {"prompt": "q", "answers": ["best", "middle", "worst"]}
    text = demonstrated(told)
    shown = [text[text.index(f"[{n}]\n") + 4 :].split("\n")[0] for n in (1, 2, 3)]
    order = [int(name) for name in text.rpartition("Ranking: ")[2].split(" > ")]
    assert [shown[name - 1] for name in order] == told["answers"]
    assert text.startswith("Question: q\n\n") and text.endswith("\n\n")
    # not always the first is best
    texts = [demonstrated({"prompt": "q", "answers": [f"a{n}", f"b{n}"]}) for n in range(20)]
    assert {text.rpartition("Ranking: ")[2].strip() for text in texts} == {"1 > 2", "2 > 1"}


def by_length(text, _):
    """The longer answer the better; of the last question that is asked."""
    asked = text.rpartition("Question: ")[2].partition("\n\nEnd with")[0]
    answers = [part.partition("]\n")[2] for part in asked.split("\n\n")[1:]]
    order = sorted(range(len(answers)), key=lambda place: -len(answers[place]))
    return "Ranking: " + " > ".join(str(place + 1) for place in order)


@pytest.fixture
def stand_in():
    server = StandIn(by_length)
    yield server
    server.stop()


def rows(*counts, columns=None):
    return [Problem(n, f"say {n}", columns=columns or {}) for n, count in enumerate(counts) for _ in range(count)]


def test_one_request_for_each_group(stand_in, tmp_path):
    (tmp_path / "static.jsonl").write_text(json.dumps({"prompt": "how?", "answers": ["so", "no"]}) + "\n\n")
    reward = ranking(url=stand_in.url, model="m", demonstrations=str(tmp_path / "static.jsonl"))
    shown = {"demonstrations": [{"prompt": "why?", "answers": ["for this", "never"]}]}
    told = reward(rows(3, 2, 1, columns=shown), ["aa", "a", "aaaa", "b", "bb", "alone"])
    assert told["ranking"].nan_to_num(-1).tolist() == [0.5, 0, 1, 0, 1, -1]
    assert told.watch["requests"].tolist() == [1, 0, 0, 1, 0, 0]
    assert told.watch["unranked"].tolist() == [0, 0, 0, 0, 0, 1]
    assert len(stand_in.bodies) == 2
    texts = sorted(body["messages"][0]["content"] for body, *_ in stand_in.bodies)
    for text, answers in zip(texts, (["aa", "a", "aaaa"], ["b", "bb"]), strict=True):
        assert numbered(answers) in text
        places = [text.index(word) for word in ("how?", "why?", "Question: say")]
        assert places == sorted(places)
    # the same rows again are not asked again; with other demonstrations they are
    reward(rows(3, columns=shown), ["aa", "a", "aaaa"])
    assert len(stand_in.bodies) == 2
    reward(rows(3), ["aa", "a", "aaaa"])
    assert len(stand_in.bodies) == 3


def test_a_group_without_an_order_is_not_scored():
    server = StandIn(lambda text, _: ("Ranking: 1 > 2", "length") if "cut" in text else "I would rather not.")
    reward = ranking(url=server.url, model="m")
    told = reward(rows(2, 2), ["x", "y", "cut", "z"])
    assert told["ranking"].isnan().all() and told.watch["unranked"].tolist() == [1] * 4
    # a reply that is cut off is none, though it reads well
    assert told.watch["unread"].sum() == 2
    server.stop()


def test_what_the_server_refuses_is_not_scored_and_the_rest_is(stand_in):
    reward = ranking(url=stand_in.url, model="m", prompt="Question: {prompt}\n\n{responses}")
    first = reward(rows(2), ["a", "bb"])
    stand_in.refuses.add(f"Question: say 1\n\n{numbered(['c', 'dd'])}")
    told = reward(rows(2, 2), ["a", "bb", "c", "dd"])
    assert first["ranking"].tolist() == [0, 1]
    assert told["ranking"].nan_to_num(-1).tolist() == [0, 1, -1, -1] and told.watch["refused"].tolist() == [0, 0, 1, 0]
    state = reward.state_dict()
    assert state["totals"]["refused"] == 1
    again = ranking(url=stand_in.url, model="m", prompt="Question: {prompt}\n\n{responses}")
    again.load_state_dict(state)
    assert again.state_dict() == state


def test_rows_that_all_stand_alone_ask_nobody(stand_in):
    told = ranking(url=stand_in.url, model="m")(rows(1, 1), ["a", "b"])
    assert told["ranking"].isnan().all() and not stand_in.bodies


def test_what_is_refused(tmp_path):
    url = "http://127.0.0.1:1/v1"
    with pytest.raises(UserError, match=r"no \{responses\} in it"):
        ranking(url=url, model="m", prompt="Rank {completion}")
    with pytest.raises(UserError, match="no file of JSON lines"):
        ranking(url=url, model="m", demonstrations=str(tmp_path / "none.jsonl"))
    (tmp_path / "few.jsonl").write_text('{"prompt": "q", "answers": ["one"]}\n')
    with pytest.raises(UserError, match="demonstration 1 needs `prompt` and `answers`"):
        ranking(url=url, model="m", demonstrations=str(tmp_path / "few.jsonl"))
