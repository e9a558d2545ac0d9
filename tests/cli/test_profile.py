"""`sash profile`."""

from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Run


def test_it_is_shown_and_corrected(run: Run, tmp_path: Path) -> None:
    """Told by the rules, set, removed, with a history; for a script as JSON."""
    database = tmp_path / "a.db"
    run("chat", database, "--user", "ann", "--simulator", typed="I live in Haarlem.\n/quit\n")
    assert "I live in Haarlem." in run("profile", database, "--user", "ann").output
    assert "We moved to Graz." in run("profile", database, "--user", "ann", "--set", "We moved to Graz.").output
    entries = json.loads(run("profile", database, "--user", "ann", "--json", "--history").output)
    assert [(one["text"], one["ended"]) for one in entries] == [
        ("We moved to Graz.", ""),
        ("I live in Haarlem.", "superseded"),
    ]
    said = run("profile", database, "--user", "ann", "--remove", entries[0]["id"]).output
    assert "nothing is remembered" in said
    assert run("profile", database, "--user", "ann", "--remove", 99).exit_code == 1
    assert run("profile", database).exit_code == 2


def test_it_is_told_in_the_next_conversation(run: Run, tmp_path: Path) -> None:
    """What was said in one conversation is known in the next, where /profile shows it; nobody has none."""
    database = tmp_path / "a.db"
    run("chat", database, "--id", "a", "--user", "ann", "--simulator", typed="I live in Haarlem.\n/quit\n")
    said = "/plan Hello?\n/profile\nWhere do I live?\n/quit\n"
    told = run("chat", database, "--id", "b", "--user", "ann", "--simulator", typed=said).output
    assert "1 entry, found by rules" in " ".join(told.split()) and "1 fact: I live in Haarlem." in told
    assert "From our conversation: I live in Haarlem.\n" in told
    assert "user=" in run("chat", database, "--id", "c", "--simulator", typed="/profile\n/quit\n").stderr
