"""Laws of the finite-sample bound."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.counting.bounds import CLUSTERED, ENOUGH, KEPT, MARGIN, Cell, merged, quantiles

residuals = st.lists(st.floats(-1, 1).map(lambda x: round(x, 5)), min_size=1, max_size=KEPT)


@given(residuals, st.floats(0.5, 0.999))
def test_the_quantile_leaves_few_residuals_above(values: list[float], coverage: float) -> None:
    """At most a share 1 - coverage of the residuals lies above their own quantile."""
    above = sum(value > Cell.of(values).quantile(coverage) for value in values)
    assert above <= max(0, len(values) - ceil((len(values) + 1) * coverage) + 1) * 1.0


@given(residuals)
def test_too_few_residuals_take_a_margin(values: list[float]) -> None:
    """Where the coverage asks for more residuals than were seen, the largest one is stretched."""
    assert Cell.of(values).quantile(0.9999) == pytest.approx(max(0.0, *values, 0.0) * MARGIN)


def test_small_cells_take_the_pooled_quantile() -> None:
    """A cell below the threshold is bounded by the pool's quantile and the stated margin."""
    pool, few = Cell.of([i / 1000 for i in range(ENOUGH * 2)]), Cell.of([0.0] * 5)
    found = quantiles({"pool": pool, "few": few}, 0.995)
    assert found["few"] == pytest.approx(merged([pool, few]).quantile(0.995) * MARGIN)
    assert found["pool"] == pytest.approx(pool.quantile(0.995) * CLUSTERED)


def test_only_the_largest_are_kept() -> None:
    """A large cell keeps its tail and answers high coverages as if it kept everything."""
    values = [i / 10_000 for i in range(10_000)]
    assert len(Cell.of(values).largest) == KEPT
    assert Cell.of(values).quantile(0.995) == values[ceil(10_001 * 0.995) - 1]
