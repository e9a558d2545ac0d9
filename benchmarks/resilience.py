"""Staying within rate limits: `python -m benchmarks.resilience [--hours 24] [--overload] [--overhead] [--json]`.

A day of bursty traffic in virtual time, over the simulator's limits and with an overloaded quarter of an hour: how much
is answered, how often somebody meets a 429, how long they wait, how many attempts are wasted. The clients: sash
(limiter, breaker, retries), the SDK alone, the SDK behind a fixed interval, tenacity around the SDK. Everybody leaves
after `PATIENCE` seconds. `--overload`: an hour at 1.5 times the limit, nobody leaves. `--overhead`: what the layers add
to a call over a loopback socket, as ratios of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tenacity
from anthropic import Anthropic, APIError

from benchmarks import virtual
from sash.claude.middleware import (
    Breaker,
    Ceiling,
    Ceilings,
    Limiter,
    Limits,
    Memo,
    Meter,
    Retries,
)
from sash.errors import SashError
from sash.simulator import Clock, Simulator
from sash.simulator.clock import START
from sash.simulator.limits import Limits as ServerLimits
from sash.stores import RedisBook, SqliteAttempts, SqliteMemos, SqliteSpend

MODEL = "claude-sonnet-5-5"
DAY = {"requests": 10, "input_tokens": 4_000, "output_tokens": 900}
HOUR = {"requests": 30, "input_tokens": 12_000, "output_tokens": 2_600}
Rates = dict[str, int]
PATIENCE = 120.0
TEXT = "the quick brown fox jumps over the lazy dog and runs away from all of it before the sun is down"
WORDS = TEXT.split()
Ask = Callable[[list[dict[str, Any]]], Awaitable[Any]]


@dataclass
class Tally:
    """What a crowd saw."""

    offered: int = 0
    answered: int = 0
    waits: list[float] = field(default_factory=list)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--overload", action="store_true")
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--redis", help="URL of a Redis server, for --overhead")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.overhead:
        rows = overhead(arguments.redis)
    elif arguments.overload:
        rows = [run(client, steady(3_600, 1.5), 3_600, HOUR, patience=None) for client in CLIENTS]
    else:
        hours = arguments.hours
        rows = [run(client, bursts(hours), hours * 3_600, DAY, patience=PATIENCE) for client in CLIENTS]
    print(json.dumps(rows, indent=1) if arguments.json else table(rows))


# ---- traffic --------------------------------------------------------------------------------------


def said(chance: random.Random) -> list[dict[str, Any]]:
    """A question of some tens to some hundreds of tokens."""
    return [{"role": "user", "content": " ".join(chance.choices(WORDS, k=chance.randint(20, 400)))}]


def steady(seconds: float, load: float, seed: int = 1) -> list[float]:
    """Arrival times at `load` times what the scarcest limit lets through, in no order but chance's."""
    chance = random.Random(seed)
    return sorted(chance.uniform(0, seconds) for _ in range(int(load * per_second(HOUR) * seconds)))


def bursts(hours: float, seed: int = 1) -> list[float]:
    """A day: quiet nights, busy days, and moments at which everybody comes at once."""
    chance, at, found = random.Random(seed), 0.0, []
    while at < hours * 3_600:
        hour = at / 3_600 % 24
        load = 0.15 if hour < 7 or hour > 22 else 0.75
        if chance.random() < 0.004:
            found += [at + chance.uniform(0, 20) for _ in range(chance.randint(10, 60))]
        at += chance.expovariate(load * per_second(DAY))
        found.append(at)
    return sorted(at for at in found if at < hours * 3_600)


def per_second(rates: Rates) -> float:
    """Requests that the scarcest limit lets through: replies here are about 90 tokens long, questions 270."""
    return min(rates["requests"], rates["input_tokens"] / 270, rates["output_tokens"] / 90) / 60


# ---- clients --------------------------------------------------------------------------------------


def sash(sim: Simulator, loop: asyncio.AbstractEventLoop, rates: Rates, patience: float | None) -> Ask:
    """Limiter, breaker and retries around the SDK's own."""
    timing = virtual.LoopTiming(loop)
    layers = [Retries(), Breaker(timing=timing), Limiter(Limits(**rates), max_wait=patience, timing=timing)]
    return _sdk(sim, 2, layers)


def sdk(sim: Simulator, _: asyncio.AbstractEventLoop, __: Rates, ___: float | None) -> Ask:
    """The SDK as it comes."""
    return _sdk(sim, 2)


def interval(sim: Simulator, loop: asyncio.AbstractEventLoop, rates: Rates, _: float | None) -> Ask:
    """One request every so often, as the limit on requests has it."""
    ask, pause, free = _sdk(sim, 2), 60 / rates["requests"], [0.0]

    async def paced(messages: list[dict[str, Any]]) -> Any:
        free[0] = max(free[0], loop.time()) + pause
        await asyncio.sleep(free[0] - pause - loop.time())
        return await ask(messages)

    return paced


def retrying(sim: Simulator, _: asyncio.AbstractEventLoop, __: Rates, ___: float | None) -> Ask:
    """tenacity: up to six attempts, exponential waits with jitter."""
    ask = _sdk(sim, 0)
    again = tenacity.AsyncRetrying(
        wait=tenacity.wait_random_exponential(max=60),
        stop=tenacity.stop_after_attempt(6),
        retry=tenacity.retry_if_exception_type(APIError),
        reraise=True,
    )

    async def tried(messages: list[dict[str, Any]]) -> Any:
        return await again.copy()(ask, messages)

    return tried


CLIENTS = {"sash": sash, "SDK": sdk, "fixed interval": interval, "tenacity": retrying}


def _sdk(sim: Simulator, retries: int, middleware: Any = ()) -> Ask:
    client = sim.async_client(max_retries=retries, middleware=middleware)

    async def ask(messages: list[dict[str, Any]]) -> Any:
        return await client.messages.create(model=MODEL, max_tokens=400, messages=messages)

    return ask


# ---- runs -----------------------------------------------------------------------------------------


def run(name: str, arrivals: list[float], seconds: float, rates: Rates, *, patience: float | None) -> dict[str, Any]:
    """One client through the whole traffic, in virtual time."""

    async def day(loop: asyncio.AbstractEventLoop) -> tuple[Simulator, Tally]:
        sim = Simulator(
            clock=virtual.LoopClock(loop), limits=ServerLimits(**rates), seconds_per_token=0.02, thinking=False
        )
        replies = random.Random(2)
        sim.script(lambda _: " ".join(replies.choices(WORDS, k=replies.randint(10, 120))))
        ask, tally = CLIENTS[name](sim, loop, rates, patience), Tally()
        if patience is not None:
            loop.call_at(seconds / 2, lambda: sim.faults.storm(0.7))
            loop.call_at(seconds / 2 + 900, sim.faults.calm)
        await crowd(ask, arrivals, loop, patience, tally)
        return sim, tally

    sim, tally = virtual.run(day)
    return row(name, sim, tally, seconds, rates)


async def crowd(
    ask: Ask, arrivals: list[float], loop: asyncio.AbstractEventLoop, patience: float | None, tally: Tally
) -> None:
    """Everybody asks when they come, and leaves when their patience is over."""
    chance, tasks = random.Random(3), set()

    async def one(messages: list[dict[str, Any]]) -> None:
        start = loop.time()
        try:
            async with asyncio.timeout(patience):
                await ask(messages)
        except (APIError, SashError, TimeoutError):
            return
        tally.answered += 1
        tally.waits.append(loop.time() - start)

    for at in arrivals:
        await asyncio.sleep(max(0.0, at - loop.time()))
        tally.offered += 1
        task = asyncio.ensure_future(one(said(chance)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


def row(name: str, sim: Simulator, tally: Tally, seconds: float, rates: Rates) -> dict[str, Any]:
    """One line of the table. Utilisation: the share of the scarcest limit that was used while traffic came."""
    inside = [attempt for attempt in sim.messages if attempt.usage is not None and attempt.time < START + seconds]
    minutes = seconds / 60
    used = {
        "requests": len(inside),
        "input_tokens": sum(attempt.usage.prompt for attempt in inside if attempt.usage),
        "output_tokens": sum(attempt.usage.output for attempt in inside if attempt.usage),
    }
    return {
        "client": name,
        "offered": tally.offered,
        "answered": tally.answered,
        "seen_429": sum(attempt.status == 429 for attempt in sim.messages),
        "utilisation": round(max(used[kind] / (limit * minutes) for kind, limit in rates.items()), 4),
        "mean_wait_s": round(statistics.fmean(tally.waits), 2) if tally.waits else None,
        "longest_wait_s": round(max(tally.waits), 2) if tally.waits else None,
        "wasted_attempts": sum(attempt.status != 200 for attempt in sim.messages),
    }


# ---- overhead -------------------------------------------------------------------------------------


def overhead(redis_url: str | None, rounds: int = 300) -> list[dict[str, Any]]:
    """What each set of layers adds to a bare call, by turns over one loopback server; lower quartiles."""
    sim = Simulator(clock=Clock(wall=True), thinking=False)
    with tempfile.TemporaryDirectory() as folder, sim.serve() as url:
        path = Path(folder) / "layers.db"
        attempts, spend, memos = SqliteAttempts(path), SqliteSpend(path), SqliteMemos(path)
        wide = Limits(requests=10**7, input_tokens=10**9, output_tokens=10**9)
        layers: dict[str, list[Any]] = {
            "bare": [],
            "limiter + breaker + meter": [Meter(attempts), Breaker(), Limiter(wide)],
            "ceilings": [Ceilings(Ceiling(dollars=1e6), book=spend)],
            "memo (a miss)": [Memo(book=memos)],
        }
        if redis_url:
            layers["limiter over Redis"] = [Limiter(wide, book=RedisBook(redis_url))]
        clients = {name: Anthropic(base_url=url, api_key="k", middleware=found) for name, found in layers.items()}
        times: dict[str, list[float]] = {name: [] for name in layers}
        for number in range(rounds + 10):
            for name, client in clients.items():
                start = time.perf_counter()
                client.messages.create(
                    model=MODEL, max_tokens=50, messages=[{"role": "user", "content": f"Hello {number} from {name}"}]
                )
                if number >= 10:
                    times[name].append(time.perf_counter() - start)
        for client in clients.values():
            client.close()
        for book in (attempts, spend, memos):
            book.close()
    usual = {name: statistics.quantiles(found, n=4)[0] for name, found in times.items()}
    return [
        {"layers": name, "call_ms": round(quartile * 1e3, 3), "ratio": round(quartile / usual["bare"], 3)}
        for name, quartile in usual.items()
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    names = list(rows[0])
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in names]
    lines = [[str(row[name]) for name in names] for row in rows]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
                     for line in (names, *lines))  # fmt: skip


if __name__ == "__main__":
    main()
