"""Retries within reason, around the SDK's own."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from limits.conftest import Caller
from sash import Conversation, errors, simulator
from sash.claude.middleware import Retries, RetryPolicy
from sash.simulator.faults import ConnectionLost, Overloaded, RateLimited, SpendLimitReached


def test_a_passing_fault_is_retried(caller: Caller) -> None:
    """What the next attempt mends is mended."""
    caller.sim.faults.fail_next(Overloaded(), times=2)
    caller.ask(Retries(), retries=2)
    assert [attempt.status for attempt in caller.sim.messages] == [529, 529, 200]


@pytest.mark.parametrize("fault", [SpendLimitReached(), RateLimited(retry_after=3600.0)])
def test_what_waiting_does_not_mend_is_not_retried(caller: Caller, fault: Any) -> None:
    """A spend cap and a wait of an hour end the call at once."""
    caller.sim.faults.fail_next(fault, times=3)
    with pytest.raises(anthropic.RateLimitError):
        caller.ask(Retries(), retries=2)
    assert len(caller.sim.messages) == 1


def test_retries_never_pass_their_share_of_traffic(caller: Caller) -> None:
    """In a storm that never ends, retries stay within floor + share of the first attempts."""
    retries = Retries(RetryPolicy(share=0.1, floor=2))
    caller.sim.faults.storm(1.0, (Overloaded(), ConnectionLost()))
    for _ in range(30):
        with pytest.raises((anthropic.APIError, errors.Unavailable)):
            caller.ask(retries, retries=2)
    assert len(caller.sim.messages) - 30 <= 2 + 0.1 * 30


def test_other_endpoints_pass_untouched(caller: Caller) -> None:
    """Counting tokens is no message."""
    retries = Retries()
    with caller.sim.client(middleware=[retries]) as client:
        client.messages.count_tokens(model="claude-sonnet-5-5", messages=[{"role": "user", "content": "Hello"}])
    assert retries._budget.left == retries.policy.floor


def test_a_conversation_takes_it_as_an_argument() -> None:
    """`retries=` reaches the client, whoever made it; the turn stays pending."""
    sim = simulator.Simulator()
    sim.faults.fail_next(SpendLimitReached())
    with Conversation(client=sim.client(), retries=RetryPolicy(longest=5)) as chat:
        with pytest.raises(errors.RemoteError) as caught:
            chat.send("Hello")
        assert (len(sim.messages), caught.value.state) == (1, "pending")
        assert chat.retry().text


@pytest.mark.parametrize("bad", [{"longest": -1}, {"longest": float("nan")}, {"share": 2}, {"floor": -1}])
def test_a_policy_is_checked_when_made(bad: dict[str, float]) -> None:
    """Nonsense is refused with its name."""
    with pytest.raises(errors.InvalidOption) as caught:
        RetryPolicy(**bad)  # type: ignore[arg-type]
    assert caught.value.option in bad


def test_an_argument_that_is_no_policy_is_refused() -> None:
    """Before anything is opened."""
    with pytest.raises(errors.InvalidOption):
        Conversation(retries=3)  # type: ignore[arg-type]
