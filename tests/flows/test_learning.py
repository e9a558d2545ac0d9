"""Counting in use: what is tokenized, what usage teaches, where it is kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation, SteppedWindow
from sash.simulator import Simulator

SYSTEM = "You are the help desk of a bakery. " * 40


def talk(path: Path, sim: Simulator, **settings: Any) -> Conversation:
    """A conversation small enough to cut often."""
    options: dict[str, Any] = {"id": "me", "system": SYSTEM, "budget": 1_500, "keep": 300, "counter": "features"}
    return Conversation(path, client=sim.client(), clock=sim.clock.now, **{**options, **settings})


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query of the file gives."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def say(n: int) -> str:
    """A message of its own length."""
    return f"Message {n}: " + "flour water salt " * (5 + n % 7)


def test_nothing_is_tokenized_twice(tmp_path: Path) -> None:
    """Over many sends and cuts the tokenizer sees the preamble and each user turn once, and no reply."""
    sim = Simulator()
    with talk(tmp_path / "a.db", sim) as chat:
        for n in range(40):
            chat.send(say(n))
        assert any(chat.request(n).epoch.id > 1 for n in range(1, 41)), "it must have cut"
        said = sum(len(say(n)) for n in range(40))
        assert chat._session.counter(chat.card).characters <= len(SYSTEM) + said


def test_reopening_tokenizes_nothing_old(tmp_path: Path) -> None:
    """A second object on the same file tokenizes only what is new."""
    sim = Simulator()
    with talk(tmp_path / "a.db", sim) as chat:
        for n in range(10):
            chat.send(say(n))
    with talk(tmp_path / "a.db", sim) as chat:
        chat.plan("short")
        assert chat._session.counter(chat.card).characters == len("short")


def test_totals_are_predicted_within_their_bound(tmp_path: Path) -> None:
    """Every request's exact size lies within the bound it was planned with."""
    sim = Simulator()
    with talk(tmp_path / "a.db", sim) as chat:
        for n in range(40):
            reply = chat.send(say(n))
            assert reply.usage.prompt <= reply.plan.prompt.upper


def test_exact_sizes_come_from_usage(tmp_path: Path) -> None:
    """After a few exchanges the stored sizes of turns come from usage, and sum to the difference of two totals."""
    sim = Simulator()
    with talk(tmp_path / "a.db", sim, thinking={"type": "disabled"}, model="claude-opus-5") as chat:
        replies = [chat.send(say(n)) for n in range(4)]
    found = rows(
        tmp_path / "a.db",
        "SELECT t.seq, c.tokens, c.source FROM counts c JOIN turns t ON t.id = c.turn_id ORDER BY t.seq",
    )
    sizes = {seq: (tokens, source) for seq, tokens, source in found}
    assert all(sizes[seq][1] == "usage" for seq in range(2, 8))
    assert sizes[4][0] + sizes[5][0] == replies[2].usage.prompt - replies[1].usage.prompt


def test_calibration_is_shared_and_survives(tmp_path: Path) -> None:
    """What one conversation taught is used by the next one in the file, also after a restart."""
    sim = Simulator()
    with talk(tmp_path / "a.db", sim, id="teacher") as chat:
        for n in range(12):
            chat.send(say(n))
    with talk(tmp_path / "a.db", sim, id="pupil") as chat:
        taught = chat.plan(say(3)).prompt.tokens
    with talk(tmp_path / "b.db", sim, id="pupil") as chat:
        untaught = chat.plan(say(3)).prompt.tokens
        exact = sim.count(chat.plan(say(3)).body)
    assert abs(taught - exact) <= abs(untaught - exact)
    assert rows(tmp_path / "a.db", "SELECT lessons FROM calibration")[0][0] >= 5


def test_another_generation_never_reuses_exact_counts(tmp_path: Path) -> None:
    """After a switch to a model of another tokenizer generation, old turns are estimated for it, not carried over."""
    sim = Simulator()
    with talk(tmp_path / "a.db", sim, budget=6_000, keep=2_000) as chat:
        for n in range(5):
            chat.send(say(n))
        plan = chat.plan("And on the other model?", model="claude-sonnet-4-6")
        assert plan.prompt.source == "estimate"
        chat.send("And on the other model?", model="claude-sonnet-4-6")
    assert dict(rows(tmp_path / "a.db", "SELECT model, count(*) FROM counts GROUP BY model")).keys() == {
        "claude-sonnet-5-5",
        "claude-sonnet-4-6",
    }


@pytest.mark.parametrize("base", ["ctok", "tiktoken", "features"])
def test_every_base_sends(tmp_path: Path, base: str) -> None:
    """Each base at hand counts a conversation, and is named in the provenance."""
    sim = Simulator()
    try:
        with talk(tmp_path / "a.db", sim, counter=base, strategy=SteppedWindow()) as chat:
            assert base in chat.plan("Hello").prompt.base
    except Exception as error:
        if "not at hand" in str(error) or "not installed" in str(error) or "pip install" in str(error):
            pytest.skip(str(error))
        raise
