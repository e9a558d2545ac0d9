"""The benchmark of resilience: every client through the same traffic, in virtual time."""

from __future__ import annotations

import pytest
from benchmarks import resilience


@pytest.mark.parametrize("client", sorted(resilience.CLIENTS))
def test_every_client_gets_through_a_little_traffic(client: str) -> None:
    """Each has its row, and nobody answers more than was offered."""
    row = resilience.run(client, resilience.steady(120, 1.2), 120, resilience.HOUR, patience=60)
    assert row["offered"] > 0 and 0 < row["answered"] <= row["offered"]
    assert {"client", "offered", "answered", "seen_429", "utilisation", "mean_wait_s", "wasted_attempts"} <= set(row)


@pytest.mark.nightly
def test_an_hour_at_one_and_a_half_times_the_limit() -> None:
    """At most 1 request in 1,000 meets a 429, at least 97% is used, everybody is answered in the end."""
    row = resilience.run("sash", resilience.steady(3_600, 1.5), 3_600, resilience.HOUR, patience=None)
    assert row["seen_429"] <= row["offered"] / 1_000
    assert row["utilisation"] >= 0.97
    assert row["answered"] == row["offered"]
