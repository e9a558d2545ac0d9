"""What one send and one plan cost beside the SDK's own work for the same body, at several sizes of the view."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks.speed.measuring import (
    MODEL,
    TURN,
    WORDS_ALONE,
    Answering,
    Row,
    alternately,
    apart,
    client,
    exponent,
    is_control,
    record,
    said,
    settled,
    statements,
)
from sash import Conversation
from sash.stores.port import Store


def views(sizes: list[int], rounds: int) -> Iterator[Row]:
    """For each size of view in tokens: a send, and a plan; then how both grow."""
    made = [row for tokens in sizes for row in at_view(tokens, rounds)]
    yield from made
    for what in ("send adds", "plan, warm"):
        times = [row.ours for row in made if row.what == what]
        if len(sizes) > 1:
            yield Row(what=f"{what}: growth", size="the view", ours=exponent(sizes, times), unit="exponent", goal="1.0")


def at_view(tokens: int, rounds: int) -> Iterator[Row]:
    """A send and a plan, once the view holds so many tokens."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.db"
        record(path, 2 * (tokens // TURN // 2))
        answering, numbers = Answering(), count(10)
        with talk(path, answering, 2 * tokens) as chat:
            body, bare = settled(chat, answering), client(answering)
            text = f"{tokens:,} tokens"
            own, sdk = apart(
                rounds, ours=lambda: chat.send(said(next(numbers))), theirs=lambda: bare.messages.create(**body)
            )
            goal = {8_000: "2.0", 150_000: "0.6"}.get(tokens, "")
            yield Row(what="send adds", size=text, ours=own, unit="ms", beside="SDK", theirs=sdk, goal=goal)
            planned = alternately(rounds, ours=lambda: chat.plan(said(1)), dumps=lambda: json.dumps(body))
            dumped, goal = planned["dumps"], "1.0" if tokens >= 32_000 else ""
            yield Row(
                what="plan, warm", size=text, ours=planned["ours"], unit="ms",
                beside="json.dumps", theirs=dumped, goal=goal,
            )  # fmt: skip


def talk(where: Path | Store, answering: Answering, budget: int, id: str = "speed") -> Conversation:
    """The conversation under test: as a new user has it, but that nothing leaves the view, and no vectors are made."""
    return Conversation(
        where, id=id, model=MODEL, budget=budget, keep=budget, recall=WORDS_ALONE, client=client(answering)
    )


def trips() -> Iterator[Row]:
    """How often one plain send goes to the store."""
    with tempfile.TemporaryDirectory() as folder, statements() as seen:
        answering = Answering()
        with talk(Path(folder) / "speed.db", answering, 100_000) as chat:
            settled(chat, answering)
            seen.clear()
            chat.send(said(9))
            told = list(seen)
    yield Row(
        what="statements per send", size="", ours=sum(not is_control(one) for one in told), unit="count", goal="20"
    )
    began = sum(one.startswith("BEGIN") for one in told)
    yield Row(what="transactions per send", size="", ours=began, unit="count", goal="3")


def history(sizes: list[int], rounds: int) -> Iterator[Row]:
    """The same send in records of several lengths, with a view of 8,000 tokens; and a cold start there."""
    sends: list[float] = []
    for turns in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speed.db"
            record(path, turns)
            sends.append(_sent(path, rounds))
            yield Row(what="send", size=f"{turns:,} turns", ours=sends[-1], unit="ms")
    if len(sizes) > 1:
        yield Row(what="send: growth", size="the history", ours=exponent(sizes, sends), unit="exponent", goal="0.05")


def _sent(path: Path, rounds: int) -> float:
    answering, numbers = Answering(), count(10)
    chat = Conversation(
        path, id="speed", model=MODEL, budget=8_000, keep=4_000, recall=WORDS_ALONE, client=client(answering)
    )
    with chat:
        settled(chat, answering)
        return alternately(rounds, send=lambda: chat.send(said(next(numbers))))["send"]
