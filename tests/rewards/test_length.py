"""Rewards of length: points of each curve worked out by hand."""

import pytest
import torch

from rlft.rewards import adactrl, cosine, cosine_open_rs, length, overlong
from rlft.types import Problem, Text, UserError

nan = float("nan")


def scores(reward, lengths, answers=None):
    """The rewards of completions of so many tokens."""
    problems = [Problem(index=i, input="?", answer=a) for i, a in enumerate(answers or [None] * len(lengths))]
    return list(map(float, reward(problems, [Text("xy" * n, range(n)) for n in lengths])))


def test_target():
    assert scores(length(target=40, unit="tokens"), [0, 10, 40, 50, 80, 100]) == pytest.approx([0, 0.25, 1, 0.75, 0, 0])
    assert scores(length(target=40, unit="tokens", clamp=None), [100]) == pytest.approx([-0.5])
    assert scores(length(target=40, unit="tokens", clamp=(0.3, 0.8)), [0, 40]) == pytest.approx([0.3, 0.8])


def test_units_differ():
    problem, text = [Problem(index=0, input="?")], [Text("four words, three tokens", (7, 8, 9))]
    found = {unit: float(length(target=24, unit=unit)(problem, text)[0]) for unit in ("tokens", "characters", "words")}
    assert found == pytest.approx({"tokens": 3 / 24, "characters": 1, "words": 4 / 24})


def test_overlong_is_equation_13():
    # limit 100, cache 20: free to 80, then linear to -1 at 100
    lengths = [0, 80, 81, 90, 100, 101, 500]
    assert scores(overlong(limit=100, cache=20), lengths) == pytest.approx([0, 0, -0.05, -0.5, -1, -1, -1])
    assert scores(overlong(limit=100, cache=100), [25, 100]) == pytest.approx([-0.25, -1])  # every token alike


def judged(problems, outputs):
    return torch.tensor([problem.answer for problem in problems])


def test_cosine():
    # right: 1 -> .75 -> .5; wrong: -1 -> -.75 -> -.5; the ends stay beyond the limit
    lengths, verdicts = [0, 5, 10, 20] * 2 + [3], [1.0] * 4 + [0.0] * 4 + [nan]
    expected = [1, 0.75, 0.5, 0.5, -1, -0.75, -0.5, -0.5, nan]
    assert scores(cosine(limit=10, unit="tokens", correct=judged), lengths, verdicts) == pytest.approx(
        expected, nan_ok=True
    )
    other = cosine(limit=10, unit="tokens", right=(2.0, 4.0), wrong=(-8.0, -1.0), correct=judged)
    assert scores(other, [0, 5, 10] * 2, [1.0] * 3 + [0.0] * 3) == pytest.approx([4, 3, 2, -8, -4.5, -1])


def test_cosine_open_rs_comes_back():
    # the same limit in characters, of which a token here has two; unclamped, so 2 limit is as good as nothing
    lengths, verdicts = [0, 5, 10] * 2 + [3], [1.0] * 3 + [0.0] * 3 + [nan]
    expected = [1, 0.5, 1, -1, -0.5, -1, 1]
    assert scores(cosine_open_rs(limit=10, correct=judged), lengths, verdicts) == pytest.approx(expected)


def test_cosine_judges_with_math():
    reward = cosine(limit=10, unit="characters")
    problems = [Problem(index=0, input="?", answer="#### 7"), Problem(index=1, input="?", answer="#### 8")]
    assert list(reward(problems, [Text("it is 7"), Text("7")])) == pytest.approx(
        [0.75 + 0.25 * -0.5877852523, -0.75 - 0.25 * 0.9510565163]
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: length(target=0, unit="tokens"), "positive"),
        (lambda: length(target=5, unit="bytes"), "'tokens', 'characters', 'words'"),
        (lambda: overlong(limit=10, cache=11), "cannot be longer"),
        (lambda: length(target=5, unit="tokens")([Problem(index=0, input="?")], ["text"]), "does not know its tokens"),
    ],
)
def test_errors(make, message):
    with pytest.raises(UserError, match=message):
        make()


def group_of(texts, index=0):
    """A group's problems, and its completions: words are tokens."""
    return [Problem(index=index, input="?")] * len(texts), [Text(t, range(len(t.split()))) for t in texts]


def begins_right(problems, outputs):
    return torch.tensor([nan if "?" in o else float("right" in o) for o in outputs])


def parts_of(texts, **settings):
    problems, outputs = group_of(texts)
    found = adactrl(unit="tokens", correct=begins_right, **settings)(problems, outputs)
    return {name: [round(float(v), 6) for v in part] for name, part in found.items()}


def test_adactrl_of_an_easy_group():
    # three of four right; L = 8: 2 tokens (1 + cos π/4)/2, 4 tokens 1/2, 8 tokens 0
    found = parts_of(["[Easy] right", "[Hard] right", "[Easy] right so so", "[Easy] " + "wrong " * 7])
    assert found["correct"] == [1, 1, 1, 0]
    assert found["tag"] == [0.5, 0, 0.5, 0.5]
    assert found["short"] == [round(0.5 * (1 + 0.5**0.5) / 2, 6), 0, 0.25, 0]


def test_adactrl_of_a_hard_group():
    """Exactly at the threshold it is hard; no tag costs; a right answer is paid as short with the wrong tag."""
    found = parts_of(["[Easy] right"] * 5 + ["wrong", "[Hard] wrong", " [Hard] " + "wrong " * 3])
    assert found["tag"] == [0] * 5 + [-0.5, 0.5, 0.5]
    assert found["short"][:5] == [0.25] * 5 and found["short"][5:] == [0, 0, 0]
    easier = parts_of(["[Easy] right"] * 6 + ["wrong", "[Hard] wrong"])
    assert easier["tag"] == [0.5] * 6 + [-0.5, 0]


def test_adactrl_settings_and_what_cannot_be_judged():
    texts = ["<s> right a", "<l> wrong", "<s> ?"]
    found = parts_of(texts, easy="<s>", hard="<l>", at_least=0.4, tag=2.0, short=3.0)
    assert found["tag"][:2] == [2, 0] and found["short"][:2] == [0, 0]
    assert all(part[2] != part[2] for part in found.values())
    strict = parts_of(texts, easy="<s>", hard="<l>", at_least=0.5, tag=2.0, short=3.0)
    assert strict["tag"][:2] == [0, 2]


def test_adactrl_knows_its_groups():
    one, two = (
        group_of(["[Easy] right", "[Easy] right x x"]),
        group_of(["[Hard] wrong " + "x " * 14, "[Easy] right"], 1),
    )
    reward = adactrl(unit="tokens", correct=begins_right)
    together = reward(one[0] + two[0], one[1] + two[1])
    apart = [reward(*one), reward(*two)]
    for name, part in together.items():
        assert part.tolist() == [*apart[0][name].tolist(), *apart[1][name].tolist()]
    assert float(together["short"][3]) > float(together["short"][0])  # the same completion beside a longer one
