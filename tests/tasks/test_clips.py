"""Clips: what is filmed, how noisy it is, and what a hint tells."""

import pytest

from rlft.options.task import load_task
from rlft.tasks.clips import Clips, hinted, noisier
from rlft.tasks.worked_sums import WorkedSums
from rlft.types import Text, UserError


def test_a_clear_clip_shows_every_number_three_times():
    clear, walks = Clips(noise=0.0, split="test"), WorkedSums(5, 8, 8, split="test")
    for index in range(20):
        problem, walk = clear.at(index), walks.at(index)
        assert problem.input == "".join(c * 3 for c in walk.input[:-1]) + "="
        assert problem.answer == walk.answer
        assert len(problem.input) == 25


def test_noise_is_the_problems_own():
    task, clear = Clips(noise=0.4, size=400), Clips(noise=0.0, size=400)
    rates, wrong = [], []
    for index in range(400):
        problem = task.at(index)
        shown = [(a, b) for a, b in zip(problem.input, clear.at(index).input, strict=True) if b not in ".="]
        assert problem.input.count(".") == clear.at(index).input.count(".")
        rates.append(problem.columns["noise"])
        wrong.append(sum(a != b for a, b in shown) / len(shown))
    assert 0 <= min(rates) < 0.01 and 0.39 < max(rates) <= 0.4
    # a noisy frame shows the right digit one time in five
    assert sum(wrong) / 400 == pytest.approx(0.8 * sum(rates) / 400, abs=0.02)
    noisy = [w for w, r in zip(wrong, rates, strict=True) if r > 0.3]
    calm = [w for w, r in zip(wrong, rates, strict=True) if r < 0.1]
    assert sum(noisy) / len(noisy) > 4 * sum(calm) / len(calm)


def test_more_noise_keeps_the_answer_and_the_dots():
    problem = Clips(noise=0.0).at(5)
    assert noisier(problem, 0.0) == problem
    noisy = noisier(problem, 0.5)
    assert noisy.input != problem.input and noisy.answer == problem.answer
    assert noisy.input.count(".") == problem.input.count(".")
    assert noisier(problem, 0.5) == noisy


def test_a_hint_is_the_beginning_of_the_walk_and_never_its_end():
    problem = Clips(5, 5).at(7)
    assert len(problem.answer) == 4
    for count in (-1, 0, 1, 3, 4, 9):
        told = hinted(problem, count)
        length = min(max(count, 0), 3)
        assert told.input == problem.input + problem.answer[:length]
        assert told.answer == problem.answer[length:]
        assert Clips().reward([told], [Text(told.answer)]).tolist() == [1]
    assert hinted(problem, 0) == problem


def test_splits_and_sizes():
    assert [Clips(split=split).size for split in ("train", "test")] == [5000, 625]
    assert Clips(size=40).size == 40
    assert Clips(size=40).at(39) == Clips().at(39)
    with pytest.raises(IndexError):
        Clips(size=40).at(40)
    with pytest.raises(UserError, match=r"from 0 to 1; got 1\.5"):
        Clips(noise=1.5)
    assert load_task("clips(noise=0.1)", split="test").name == "clips-5-8-0.1"
