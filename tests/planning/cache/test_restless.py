"""Laws of preambles that change from request to request: what nobody will read is not written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation, Marks, card
from sash.model.preamble import Preamble, preamble
from sash.planning.cache.restless import MISSES, watch
from sash.simulator import Simulator

BRIEF = "You keep the harbour books and answer for every crate that is landed. " * 250
Talk = Callable[..., Conversation]
TOOLS = [{"name": "lookup", "description": "Look a word up. " * 80, "input_schema": {"type": "object"}}]


def talk(path: Path, sim: Simulator, **settings: Any) -> Conversation:
    """A conversation on a model with a low minimum."""
    usual = {"model": "claude-sonnet-5-5", "system": BRIEF, "count_online": False, "id": "a"}
    return Conversation(path, client=sim.client(), clock=sim.clock.now, **{**usual, **settings})


def clock(n: int) -> str:
    """A system prompt with the time in front."""
    return f"It is {n} minutes past nine. {BRIEF}"


@given(st.lists(st.integers(0, 2), max_size=20))
def test_unmarked_is_what_changed_twice_in_a_row(versions: list[int]) -> None:
    """A preamble goes unmarked exactly where changes outweigh stays by two; then it differs from the last one."""
    before: Preamble | None = None
    kept: dict[str, Any] = {}
    balance = 0
    for version in versions:
        now = preamble(f"version {version}", None)
        found = watch(before, now, kept)
        balance = 0 if before is None else min(MISSES, balance + 1) if before != now else max(0, balance - 1)
        assert (found.misses, found.unmarked) == (balance, balance >= MISSES)
        assert bool(found.where) == (found.misses > 0)
        assert not found.unmarked or before != now
        before, kept = now, found.as_json()


def test_a_clock_in_the_system_prompt_costs_no_more_than_going_unmarked(path: Path) -> None:
    """After two misses nothing is written; plan and reply name the block; the bill is near that without markers."""
    noticed, unmarked, replies = Simulator(), Simulator(), []
    with (
        talk(path, noticed) as chat,
        talk(path.with_name("u.db"), unmarked, cache=Marks(preamble=None, tail=None)) as bare,
    ):
        for n in range(20):
            reply = chat.send(f"Question {n}.", system=clock(n))
            replies.append(reply)
            bare.send(f"Question {n}.", system=clock(n))
            assert ("System block 1 changed" in " ".join(reply.notes)) == (n >= MISSES)
            assert ("System block 1 changed" in reply.plan.explain()) == (n >= MISSES)
            assert (reply.usage.write == 0) == (n >= MISSES)
            assert reply.cost == pytest.approx(noticed.messages[-1].cost)
        price = card("claude-sonnet-5-5").price(0)
        paid_twice = sum(reply.usage.prompt for reply in replies[:MISSES]) * (price.write_1h - price.fresh) / 1e6
        assert noticed.cost <= unmarked.cost + paid_twice
        assert all(chat.request(n + 1).intact for n in range(20))


def test_it_is_marked_again_when_it_stays(path: Path, sim: Simulator) -> None:
    """The first request that changes nothing is marked, and the one after it reads."""
    with talk(path, sim) as chat:
        for n in range(5):
            chat.send(f"Question {n}.", system=clock(n))
        again, after = (chat.send(f"Question {n}.") for n in (5, 6))
        assert (again.usage.write > 0, again.notes) == (True, ())
        assert after.usage.read > 0


def test_what_stands_before_the_change_is_still_read(path: Path, sim: Simulator) -> None:
    """Tools and system blocks in front of the one that changes are marked, expected to be read, and read."""
    with talk(path, sim, tools=TOOLS) as chat:
        for n in range(8):
            system = [{"type": "text", "text": BRIEF}, {"type": "text", "text": f"It is {n} past nine."}]
            reply = chat.send(f"Question {n}.", system=system, tool_choice={"type": "none"})
            if n > MISSES:
                assert reply.usage.read > 2_000
                assert reply.usage.write == 0
                assert "System block 2 changed" in reply.plan.explain()
                assert not reply.surprise


def test_a_clock_that_reopens_is_still_noticed(path: Path, sim: Simulator) -> None:
    """The count stands in the record: a new object for every request notices as well."""
    for n in range(4):
        with talk(path, sim, system=clock(n)) as chat:
            reply = chat.send(f"Question {n}.")
            assert (reply.usage.write == 0) == (n >= MISSES)


def test_lifetimes_that_the_caller_fixed_stay(path: Path, sim: Simulator) -> None:
    """`cache=` is the caller's word: nothing is left unmarked behind it."""
    with talk(path, sim, cache=Marks()) as chat:
        assert all(chat.send(f"Question {n}.", system=clock(n)).usage.write for n in range(4))
