"""The highest of many entries: what is right, splits that share no problem; and the careless teacher of the recipe."""

import pytest

from rlft.environments.pages import Pages
from rlft.recipes import supo
from rlft.tasks.highest import DIGITS, LETTERS, Highest
from rlft.types import Message, Task, Transcript, UserError


def test_the_answer_stands_on_one_page_and_earns_one():
    task = Highest(2, 5, each=3)
    assert isinstance(task, Task)
    places, lengths = set(), set()
    for problem in map(task.at, range(300)):
        pages = problem.columns["pages"]
        lengths.add(len(pages))
        for kind, best in zip((DIGITS, LETTERS), problem.answer, strict=True):
            assert all(sum(entry in kind for entry in page) == 3 for page in pages)
            assert best == max(entry for page in pages for entry in page if entry in kind)
            here = [number for number, page in enumerate(pages) for entry in page if entry == best]
            assert len(here) == 1
            places.add((len(pages), here[0]))
        assert task.reward([problem] * 3, [problem.answer, problem.answer[:1], ""]).tolist() == [1.0, 0.0, 0.0]
    assert lengths == {2, 3, 4, 5} and len(places) == 2 + 3 + 4 + 5
    assert task.at(5) == Highest(2, 5, each=3).at(5)
    assert len({task.at(i).answer for i in range(300)}) > 60


def test_splits_share_no_problem():
    train, test = (
        {tuple(Highest(1, 1, 1, split=s).at(i).columns["pages"]) for i in range(400)} for s in ("train", "test")
    )
    assert not train & test and min(len(train), len(test)) > 40


def test_what_cannot_be_is_refused():
    for settings in ({"split": "dev"}, {"shortest": 0}, {"shortest": 5, "longest": 4}, {"each": 0}):
        with pytest.raises(UserError, match=r"splits train, test|shortest <= longest"):
            Highest(**settings)


def test_the_teacher_reads_every_page_and_slips_seldom():
    """The pages answer what it says to them; a summary speaks of the one before it and of the pages since."""
    task, dialogue, slips, notes, early = Highest(2, 12), Pages(), 0, 0, 0
    for problem in map(task.at, range(600)):
        heard, known = [], ""
        pages = problem.columns["pages"]
        for message in supo.taught(problem).answer:
            role, content = message["role"], message["content"]
            if role == "user":
                assert [m.content for m in dialogue.respond([problem], [heard])[0]] == [content]
                known += "" if content == "?" else content
            elif content != "n;":
                notes, slips = (
                    notes + 2,
                    slips + sum(a != b for a, b in zip(content, supo.highest([known]), strict=False)),
                )
                known = content[:-1]
            if role != "summary":
                heard.append(Message(role, content))
        assert not dialogue.respond([problem], [heard])[0]
        early += sum(m.role == "user" for m in heard) <= len(pages)
    # a slip is another value in nine cases of ten; of 4000 a share of 0.09 has a deviation of 0.0045
    assert notes > 3000 and abs(slips / notes - 0.09) < 0.02
    assert abs(early / 600 - 1 / 8) < 0.06


def test_kept_looks_at_all_pages_before():
    problem = Highest(3, 3).at(0)
    first, second, _ = pages = problem.columns["pages"]
    told = [("assistant", "n;"), ("user", first), ("window", "#"), ("summary", f"{supo.highest([first])};")]
    told += [("window", ">"), ("assistant", "n;"), ("user", second), ("window", "#")]
    right, wrong = supo.highest(pages[:2]), supo.highest(pages[:2])[::-1]
    outputs = [
        Transcript("", (), False, [Message(*m) for m in (*told, ("summary", f"{last};"))]) for last in (right, wrong)
    ]
    assert supo.kept([problem] * 2, outputs) == {"kept": 0.75}
    assert supo.kept([problem], [Transcript("")]) == {"kept": 0.0}
