import pytest

from rlft.models.rates import rate_at


def test_rises_straight_and_falls_as_half_a_cosine():
    # 0.4 · 1/4 · (1 + cos 0)/2, then at a quarter, half and three quarters of twelve steps.
    assert [rate_at(0.4, step, 12, warmup=4) for step in (0, 3, 6, 9)] == pytest.approx(
        [0.1, 0.2 * (1 + 0.5**0.5), 0.2, 0.2 * (1 - 0.5**0.5)]
    )
    assert rate_at(0.4, 0, 12, warmup=0) == 0.4
