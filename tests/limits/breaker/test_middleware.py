"""The breaker on the SDK's own clients."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from limits.conftest import Caller, Turned
from sash import Conversation, errors
from sash.claude.middleware import Breaker, BreakerPolicy, Limiter, Limits
from sash.simulator.faults import ConnectionLost, CutStream, Overloaded, PromptTooLong, RateLimited

MODEL = "claude-sonnet-5-5"


def breaker(timing: Turned) -> Breaker:
    """One that opens after two failures."""
    return Breaker(BreakerPolicy(least=2, pause=10), timing=timing)


@pytest.mark.parametrize("fault", [Overloaded(), ConnectionLost(), CutStream(events=2, how="error")])
def test_it_opens_fails_fast_and_comes_back(caller: Caller, fault: Any) -> None:
    """While it is open nothing is sent; the probe closes it."""
    timing = Turned()
    layer = breaker(timing)
    caller.sim.faults.fail_next(fault, times=2)
    ask = caller.stream if isinstance(fault, CutStream) else caller.ask
    for _ in range(2):
        with pytest.raises(anthropic.APIError):
            ask(layer)
    with pytest.raises(errors.BreakerOpen) as caught:
        ask(layer)
    assert (caught.value.retry_after, len(caller.sim.messages)) == (10.0, 2)
    timing.time = 10.0
    assert ask(layer)
    assert layer.circuit(MODEL).state == "closed"


@pytest.mark.parametrize("fault", [RateLimited(), PromptTooLong()])
def test_our_own_limits_and_mistakes_open_nothing(caller: Caller, fault: Any) -> None:
    """429 and 400 say nothing of the service."""
    layer = breaker(Turned())
    caller.sim.faults.fail_next(fault, times=5)
    for _ in range(5):
        with pytest.raises(anthropic.APIStatusError):
            caller.ask(layer)
    assert layer.circuit(MODEL).state == "closed"


def test_one_model_does_not_answer_for_another(caller: Caller) -> None:
    """Circuits are per model."""
    layer = breaker(Turned())
    caller.sim.faults.fail_next(Overloaded(), times=2)
    for _ in range(2):
        with pytest.raises(anthropic.APIError):
            caller.ask(layer)
    assert caller.ask(layer, model="claude-haiku-4-5")


def test_a_probe_that_our_own_limiter_holds_back_decides_nothing(caller: Caller) -> None:
    """The next attempt may probe instead."""
    timing = Turned()
    layer = breaker(timing)
    caller.sim.faults.fail_next(Overloaded(), times=2)
    for _ in range(2):
        with pytest.raises(anthropic.APIError):
            caller.ask(layer)
    timing.time = 11.0
    with pytest.raises(errors.LimitReached):
        caller.ask(layer, Limiter(Limits(requests=0), timing=timing))
    assert caller.ask(layer)


def test_a_conversation_fails_fast_with_its_turn_pending() -> None:
    """`breaker=` reaches the client; `retry()` sends the turn later."""
    timing = Turned()
    caller = Caller("sync", __import__("sash").simulator.Simulator())
    caller.sim.faults.fail_next(Overloaded(), times=2)
    with Conversation(client=caller.sim.client(max_retries=0), breaker=breaker(timing)) as chat:
        for _ in range(2):
            with pytest.raises(errors.Unavailable):
                chat.send("Hello")
        with pytest.raises(errors.BreakerOpen) as caught:
            chat.send("Hello")
        assert caught.value.state == "pending"
        timing.time = 60.0
        assert chat.retry().text
