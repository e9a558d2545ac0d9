"""`sash delete`."""

from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Run


def test_it_asks_first_and_says_what_went(run: Run, database: Path) -> None:
    """No answer, no deletion; a yes takes it out of every listing and search, its cost stays in the sums."""
    result = run("delete", database, "mill", typed="n\n")
    assert result.exit_code == 1
    assert "Delete mill (The mill house) for good: 6 turns, 3 requests" in result.output
    assert "mill" in run("show", database).output
    spent = run("usage", database).output
    assert "deleted mill: 6 turns" in run("delete", database, "mill", typed="y\n").output
    assert run("show", database).output == "no conversations yet\n"
    assert "nothing found" in run("search", database, "slates").output
    assert run("usage", database).output == spent


def test_yes_asks_nothing(run: Run, database: Path) -> None:
    """For scripts; what is not there is an error, and so is what belongs to another tenant."""
    assert run("--namespace", "acme", "delete", database, "mill", "--yes").exit_code == 1
    assert run("delete", database, "mill", "--yes", "--reason", "asked for").exit_code == 0
    result = run("delete", database, "mill", "--yes")
    assert result.exit_code == 1
    assert "no conversation 'mill'" in result.output


def test_all_that_is_a_users_goes_in_one_go(run: Run, database: Path) -> None:
    """With --user, conversations and memory files; asked first, and never together with an id."""
    run("chat", database, "--id", "anns", "--user", "ann", "--simulator", typed="Hello\n/quit\n")
    assert (
        "ann" in run("show", database, "--user", "ann").output
        and "mill" not in run("show", database, "--user", "ann").output
    )
    assert "anns" in run("search", database, "hello", "--user", "ann").output
    assert "ann" in run("usage", database, "--by", "user").output
    assert run("delete", database, "--user", "ann", typed="n\n").exit_code == 1
    assert (
        "deleted ann: 1 conversation, 2 turns, 0 memory files"
        in run("delete", database, "--user", "ann", "--yes").output
    )
    assert run("delete", database, "--user", "ann", "--yes").exit_code == 1
    assert "mill" in run("show", database).output


def test_what_is_to_go_is_named_once(run: Run, database: Path) -> None:
    """Neither nothing nor both."""
    for arguments in ([], ["mill", "--user", "ann"]):
        result = run("delete", database, *arguments, "--yes")
        assert result.exit_code == 2 and "--user NAME" in result.output


def test_what_went_is_told_as_json(run: Run, database: Path) -> None:
    """What a person reads stands in JSON by its names; the question is no part of it."""
    run("chat", database, "--id", "anns", "--user", "ann", "--simulator", typed="Hello\n/quit\n")
    one = run("delete", database, "mill", "--json", typed="y\n")
    assert json.loads(one.stdout) == {"turns": 6, "heirs": []}
    assert "Delete mill" in one.stderr
    hers = run("delete", database, "--user", "ann", "--json", "--yes").stdout
    assert json.loads(hers) == {"conversations": 1, "turns": 2, "files": 0, "entries": 0}
