"""What all measurements share: rows, clocks, made-up talk, and a Claude that answers at once."""

from __future__ import annotations

import json
import math
import resource
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import httpx2

from sash import Conversation, Recall

WORDS = (
    "the quick brown fox jumps over the lazy dog and then some more words follow here to make up a turn of about two "
    "hundred and thirty four characters in all so that it looks like the usual chat message that people send to a bot"
)
MODEL = "claude-sonnet-5-5"
TURN = 49
"""Tokens of one turn of these words, its frame included."""
WORDS_ALONE = Recall(semantic=False)
"""What is found by meaning is prepared in the background, in CPU time that is no send's."""
FULL = "FULL"
"""Every commit is on disk, as sash has it; what is compared with it is as safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure and what it is measured against, both in `unit`."""

    what: str
    size: str
    ours: float
    unit: str
    beside: str = ""
    theirs: float | None = None
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as much ours is; None where nothing is beside it."""
        return self.ours / self.theirs if self.theirs else None


def said(number: int) -> str:
    """The words of one turn."""
    return f"{number} {WORDS}"


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The slope of time over size, both as logarithms: 0 is flat, 1 grows alike; nan where noise hides a time."""
    if min(times) <= 0:
        return math.nan
    return float(statistics.linear_regression([math.log(n) for n in sizes], [math.log(t) for t in times]).slope)


class Cpu:
    """The CPU time of this process, its threads included: neighbours on a shared machine do not count."""

    def __init__(self) -> None:
        self._began = time.process_time()

    def milliseconds(self) -> float:
        """Since it was made."""
        return (time.process_time() - self._began) * 1_000


def alternately(rounds: int, **calls: Callable[[], Any]) -> dict[str, float]:
    """The median milliseconds of CPU of each call, taken in turns."""
    return {name: statistics.median(times) for name, times in _taken(rounds, calls).items()}


def apart(rounds: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """By how many milliseconds of CPU `ours` takes longer, and what `theirs` takes: the medians of so many pairs."""
    taken = _taken(rounds, {"ours": ours, "theirs": theirs})
    longer = (mine - beside for mine, beside in zip(taken["ours"], taken["theirs"], strict=True))
    return statistics.median(longer), statistics.median(taken["theirs"])


def _taken(rounds: int, calls: Mapping[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Milliseconds of CPU of each call, taken in turns, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            cpu = Cpu()
            call()
            taken[name].append(cpu.milliseconds())
    return {name: times[1:] for name, times in taken.items()}


class Answering:
    """What a Claude says that thinks no time at all. Bills as many tokens as the body's length comes to."""

    def __init__(self) -> None:
        self.per_token = 4.4
        """bytes"""
        self._before: dict[bytes, int] = {}
        """tokens of the newest request, by what its first message begins with"""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """The reply to a request; all that the last one of its conversation sent is read from the cache."""
        tokens = int(len(request.content) / self.per_token)
        begins = request.content.partition(b'"text":"')[2][:12]
        read, self._before[begins] = min(self._before.get(begins, 0), tokens), tokens
        usage = {
            "input_tokens": 3,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": max(0, tokens - read - 3),
            "output_tokens": TURN,
        }
        told = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "text", "text": f"Yes. {WORDS}"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }
        return httpx2.Response(200, json=told, request=request)


def client(answering: Answering) -> anthropic.Anthropic:
    """The unmodified SDK before it."""
    http = httpx2.Client(transport=httpx2.MockTransport(answering))
    return anthropic.Anthropic(api_key="none", base_url="http://nowhere.invalid", http_client=http)


def async_client(answering: Answering) -> anthropic.AsyncAnthropic:
    """The same for asyncio."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answering))
    return anthropic.AsyncAnthropic(api_key="none", base_url="http://nowhere.invalid", http_client=http)


def record(path: Path, turns: int, id: str = "speed", *, first: int = 0) -> None:
    """Record turns as if they had been said elsewhere, numbered from an even `first` on; the last one is a reply."""
    with Conversation(path, id=id) as chat:
        for begin in range(first, first + turns, 10_000):
            numbers = range(begin, min(first + turns, begin + 10_000))
            chat.extend({"role": ("user", "assistant")[i % 2], "content": said(i)} for i in numbers)


def settled(chat: Conversation, answering: Answering) -> Mapping[str, Any]:
    """The body of the next request, once two were sent; from now on the bill agrees with what was counted."""
    body: Mapping[str, Any] = {}
    for number in range(2):
        plan = chat.plan(said(number))
        body = plan.body
        answering.per_token = len(json.dumps(body).encode()) / plan.prompt.tokens
        chat.send(said(number))
    return body


@contextmanager
def statements() -> Iterator[list[str]]:
    """What every SQLite connection opened meanwhile is told, as long as it is open; what triggers add left out."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if not statement.startswith("--") and seen[-1:] != [statement]:  # a trigger's are traced as its statement
            seen.append(statement)

    connect = sqlite3.connect

    def traced(*given: Any, **named: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*given, **named)
        made.set_trace_callback(note)
        return made

    sqlite3.connect = traced  # type: ignore[assignment]
    try:
        yield seen
    finally:
        sqlite3.connect = connect


def is_control(statement: str) -> bool:
    """Whether a statement only begins or ends a transaction."""
    return statement.split()[0] in ("BEGIN", "COMMIT", "ROLLBACK")


def resident() -> int:
    """The bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
