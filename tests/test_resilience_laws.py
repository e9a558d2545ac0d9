"""Whatever goes wrong, in whatever order: a send ends in a reply or a typed error, and nothing is lost or overspent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation, MemoryStore, errors, simulator
from sash.claude.middleware import Breaker, BreakerPolicy, Ceiling, Limiter, Limits
from sash.limits.attempts import Signal
from sash.limits.ceilings.policy import Account
from sash.planning.rules import Problem
from sash.simulator.faults import (
    BillingError,
    ConnectionLost,
    CutStream,
    Fault,
    HttpError,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Refusal,
    ServerError,
    SpendLimitReached,
    Stopped,
    Timeout,
)

CEILING = 0.02
FAULTS: tuple[Fault, ...] = (
    Overloaded(),
    ServerError(),
    ServerError(status=504),
    RateLimited(retry_after=2.0),
    RateLimited(retry_after=4_000.0),
    SpendLimitReached(),
    PromptTooLong(),
    BillingError(),
    HttpError(status=401, message="invalid x-api-key"),
    HttpError(status=429, message="ramp", code="ramp_limit_exceeded", retry_after=1.0),
    HttpError(status=529, message="no", code="compaction_unavailable"),
    Timeout(),
    Timeout(billed=True),
    ConnectionLost(),
    ConnectionLost(billed=True),
    CutStream(events=1, how="lost"),
    CutStream(events=4, how="silent"),
    CutStream(events=5, how="error"),
    Refusal(),
    Refusal(partial="I would"),
    Stopped(reason="max_tokens"),
    Stopped(reason="pause_turn"),
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "stream", "leave", "retry", "regenerate", "wait"]),
        st.lists(st.sampled_from(FAULTS), max_size=4),
    ),
    min_size=1,
    max_size=8,
)


class Turned:
    """A clock that waiting turns, and the simulator's with it."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> float:
        return float(self._clock.now())

    def wait(self, _: Signal, seconds: float | None) -> None:
        assert seconds is not None, "nobody would ever wake it"
        self._clock.advance(seconds)

    async def wait_async(self, signal: Signal, seconds: float | None) -> None:
        self.wait(signal, seconds)


def layers(sim: Any) -> dict[str, Any]:
    """Everything switched on."""
    timing = Turned(sim.clock)
    return {
        "limits": Limiter(Limits(requests=600, input_tokens=60_000, output_tokens=6_000), timing=timing, max_wait=90),
        "breaker": Breaker(BreakerPolicy(least=4, pause=5), timing=timing),
        "ceilings": [Ceiling(dollars=CEILING, per="conversation", period="ever")],
        "retries": True,
        "meter": True,
        "max_tokens": 60,
        "clock": sim.clock.now,
    }


@pytest.fixture(autouse=True)
def _no_sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = asyncio.sleep
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr("anyio.sleep", lambda _: rest(0))


def do(chat: Conversation, deed: str, number: int) -> None:
    """One deed; raises what it raises."""
    if deed == "send":
        chat.send(f"Question {number}?")
    elif deed == "retry":
        chat.retry()
    elif deed == "regenerate":
        chat.regenerate()
    else:
        with chat.stream(f"Question {number}?") as stream:
            for seen, _ in enumerate(stream):
                if deed == "leave" and seen == 1:
                    break


def illegal(found: list[Problem]) -> list[Problem]:
    """What is wrong with a record; a reply cut off before its first word is left out of requests."""
    return [problem for problem in found if problem.rule != "empty-turn"]


def judge(sim: Any, store: MemoryStore, limiter: Limiter) -> None:
    """What must hold after everything."""
    account = Account(scope="conversation", key="a", period="ever", dollars=None, tokens=None)
    booked = store.spend.spent(account).dollars
    assert sim.cost <= booked + 1e-9 <= CEILING + 2e-9
    pool = limiter.book.pool("claude-sonnet-5-5")  # type: ignore[attr-defined]
    assert pool is None or not pool.holds, "every reservation is settled"


def walk(deeds: list[tuple[str, list[Fault]]]) -> None:
    """One life of a conversation."""
    sim, store = simulator.Simulator(), MemoryStore()
    given_layers = layers(sim)
    with Conversation(store, id="a", client=sim.client(max_retries=2), **given_layers) as chat:
        for number, (deed, faults) in enumerate(deeds):
            for fault in faults:
                sim.faults.fail_next(fault)
            if deed == "wait":
                sim.clock.advance(30)
                continue
            with contextlib.suppress(errors.SashError):
                do(chat, deed, number)
        sim.faults.calm()
        assert illegal(chat.check()) == []
        sim.clock.advance(600)
        with contextlib.suppress(errors.CeilingReached):
            assert chat.send("Are you still there?").stop_reason
    judge(sim, store, given_layers["limits"])
    store.close()


async def walk_async(deeds: list[tuple[str, list[Fault]]]) -> None:
    """The same through the asynchronous client."""
    sim, store = simulator.Simulator(), MemoryStore()
    given_layers = layers(sim)
    client = sim.async_client(max_retries=2)
    async with AsyncConversation(store, id="a", client=client, **given_layers) as chat:
        for number, (deed, faults) in enumerate(deeds):
            for fault in faults:
                sim.faults.fail_next(fault)
            with contextlib.suppress(errors.SashError):
                if deed in ("stream", "leave"):
                    async with chat.stream(f"Question {number}?") as stream:
                        async for _ in stream:
                            if deed == "leave":
                                break
                elif deed == "retry":
                    await chat.retry()
                elif deed != "wait":
                    await chat.send(f"Question {number}?")
        assert illegal(await chat.check()) == []
    await client.close()
    judge(sim, store, given_layers["limits"])
    store.close()


RELAXED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=150, **RELAXED)
@given(DEEDS)
def test_every_send_ends_and_nothing_is_overspent(deeds: Any) -> None:
    """A reply or a typed error; a legal record; spending below the ceiling; every reservation settled."""
    walk(deeds)


@settings(max_examples=50, **RELAXED)
@given(DEEDS)
def test_the_same_holds_for_the_asynchronous_client(deeds: Any) -> None:
    """Its middleware is the same code, its driver is not."""
    asyncio.run(walk_async(deeds))


@pytest.mark.nightly
@settings(max_examples=10_000, **RELAXED)
@given(DEEDS)
def test_ten_thousand_fault_sequences(deeds: Any) -> None:
    """The same, at length."""
    walk(deeds)


def test_a_key_that_is_revoked_in_the_middle() -> None:
    """The turn is pending, nothing stays reserved, and a new key goes on."""
    sim = simulator.Simulator(keys=["good"])
    store, given_layers = MemoryStore(), None
    given_layers = layers(sim)
    with Conversation(store, id="a", client=sim.client(api_key="good"), **given_layers) as chat:
        chat.send("Hello")
        sim._workspaces = {"new": sim.workspace}
        with pytest.raises(errors.AccessDenied) as caught:
            chat.send("Hello again")
        assert caught.value.state == "pending"
    with Conversation(store, id="a", client=sim.client(api_key="new"), **given_layers) as chat:
        assert chat.retry().text
    judge(sim, store, given_layers["limits"])
    store.close()
