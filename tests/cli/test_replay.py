"""`sash replay`: traces of every kind in, bills and ratios out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run
from sash import Conversation


def bare(path: Path, calls: int = 40) -> Path:
    """A small bare trace."""
    lines = [json.dumps({"gap_s": 40.0 * (n > 0), "tokens": 300 + n % 50}) for n in range(calls)]
    path.write_text("\n".join(lines))
    return path


def test_a_bare_trace_is_billed_under_every_strategy(run: Run, tmp_path: Path) -> None:
    """Each strategy gets a row; no window pays less than the optimum, ours little more, the classic twice as much."""
    trace = bare(tmp_path / "t.jsonl")
    rows = json.loads(run("replay", trace, "--keep", 1_000, "--budget", 6_000, "--json").stdout)
    ratios = {row["strategy"]: row["ratio"] for row in rows}
    assert len(rows) == 4
    assert all(ratio > 0.9999 for name, ratio in ratios.items() if name != "Everything()")
    assert ratios["Economic()"] < 1.1 and ratios["SlidingWindow()"] > 2


def test_an_agents_trace_shows_both_optima(run: Run, tmp_path: Path) -> None:
    """Clearing a tool result that is used once more is cheaper than to keep it, unless fetching it again is dear."""
    trace = tmp_path / "t.jsonl"
    first = {"gap_s": 0, "tokens": 40_000, "results": [{"tokens": 39_000, "needed": [55]}]}
    trace.write_text("\n".join(map(json.dumps, [first, *[{"gap_s": 5, "tokens": 500, "exchange": False}] * 60])))
    arguments = ("replay", trace, "--keep", 2_000, "--budget", 90_000)
    cheap, dear = (json.loads(run(*arguments, "--json", "--refetch", price).stdout)[0] for price in (0, 10**6))
    assert cheap["clearing_least"] <= cheap["clearing_most"] < cheap["optimum"]
    assert cheap["clearing_most"] < dear["clearing_most"] <= dear["optimum"]
    assert "clears old tool results" in run(*arguments).stdout
    assert "refetch" in run(*arguments, "--refetch", -1).stderr
    bare(trace)
    assert "no tool results are known" in run(*arguments).stdout


def test_many_traces_on_many_cores(run: Run, tmp_path: Path) -> None:
    """More processes print what one prints; none, or half of one, is refused."""
    traces = [bare(tmp_path / f"{n}.jsonl", 20 + n) for n in range(2)]
    arguments = ("replay", *traces, "--keep", 1_000, "--budget", 6_000, "--json")
    assert run(*arguments, "--jobs", 2).stdout == run(*arguments).stdout
    assert "--jobs" in run(*arguments, "--jobs", 0).stderr


def test_a_recorded_conversation_is_a_trace(run: Run, tmp_path: Path) -> None:
    """A database gives a trace for each of its conversations, or for the one named."""
    for name in ("one", "two"):
        with Conversation(tmp_path / "a.db", id=name, client="simulator") as chat:
            for n in range(3):
                chat.send(f"Message {n} of {name}.")
    arguments = ("--keep", 10, "--budget", 5_000, "--strategy", "SteppedWindow(keep=20)", "--json")
    both = json.loads(run("replay", tmp_path / "a.db", *arguments).stdout)
    one = json.loads(run("replay", tmp_path / "a.db", "--id", "one", *arguments).stdout)
    assert {row["trace"] for row in both} == {"one", "two"}
    assert [(row["trace"], row["strategy"]) for row in one] == [("one", "SteppedWindow(keep=20)")]


def test_charts_are_written(run: Run, tmp_path: Path) -> None:
    """--html writes a page that needs nothing from elsewhere, --png a picture."""
    trace, page, picture = bare(tmp_path / "t.jsonl"), tmp_path / "r.html", tmp_path / "r.png"
    pytest.importorskip("matplotlib")
    run("replay", trace, "--keep", 1_000, "--budget", 6_000, "--html", page, "--png", picture)
    assert "<svg" in page.read_text() and "http" not in page.read_text().replace("http://www.w3.org", "")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('{"gap_s": -5, "tokens": 10}', "gap_s"),
        ('{"gap_s": 5, "tokens": 0}', "tokens"),
        ('{"gap_s": 5, "tokens": ', "line"),
    ],
)
def test_bad_traces_name_the_line(run: Run, tmp_path: Path, line: str, word: str) -> None:
    """A negative gap, an empty exchange and broken JSON are errors that name place and value."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"gap_s": 0, "tokens": 10}\n' + line)
    result = run("replay", path)
    assert result.exit_code == 1
    assert word in result.output and "2" in result.output


def test_missing_traces_and_odd_regimes_are_named(run: Run) -> None:
    """A file that is not there and a regime nobody knows are errors that say what would do."""
    missing, odd = run("replay", "nothing.jsonl"), run("replay", "synthetic:odd")
    assert (missing.exit_code, odd.exit_code) == (1, 2)
    assert "no such file" in missing.output and "known are" in odd.output
