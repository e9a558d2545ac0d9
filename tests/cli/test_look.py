"""show, search, usage: what a database holds."""

from __future__ import annotations

import json
import platform
import sqlite3
from pathlib import Path

import anthropic
import pytest

import sash
from cli.conftest import Run
from sash import Conversation
from sash.errors import Unavailable
from sash.simulator import Overloaded, Simulator


def test_show_lists_conversations(run: Run, database: Path) -> None:
    """Without an id every conversation is listed with title, turns and cost."""
    output = run("show", database).output
    assert "mill" in output
    assert "The mill house" in output
    assert "6" in output


def test_show_one_has_turns_epochs_and_the_last_plan(run: Run, database: Path) -> None:
    """With an id the turns, the epochs and the last request are shown."""
    output = run("show", database, "mill").output
    assert "The mason [Lacasse] wants 18,450 euros." in output  # brackets are text, not markup
    assert "how the window moved" in output
    assert "Last request: number 3, answered" in output
    assert "Economic" in output


def test_show_limit_takes_the_newest_turns(run: Run, database: Path) -> None:
    """--limit shows the newest turns."""
    output = run("show", database, "mill", "--limit", 2).output
    assert "How many slates" in output
    assert "needs 2,400 slates" not in output.partition("How many")[0]


def test_show_tells_states(run: Run, tmp_path: Path) -> None:
    """A turn without an answer is shown as pending, and the failure is named."""
    sim = Simulator()
    sim.fail_next(Overloaded(), times=10)
    with Conversation(tmp_path / "a.db", id="x", client=sim.client(max_retries=0)) as chat, pytest.raises(Unavailable):
        chat.send("Anybody there?")
    output = run("show", tmp_path / "a.db", "x").output
    assert "pending" in output
    assert "It failed: Unavailable" in output


def test_show_writes_html(run: Run, database: Path, tmp_path: Path) -> None:
    """--html writes one self-contained page with the text escaped, under the title where there is one."""
    with Conversation(database, id="mill", client=Simulator().client()) as chat:
        chat.send("<script>alert(1)</script>")
    assert run("show", database, "mill", "--html", tmp_path / "mill.html").exit_code == 0
    page = (tmp_path / "mill.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "<title>The mill house · sash</title>" in page


def test_show_strips_control_characters(run: Run, tmp_path: Path) -> None:
    """Text in the record cannot steer the terminal."""
    with Conversation(tmp_path / "a.db", id="x", client="simulator") as chat:
        chat.extend([{"role": "user", "content": "\x1b[31mred\x07 \x9b2J"}])
    output = run("show", tmp_path / "a.db", "x", "--full").output
    assert "red" in output
    assert not set(output) & {"\x1b", "\x07", "\x9b"}


def test_search_finds_words_and_marks_them(run: Run, database: Path) -> None:
    """A search shows conversation, turn and the words found; signs in the query are text."""
    output = run("search", database, 'slates "roof*').output
    assert "mill turn 1, user" in output
    assert "[slates]" in output
    assert "Lacasse" not in output


def test_search_without_a_hit_says_so(run: Run, database: Path) -> None:
    """Nothing found is said in words, and is no failure."""
    result = run("search", database, "submarine")
    assert result.exit_code == 0
    assert "nothing found" in result.output


def test_usage_sums_what_requests_cost(run: Run, database: Path) -> None:
    """The usage of the database is that of its conversations, by any group."""
    with Conversation(database, id="mill") as chat:
        expected = chat.usage()
    (row,) = json.loads(run("usage", database, "--by", "conversation", "--json").output)
    assert row["conversation"] == "mill"
    assert row["requests"] == expected.requests == 3
    assert row["dollars"] == expected.dollars
    assert "mill" in run("usage", database, "--by", "day,model,conversation").output


def test_usage_without_groups_is_one_row(run: Run, database: Path) -> None:
    """No group at all gives the sum."""
    (row,) = json.loads(run("usage", database, "--by", "", "--json").output)
    assert row["requests"] == 3


def test_unknown_group_is_a_usage_error(run: Run, database: Path) -> None:
    """A group that does not exist ends with exit code 2 and the names of those that do."""
    result = run("usage", database, "--by", "hour")
    assert result.exit_code == 2
    assert "day, model, conversation" in result.stderr


def test_unknown_conversation_is_one_line(run: Run, database: Path) -> None:
    """A missing conversation is one line on stderr, exit code 1, and is not created."""
    result = run("show", database, "nobody")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "nobody" not in run("show", database).output


def test_a_file_that_is_no_database_is_one_line(run: Run, tmp_path: Path) -> None:
    """A foreign file is one line on stderr, and stays as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be read as one" * 100)
    before = path.read_bytes()
    result = run("show", path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert path.read_bytes() == before


def test_a_missing_file_is_not_created(run: Run, tmp_path: Path) -> None:
    """Looking never makes a database."""
    assert run("show", tmp_path / "none.db").exit_code == 2
    assert not (tmp_path / "none.db").exists()


def test_version(run: Run) -> None:
    """--version names the program and its version, and those of Python, the SDK and SQLite: what a report needs."""
    said = run("--version").output
    assert said.startswith(f"sash, version {sash.__version__}\n")
    assert f"anthropic {anthropic.__version__}, SQLite {sqlite3.sqlite_version}" in said
    assert platform.python_version() in said


def test_usage_tells_what_was_answered_from_memory(run: Run, path: Path, sim: Simulator) -> None:
    """Hits, what they saved, and what is kept; nothing where there is no memo."""
    with sim.client() as client:
        for name in "ab":
            with Conversation(path, id=name, model="claude-sonnet-5-5", client=client, memo=True) as chat:
                chat.send("When do you open?")
    shown = run("usage", path)
    assert "memo: 1 of 2 requests answered (50%)" in " ".join(shown.output.split())
