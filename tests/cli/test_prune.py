"""`sash prune`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import Run


@pytest.fixture
def old(database: Path) -> Path:
    """A file whose conversation nobody has used since 1970."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("UPDATE conversations SET updated_at = 0")
    return database


def test_it_asks_first_and_says_what_went(run: Run, old: Path) -> None:
    """What is due is named; no answer, no deletion."""
    asked = run("prune", old, "--older-than", "90d", typed="n\n")
    assert asked.exit_code == 1 and "Delete 1 conversation for good (mill)?" in asked.output
    assert "deleted 1 conversation, 6 turns" in run("prune", old, "--older-than", "2y", "--yes").output
    assert "nothing is older" in run("prune", old, "--older-than", "12h").output


def test_a_rule_is_remembered(run: Run, old: Path) -> None:
    """With --always, for later calls that name no age; without one, it is asked for."""
    assert run("prune", old).exit_code == 2
    assert run("prune", old, "--user", "ann", "--older-than", "8w", "--always").exit_code == 2
    assert run("prune", old, "--older-than", "8w", "--always", typed="n\n").exit_code == 1
    assert "deleted 1 conversation" in run("prune", old, "--yes").output


@pytest.mark.parametrize("age", ["90", "0d", "-1d", "three days"])
def test_an_age_that_cannot_be_meant_is_refused(run: Run, old: Path, age: str) -> None:
    """With what it may look like."""
    result = run("prune", old, "--older-than", age, "--yes")
    assert result.exit_code == 2
    assert "mill" in run("show", old).output


def test_what_went_is_told_as_json(run: Run, old: Path) -> None:
    """Nothing, too, is told in numbers; the question is no part of it."""
    done = run("prune", old, "--older-than", "90d", "--json", typed="y\n")
    assert json.loads(done.stdout) == {"conversations": 1, "turns": 6}
    again = run("prune", old, "--older-than", "90d", "--json")
    assert json.loads(again.stdout) == {"conversations": 0, "turns": 0}
