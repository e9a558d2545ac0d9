"""`sash check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sash import Conversation

Run = Callable[..., Any]
BROKEN = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "x", "name": "f", "input": {}}]},
    {"role": "user", "content": "b"},
    {"role": "assistant", "content": "c"},
]


def test_a_sound_database_passes(run: Run, database: Path) -> None:
    """Exit code 0, and how many were checked."""
    done = run("check", database)
    assert done.exit_code == 0
    assert "1 conversation checked, 0 with problems" in done.output


def test_problems_are_listed_and_repaired(run: Run, database: Path) -> None:
    """Exit code 1 until they are."""
    with Conversation(database, id="broken") as chat:
        chat.extend(BROKEN)
    done = run("check", database)
    assert done.exit_code == 1
    assert "tool-unanswered" in done.output
    assert "turns.2.content" in done.output
    assert run("check", database, "mill").exit_code == 0
    found = json.loads(run("check", database, "broken", "--json").output)
    assert {problem["rule"] for problem in found["broken"]} >= {"tool-unanswered"}
    repaired = run("check", database, "--repair")
    assert repaired.exit_code == 0
    told = " ".join(repaired.output.split())
    assert "the record keeps every turn as it came" in told
    assert "done" in told
    assert run("check", database).exit_code == 0


def test_what_is_not_there_is_said(run: Run, database: Path) -> None:
    """One red line."""
    done = run("check", database, "nobody")
    assert done.exit_code == 1
    assert "nobody" in done.output
