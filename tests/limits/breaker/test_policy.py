"""The circuit: opens on a share of failures, lets one probe through, closes when that succeeds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.limits.breaker.policy import BreakerPolicy, Circuit, admit, told
from sash.limits.meter.alerts import Alerts, Hour, alarms

POLICY = BreakerPolicy(share=0.5, window=10, least=4, pause=5, longest=30)


def after(*outcomes: str) -> Circuit:
    """The circuit after attempts at time 0."""
    circuit = Circuit()
    for outcome in outcomes:
        circuit = told(POLICY, circuit, outcome, 0.0, admitted=0.0)  # type: ignore[arg-type]
    return circuit


def test_it_opens_at_its_share_and_not_before() -> None:
    """Half of at least four."""
    assert after("failed", "failed", "failed").state == "closed"
    assert after("ok", "ok", "ok", "failed", "failed").state == "closed"
    assert after("ok", "ok", "failed", "failed").state == "open"


def test_what_is_long_ago_does_not_count() -> None:
    """Failures leave the window."""
    circuit = told(POLICY, after("failed", "failed", "failed"), "failed", 11.0, admitted=11.0)
    assert circuit.state == "closed"


def test_open_fails_fast_and_says_when_it_is_tried_again() -> None:
    """Until the pause is over nothing passes; then one does, and no second."""
    circuit = after(*["failed"] * 4)
    assert admit(circuit, 2.0)[1] == 3.0
    probing, wait = admit(circuit, 5.0)
    assert (wait, probing.state) == (0.0, "half-open")
    assert admit(probing, 5.1)[1] > 0


def test_a_probe_decides() -> None:
    """Success closes; failure opens for twice as long; a neutral end lets the next one probe."""
    probing, _ = admit(after(*["failed"] * 4), 5.0)
    assert told(POLICY, probing, "ok", 6.0, admitted=5.0).state == "closed"
    assert told(POLICY, probing, "failed", 6.0, admitted=5.0).open_until == 16.0
    assert admit(told(POLICY, probing, "neutral", 6.0, admitted=5.0), 6.0)[1] == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), st.sampled_from(["ok", "failed", "neutral", "lost"])), max_size=60))
def test_it_always_comes_back(events: list[tuple[float, str]]) -> None:
    """Whatever happened, probes are let through after a bounded time, and a good one closes the circuit."""
    circuit, now = Circuit(), 0.0
    for pause, outcome in events:
        now += pause
        circuit, wait = admit(circuit, now)
        assert wait <= max(POLICY.longest, 1.0)
        if wait == 0 and outcome != "lost":
            circuit = told(POLICY, circuit, outcome, now, admitted=now)  # type: ignore[arg-type]
    now += 2_000
    circuit, wait = admit(circuit, now)
    assert wait == 0
    assert told(POLICY, circuit, "ok", now, admitted=now).state == "closed"


@pytest.mark.parametrize("bad", [{"share": 0}, {"window": float("nan")}, {"pause": 0}, {"least": 0}])
def test_a_policy_is_checked_when_made(bad: dict[str, float]) -> None:
    """Nonsense is refused with its name."""
    with pytest.raises(InvalidOption) as caught:
        BreakerPolicy(**bad)  # type: ignore[arg-type]
    assert caught.value.option in bad


def test_alarms_tell_spikes_and_errors() -> None:
    """Against a usual hour, and only where there is enough to judge by."""
    usual = [Hour(start=n * 3600.0, dollars=1.0, attempts=50) for n in range(5)]
    assert alarms(Alerts(), Hour(start=0, dollars=4.9, attempts=50, failures=9), usual) == []
    found = alarms(Alerts(), Hour(start=0, dollars=5.0, attempts=50, failures=10), usual)
    assert [kind for kind, _ in found] == ["spike", "errors"]
    assert alarms(Alerts(), Hour(start=0, dollars=9.0), []) == []
