"""The demo, as it is printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, RunPlain

pexpect = pytest.importorskip("pexpect")


@pytest.fixture(scope="module")
def short() -> Any:
    """The arguments of a short demo."""
    return ("demo", "--turns", 24, "--budget", 900)


def test_plain_output_tells_costs_and_what_survived(run: Run, short: Any, tmp_path: Path) -> None:
    """Without a terminal plain lines tell the run, a table the costs, another the facts, and a sentence ends it.

    --db keeps the first run's record, which `sash show` shows; a second demo into it is refused.
    """
    path = tmp_path / "demo.db"
    lines = run(*short, "--db", path).output.splitlines()
    text = "\n".join(lines)
    assert sum(" tokens, from turn " in line for line in lines) == 10
    assert "times ours" in text
    for name in ("balanced", "none", "lean", "SlidingWindow", "Everything"):
        assert name in text
    assert "What year does the date stone over the front door say?" in text
    assert lines[-2].startswith("What this shows: ")
    assert lines[-1].endswith(f"sash show {path} demo")
    assert "\x1b" not in text
    assert "24 turns, 12 requests" in run("show", path, "demo").output
    assert run(*short, "--db", path).exit_code == 2


def test_json_holds_every_question_for_every_strategy(run: Run, short: Any) -> None:
    """--json prints one JSON value on stdout: each strategy's bill, and each question's fate under each of them.

    The first row is what a conversation does by default.
    """
    found = json.loads(run(*short, "--json").stdout)
    rows = {row["strategy"]: row for row in found["strategies"]}
    assert len(rows) == 5 and list(rows)[:2] == ["balanced", "none"]
    assert found["turns"] == 24
    assert rows["Everything()"]["answered"] == 1.0
    assert rows["Everything()"]["times"] > 1.0
    for question in found["questions"]:
        assert set(question["found"]) == set(rows)


def test_a_chosen_strategy_is_the_first_row_and_not_repeated(run: Run, short: Any) -> None:
    """--strategy replaces the default, and is not compared with itself."""
    found = json.loads(run(*short, "--json", "--strategy", "SlidingWindow").stdout)
    names = [row["strategy"].partition("(")[0] for row in found["strategies"]]
    assert names == ["balanced, SlidingWindow", "SlidingWindow", "lean, SlidingWindow", "Everything"]


def test_a_chosen_memory_is_the_first_row(run: Run, short: Any) -> None:
    """--memory replaces the default, summaries and their cost included; its replies stay those of the script."""
    found = json.loads(run(*short, "--json", "--memory", "full").stdout)
    assert [row["strategy"] for row in found["strategies"]][:3] == ["full", "none", "lean"]
    assert found["strategies"][0]["dollars"] > 0 and found["keep"] == 225


def test_a_budget_that_holds_nothing_is_one_line(run: Run) -> None:
    """A budget below the preamble is one line that says what is too large."""
    result = run("demo", "--budget", 20)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the request needs about")


def test_live_in_a_terminal() -> None:
    """In a terminal the first run is drawn live: turn counter, window strip, cached share, dollars, cuts."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "sash", "demo", "--turns", "12", "--budget", "2500"],
        encoding="utf-8",
        timeout=600,
        dimensions=(50, 120),
    )
    for part in ("turn +2 of 12", "█", "window [0-9,]+ of 2,500 tokens", "cached, .*cuts? so far", "What this shows"):
        child.expect(part)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_terminal_without_the_signs_still_shows_the_demo(run_plain: RunPlain) -> None:
    """Where the output takes only ASCII, the signs it lacks become question marks, and nothing fails."""
    shown = run_plain("demo", "--turns", 10)
    assert b"What this shows" in shown and b"?" in shown and shown.isascii()
