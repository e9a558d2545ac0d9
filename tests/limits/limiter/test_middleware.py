"""The limiter on the SDK's own clients, in virtual time and over the simulator's limits."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from typing import Any

import anthropic
import pytest
from benchmarks import virtual

from limits.conftest import ASK, Caller, Turned
from sash import Conversation, errors, simulator
from sash.claude.middleware import Limiter, Limits
from sash.limits.context import forecasting
from sash.model.forecast import Forecast
from sash.simulator.faults import ConnectionLost, CutStream, Overloaded, RateLimited
from sash.simulator.limits import Limits as ServerLimits

POOL = "claude-sonnet-5-5"


def levels(limiter: Limiter) -> tuple[float, ...]:
    """The buckets of the one pool."""
    pool = limiter.book.pool(POOL)  # type: ignore[attr-defined]
    assert pool is not None and not pool.holds, "every reservation was settled"
    return tuple(pool.levels)


def test_an_attempt_waits_for_its_turn(caller: Caller) -> None:
    """At two requests a minute the third waits half a minute, and none is refused."""
    timing = Turned()
    limiter = Limiter(Limits(requests=2, burst=1), timing=timing)
    for _ in range(3):
        caller.ask(limiter)
    assert timing.time == pytest.approx(30.0)


def test_what_was_reserved_is_settled_with_usage(caller: Caller) -> None:
    """After a reply the buckets lack exactly what it used."""
    limiter = Limiter(Limits(requests=100, input_tokens=10_000, output_tokens=10_000, burst=1), timing=Turned())
    caller.ask(limiter)
    used = caller.sim.messages[-1].usage
    assert levels(limiter) == (99.0, 10_000.0 - used.prompt, 10_000.0 - used.output)


def test_a_stream_settles_when_it_ends(caller: Caller) -> None:
    """Read to its end, it is settled as any other reply."""
    limiter = Limiter(Limits(requests=100, input_tokens=10_000, output_tokens=10_000, burst=1), timing=Turned())
    caller.stream(limiter)
    used = caller.sim.messages[-1].usage
    assert levels(limiter) == (99.0, 10_000.0 - used.prompt, 10_000.0 - used.output)


@pytest.mark.parametrize("events", [1, 3])
def test_a_stream_settles_when_it_is_left(caller: Caller, events: int) -> None:
    """Its input is known; of its output no less than was reserved is believed."""
    limiter = Limiter(Limits(requests=100, input_tokens=10_000, output_tokens=10_000, burst=1), timing=Turned())
    caller.stream(limiter, events=events)
    used = caller.sim.messages[-1].usage
    assert levels(limiter) == (99.0, 10_000.0 - used.prompt, 10_000.0 - ASK["max_tokens"])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("fault", "requests"), [(Overloaded(), 1), (RateLimited(retry_after=1), 0), (ConnectionLost(), 1)]
)
def test_a_failure_is_settled(caller: Caller, fault: Any, requests: int) -> None:
    """Refused tokens come back; what was lost on the way may have been worked on."""
    limiter = Limiter(Limits(requests=600, input_tokens=10_000, burst=1), timing=Turned())
    caller.sim.faults.fail_next(fault)
    with pytest.raises(anthropic.APIError):
        caller.ask(limiter)
    left = levels(limiter)
    if isinstance(fault, RateLimited):
        assert left[0] == pytest.approx(-600 / 60 + 1)
    else:
        assert left[0] == 600 - requests
        assert (left[1] < 10_000) == isinstance(fault, ConnectionLost)


def test_a_stream_that_breaks_is_settled(caller: Caller) -> None:
    """However it ends."""
    limiter = Limiter(Limits(requests=100, concurrency=1, burst=1), timing=Turned())
    for how in ("silent", "error", "lost"):
        caller.sim.faults.fail_next(CutStream(events=2, how=how))
        with pytest.raises((anthropic.APIError, Exception)) if how != "silent" else _nothing():
            caller.stream(limiter)
        levels(limiter)


class _nothing:  # noqa: N801 - a context
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def test_a_limit_of_zero_is_an_error_at_once(caller: Caller) -> None:
    """Nothing is sent and nobody waits."""
    with pytest.raises(errors.LimitReached) as caught:
        caller.ask(Limiter(Limits(input_tokens=0), timing=Turned()))
    assert (caught.value.limit, caught.value.retry_after, caller.sim.messages) == ("input_tokens", None, [])


def test_what_is_too_large_for_ever_is_an_error(caller: Caller) -> None:
    """A plan that needs more than a minute's worth is told so; a guess alone is no ground."""
    large = Forecast(countable=9_000, prompt=9_000, output=10, request=1)
    with forecasting(large), pytest.raises(errors.LimitReached):
        caller.ask(Limiter(Limits(input_tokens=5_000), timing=Turned()))
    assert caller.ask(Limiter(Limits(input_tokens=5_000), timing=Turned()), system="word " * 30_000)


def test_patience_ends_the_wait_before_it_begins(caller: Caller) -> None:
    """Who cannot pass in time is told the time it would take, at once."""
    timing = Turned()
    limiter = Limiter(Limits(requests=1, burst=1), timing=timing, max_wait=10)
    caller.ask(limiter)
    with pytest.raises(errors.LimitReached) as caught:
        caller.ask(limiter)
    assert (timing.time, caught.value.retry_after) == (0.0, pytest.approx(60.0))


def test_limits_are_learned_from_headers() -> None:
    """Without limits of its own, a limiter keeps to those that the server names."""
    sim = simulator.Simulator(limits=ServerLimits(requests=60, input_tokens=50_000, output_tokens=9_000))
    limiter = Limiter(timing=Turned())
    Caller("sync", sim).ask(limiter)
    assert limiter.book.pool(POOL).limits == (60, 50_000, 9_000)  # type: ignore[attr-defined]


def test_a_conversation_waits_by_its_plan() -> None:
    """`limits=` works with the planner's estimate, and raises LimitReached with the turn pending."""
    limiter = Limiter(Limits(requests=1, burst=1), timing=Turned())
    with Conversation(client="simulator", limits=limiter, max_wait=5) as chat:
        chat.send("Hello")
        with pytest.raises(errors.LimitReached) as caught:
            chat.send("Again")
        assert caught.value.state == "pending"


def test_under_overload_nobody_is_refused_and_the_limit_is_used() -> None:
    """At 1.5 times the limit for ten minutes of virtual time: no 429, 97% used, order of arrival kept."""

    async def crowd(loop: asyncio.AbstractEventLoop) -> tuple[list[Any], list[tuple[float, float]]]:
        limits = {"requests": 300, "input_tokens": 60_000, "output_tokens": 9_000}
        sim = simulator.Simulator(
            clock=virtual.LoopClock(loop), limits=ServerLimits(**limits), seconds_per_token=0.02, thinking=False
        )
        limiter = Limiter(Limits(**limits), timing=virtual.LoopTiming(loop))
        chance, done = random.Random(5), []
        async with sim.async_client(middleware=[limiter], max_retries=0) as client:

            async def one(at: float, words: int) -> None:
                await asyncio.sleep(at)
                said = [{"role": "user", "content": "hello there, friend " * words}]
                await client.messages.create(model=POOL, max_tokens=500, messages=said)
                done.append((at, loop.time()))

            crowd = [one(chance.random() * 300, chance.randint(20, 80)) for _ in range(900)]
            await asyncio.gather(*crowd)
        return sim.messages, done

    messages, done = virtual.run(crowd)
    assert {attempt.status for attempt in messages} == {200}
    ends = [end for _, end in sorted(done)]
    assert all(before - after < 15 for before, after in itertools.pairwise(ends)), "served in order of arrival"
    ended = max(attempt.time for attempt in messages) - min(attempt.time for attempt in messages)
    used = [sum(getattr(a.usage, kind) for a in messages) / (limit * ended / 60)
            for kind, limit in (("prompt", 60_000), ("output", 9_000))]  # fmt: skip
    assert max(*used, len(messages) / (300 * ended / 60)) >= 0.97


def test_background_work_goes_last_but_goes() -> None:
    """Interactive requests overtake background ones for a bounded time."""

    async def mixed(loop: asyncio.AbstractEventLoop) -> dict[str, list[float]]:
        sim = simulator.Simulator(clock=virtual.LoopClock(loop))
        limiter = Limiter(Limits(requests=60, burst=1 / 60), timing=virtual.LoopTiming(loop))
        waits: dict[str, list[float]] = {"interactive": [], "background": []}
        async with sim.async_client(middleware=[limiter], max_retries=0) as client:

            async def one(at: float, priority: Any) -> None:
                await asyncio.sleep(at)
                with forecasting(Forecast(countable=10, prompt=10, output=10, priority=priority)):
                    await client.messages.create(**ASK)
                waits[priority].append(loop.time() - at)

            await asyncio.gather(
                *(one(0.0, "background") for _ in range(20)), *(one(n * 1.02, "interactive") for n in range(100))
            )
        return waits

    waits = virtual.run(mixed)
    assert max(waits["interactive"]) < 30 < max(waits["background"]) < 60


def test_a_stream_that_is_dropped_unread_is_settled() -> None:
    """Nobody closed it; the collector tells."""
    sim = simulator.Simulator()
    limiter = Limiter(Limits(requests=100, concurrency=1, burst=1), timing=Turned())
    with sim.client(middleware=[limiter]) as client:
        stream = client.messages.create(**ASK, stream=True)
        del stream
        gc.collect()
        levels(limiter)


def test_who_is_cancelled_leaves_the_line_and_its_reservation() -> None:
    """Whether it was waiting for its turn or for the reply."""

    async def cancelled(loop: asyncio.AbstractEventLoop) -> list[int]:
        sim = simulator.Simulator(clock=virtual.LoopClock(loop), first_event_after=5.0)
        limiter = Limiter(Limits(requests=60, concurrency=1, burst=1), timing=virtual.LoopTiming(loop))
        async with sim.async_client(middleware=[limiter], max_retries=0) as client:
            tasks = [asyncio.ensure_future(client.messages.create(**ASK)) for _ in range(4)]
            await asyncio.sleep(1)
            for task in (tasks[0], tasks[1]):  # one under way, one in line
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        levels(limiter)
        return [n for n, reply in enumerate(done) if not isinstance(reply, BaseException)]

    assert virtual.run(cancelled) == [2, 3]
