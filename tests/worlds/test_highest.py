"""The careless teacher of pages, and what is kept of them in a summary."""

from rlft.environments.pages import Pages
from rlft.tasks.highest import Highest
from rlft.types import Message, Transcript
from rlft.worlds import highest


def test_the_teacher_reads_every_page_and_slips_seldom():
    """The pages answer what it says to them; a summary speaks of the one before it and of the pages since."""
    task, dialogue, slips, notes, early = Highest(2, 12), Pages(), 0, 0, 0
    for problem in map(task.at, range(600)):
        heard, known = [], ""
        pages = problem.columns["pages"]
        for message in highest.taught(problem).answer:
            role, content = message["role"], message["content"]
            if role == "user":
                assert [m.content for m in dialogue.respond([problem], [heard])[0]] == [content]
                known += "" if content == "?" else content
            elif content != "n;":
                notes, slips = (
                    notes + 2,
                    slips + sum(a != b for a, b in zip(content, highest.highest([known]), strict=False)),
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
    told = [("assistant", "n;"), ("user", first), ("window", "#"), ("summary", f"{highest.highest([first])};")]
    told += [("window", ">"), ("assistant", "n;"), ("user", second), ("window", "#")]
    right, wrong = highest.highest(pages[:2]), highest.highest(pages[:2])[::-1]
    outputs = [
        Transcript("", (), False, [Message(*m) for m in (*told, ("summary", f"{last};"))]) for last in (right, wrong)
    ]
    assert highest.kept([problem] * 2, outputs) == {"kept": 0.75}
    assert highest.kept([problem], [Transcript("")]) == {"kept": 0.0}
