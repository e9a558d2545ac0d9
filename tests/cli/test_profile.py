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
