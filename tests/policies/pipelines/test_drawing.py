"""Options of drawing: where a window stands, and what is refused."""

import pytest

from rlft.policies.pipelines.drawing import Drawing, Window, rule_named
from rlft.types import Problem, UserError

ASKED = [Problem(index, "a cat") for index in range(200)]


def test_without_a_size_a_window_is_all_but_the_last_step():
    assert Window().size(10) == 9 and Window().firsts(ASKED[:2], 0, 7, 10) == [0, 0]
    assert Window(window_first=4).size(10) == 5
    assert Window(window=2, window_first=4).firsts(ASKED[:1], 0, 7, 10) == [4]


def test_a_moving_window_goes_to_the_end_and_around():
    """Of 10 steps 9 may be decisions: 7 places from step 1 on for a window of 2, every second batch 3 further."""
    window = Window(window=2, window_at="moving", window_first=1, window_every=2, window_stride=3)
    assert [window.firsts(ASKED[:1], 0, batch, 10)[0] for batch in range(8)] == [1, 1, 4, 4, 7, 7, 3, 3]


def test_a_random_window_is_the_problem_s_own():
    window = Window(window=2, window_at="random")
    found = window.firsts(ASKED, 5, 0, 10)
    assert set(found) == set(range(8))
    assert window.firsts(ASKED[3:4], 5, 9, 10) == found[3:4]
    assert window.firsts(ASKED, 6, 0, 10) != found
    later = [Problem(problem.index, "a cat", visit=1) for problem in ASKED]
    assert window.firsts(later, 5, 0, 10) != found


@pytest.mark.parametrize("told", [{"window": 10}, {"window": 0}, {"window": 2, "window_first": 8}, {"window_every": 0}])
def test_a_window_lies_in_what_may_be_decided(told):
    with pytest.raises(UserError, match="does not lie in the 9 of 10 denoising steps"):
        Window(**told).size(10)


def test_rules_are_named():
    assert rule_named("flow_sde(0.7)").name == "flow_sde(0.7)"
    assert rule_named(" ddim( 1 ) ").name == "ddim(1.0)"
    assert rule_named("ddpm").name == "ddpm"
    for words in ("flow(0.7)", "flow_sde", "ddpm(1)", "cps(1.2.3)", "flow_sde(-1)"):
        with pytest.raises(UserError, match=r"noise|share"):
            rule_named(words)


def test_numbers_that_cannot_be_are_refused():
    for told in ({"denoising_steps": 1}, {"guidance": 0.5}, {"block": 0}):
        with pytest.raises(UserError, match=r"denoising steps|guidance|block"):
            Drawing(**told)
