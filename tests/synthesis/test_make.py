"""The steps from topics to data, with models that say what they are told to."""

from dataclasses import dataclass, field

import pytest

from rlft.errors import UserError
from rlft.synthesis import make
from rlft.synthesis.folder import card
from rlft.synthesis.make import Asked, Data, Made
from rlft.synthesis.near import Unseen
from rlft.synthesis.taxonomy import taxonomy

TREE = taxonomy({"sums": ["small", "large"]})
GOOD = '{"valid": true, "correct": true}'


@dataclass
class Said:
    """Replies by what a prompt holds; all prompts are kept."""

    replies: dict
    name: str = "said"
    asked: list = field(default_factory=list)

    def say(self, prompts, seed):
        self.asked += prompts
        return [next((r for words, r in self.replies.items() if words in prompt), None) for prompt in prompts]


def problem(text, answer="1", why="", topic=("sums", "small")):
    return Made(topic, text, answer, why=why)


def test_topics_below_the_leaves():
    writer = Said({"small (sums)": 'Here: ["digits", "Digits", "tens", "more"]', "large (sums)": "none"})
    grown = make.expanded(TREE, writer, 3, Asked())
    assert grown.leaves == (("sums", "small", "digits"), ("sums", "small", "tens"), ("sums", "large"))
    assert "List 3 different topics" in writer.asked[0]


def test_problems_of_each_topic():
    writer = Said({"small": '{"problem": " 1+1 ", "answer": 2}', "large": "I cannot."})
    found = make.written(TREE, writer, 2, Asked())
    assert [(one.problem, one.answer, one.why) for one in found] == [("1+1", "2", "")] * 2 + [("", "", "unread")] * 2
    assert "the 2. of 2" in writer.asked[1] and '{"problem"' in writer.asked[0]


def test_what_is_there_already():
    found = make.without_repeated(
        [problem("What is 1+1?"), problem("what is 1 + 1"), problem("x", why="unread"), problem("two and two")],
        Unseen(["Two and two."]),
    )
    assert [one.why for one in found] == ["", "repeated", "unread", "unseen"]


def test_each_validator_is_asked_apart_about_what_is_left():
    problems = [problem("a"), problem("b"), problem("c"), problem("d", why="repeated")]
    one = Said({"\na\n": GOOD, "\nb\n": GOOD, "\nc\n": '{"valid": false, "correct": true}'})
    other = Said({"\na\n": GOOD, "\nb\n": '{"valid": true, "correct": false}', "\nc\n": GOOD})
    found = make.validated(problems, [one, other], Asked())
    assert [p.why for p in found] == ["", "incorrect", "invalid", "repeated"]
    assert len(one.asked) == len(other.asked) == 3 and "Answer given:\n1" in one.asked[0]
    assert [p.why for p in make.validated(problems, [], Asked())] == ["", "", "", "repeated"]


def test_a_working_ends_with_the_answer():
    class Twice(Said):
        def say(self, prompts, seed):
            self.asked += prompts
            return ["so 7", "so 1", None, "so 2"]

    solver = Twice({})
    found = make.worked_out(
        [problem("a"), problem("x", why="invalid"), problem("b")], solver, 2, lambda a, t: t.endswith(a), " Go."
    )
    assert [(p.demonstration, p.why) for p in found] == [("so 1", ""), ("", "invalid"), ("", "unsolved")]
    assert solver.asked == ["a Go.", "a Go.", "b Go.", "b Go."]


def test_so_many_of_each_topic_and_a_card():
    other = ("sums", "large")
    problems = [problem("a"), problem("b"), problem("c", why="invalid"), problem("d"), problem("e", topic=other)]
    data = Data(TREE, make.balanced(problems, 2))
    assert [p.why for p in data.problems] == ["", "", "invalid", "above", ""]
    assert data.reasons() == {"invalid": 1, "above": 1} and [p.problem for p in data.kept] == ["a", "b", "e"]
    text = card(data, {"written by": "W"})
    assert "| small (sums) | 4 | 2 |" in text and "| large (sums) | 1 | 1 |" in text
    assert "3 of 5 were kept. Dropped: 1 invalid, 1 above." in text and "- written by: W" in text
    assert data.kept[0].row() == {"prompt": "a", "answer": "1", "subject": "sums", "topic": "small"}
    assert make.balanced(problems, None) == problems


def test_prompts_of_ones_own():
    assert Asked(write="About {topic}: {{}}").write.format(topic="x", number=1, count=1) == "About x: {}"
    for told in ({"check": "nothing to see"}, {"write": "{topic} {answer}"}):
        with pytest.raises(UserError, match="has the fields"):
            Asked(**told)
