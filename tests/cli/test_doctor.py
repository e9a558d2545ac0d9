"""`sash doctor`, and what `sash usage` tells of attempts and ceilings."""

from __future__ import annotations

from pathlib import Path

import pytest

from sash import Conversation
from sash.claude.middleware import Ceiling
from sash.simulator import Simulator
from sash.simulator.faults import Overloaded

from .conftest import Run


def test_a_sound_house_is_said_to_be_one(run: Run, database: Path) -> None:
    """Key, model, limits, database and clock, a line each."""
    result = run("doctor", database, "--simulator")
    assert result.exit_code == 0
    for word in ("model", "database", "3 requests", "never for the price alone", "key", "limits", "clock"):
        assert word in result.output


def test_a_missing_key_fails_with_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, no traceback."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    result = run("doctor")
    assert result.exit_code == 1
    assert "ANTHROPIC_API_KEY" in result.output


def test_an_unknown_model_and_a_foreign_file_fail(run: Run, tmp_path: Path) -> None:
    """Both are named; nothing is changed."""
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not a database, but long enough to look at")
    result = run("doctor", foreign, "--simulator", "--model", "claude-nobody-9")
    assert result.exit_code == 1
    assert "no SQLite database" in result.output and "claude-nobody-9" in result.output


def test_a_file_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    """A note, no failure."""
    assert run("doctor", tmp_path / "new.db", "--simulator").exit_code == 0
    assert not (tmp_path / "new.db").exists()


def test_what_was_left_out_for_price_is_told(run: Run, tmp_path: Path) -> None:
    """How often turns left though the budget had room, what that saved, and what keeps them; nothing where none did."""
    path, sim = tmp_path / "chats.db", Simulator()
    with Conversation(path, client=sim.client(), clock=sim.clock.now, budget=9_000, keep=1_000) as chat:
        for number in range(30):
            sim.clock.advance(7_200)
            chat.send(f"Slate {number} is for roof {number * 7}. " + "Nothing else is new today. " * 12)
        cuts = chat._store.cuts()
    assert cuts.for_price == cuts.cuts > 0
    output = " ".join(run("doctor", path, "--simulator").output.split())
    assert f"{cuts.cuts} of {cuts.cuts} times old turns left" in output and 'memory="full"' in output


def test_usage_tells_of_attempts_and_ceilings(run: Run, tmp_path: Path) -> None:
    """What the meter wrote down and what is booked on ceilings."""
    path, sim = tmp_path / "chats.db", Simulator()
    sim.faults.fail_next(Overloaded())
    with Conversation(path, client=sim.client(), meter=True, ceilings=Ceiling(dollars=5)) as chat:
        chat.send("Hello")
    output = run("usage", path).output
    assert "2 attempts, 1 of them retries" in output
    assert "ceiling of all" in output
