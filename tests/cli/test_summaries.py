"""`sash summaries` and `sash resummarise`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run
from summarising import Talker


@pytest.fixture
def summarised(tmp_path: Path) -> Path:
    """A file whose conversation "a" has a summary or more."""
    talker = Talker(tmp_path / "a.db")
    talker.until_cut()
    talker.close()
    return tmp_path / "a.db"


def test_summaries_tell_where_they_came_from(run: Run, summarised: Path) -> None:
    """What each covers, its model, what it cost, and what the guards found."""
    output = run("summaries", summarised, "a").output
    assert "claude-haiku-5-5" in output
    assert "turns" in output
    assert "$0.00" in output
    assert run("summaries", summarised).output == output
    (first, *_) = json.loads(run("summaries", summarised, "a", "--json").output)
    assert first["sources"] == list(range(1, first["upto"] + 1))
    assert first["conversation"] == "a"
    assert first["text"].startswith("## ")


def test_a_database_without_any_says_so(run: Run, database: Path) -> None:
    """No table, one line."""
    assert run("summaries", database).output == "no summaries yet\n"


def test_a_summary_is_made_again(run: Run, summarised: Path) -> None:
    """From the record, by another model if asked; the one before stays."""
    before = json.loads(run("summaries", summarised, "a", "--json").output)
    result = run("resummarise", summarised, "a", "--by", "claude-opus-5-5", "--simulator")
    assert result.exit_code == 0, result.output
    after = json.loads(run("summaries", summarised, "a", "--json").output)
    assert after[:-1] == before
    assert (after[-1]["model"], after[-1]["parent"]) == ("claude-opus-5-5", None)


def test_nothing_to_make_again_is_one_line(run: Run, database: Path) -> None:
    """A conversation without a summary: exit code 1."""
    result = run("resummarise", database, "mill", "--simulator")
    assert result.exit_code == 1
    assert "no summary yet" in result.stderr
