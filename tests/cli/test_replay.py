"""`sash replay`: traces of every kind in, bills and ratios out."""

from __future__ import annotations

import csv
import json
import sys
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
    """A missing file, a regime nobody knows and a seed that is no number are errors that say what would do."""
    missing, odd = run("replay", "nothing.jsonl"), run("replay", "synthetic:odd")
    seed = run("replay", "synthetic:office:one")
    assert seed.exit_code == 2 and "'one'" in seed.stderr and "a whole number" in seed.stderr
    assert (missing.exit_code, odd.exit_code) == (1, 2)
    assert "no such file" in missing.output and "known are" in odd.output


OWN = """
from dataclasses import dataclass
from sash.planning.situation import Decision


@dataclass(frozen=True)
class Last:
    turns: int = 2

    def decide(self, situation):
        if self.turns < 1:
            raise ZeroDivisionError("none of it")
        return Decision(first_exchange=max(0, situation.newest - self.turns), rule="slide", reason="")
"""


def test_a_strategy_of_ones_own_is_named_by_its_module(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the folder at hand, in this process and in others, which print the same; a row says where one fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", sys.path)
    (tmp_path / "windows_of_mine.py").write_text(OWN)
    trace = bare(tmp_path / "t.jsonl")
    arguments = (
        "replay",
        trace,
        "--budget",
        4_000,
        "--strategy",
        "windows_of_mine:Last(turns=3)",
        "--strategy",
        "Economic",
    )
    mine, ours = json.loads(run(*arguments, "--json").stdout)
    assert (mine["strategy"], mine["keep"]) == ("Last(turns=3)", 1_000) and mine["dollars"] > ours["dollars"]
    assert json.loads(run(*arguments, "--json", "--jobs", 2).stdout) == [mine, ours]
    assert "--jobs" in run(*arguments, "--jobs", 0).stderr
    failing = run(*arguments, "--strategy", "windows_of_mine:Last(turns=0)")
    assert "Last(turns=0) failed on t: ZeroDivisionError: none of it" in " ".join(failing.stdout.split())
    for wrong in ("nowhere:Last", "windows_of_mine:First", "windows_of_mine:Last(3, 4)", "windows_of_mine:Decision"):
        refused = run("replay", trace, "--strategy", wrong)
        assert refused.exit_code == 2 and wrong.split("(")[0] in refused.stderr


def test_several_models_and_budgets_and_what_is_still_known(run: Run, tmp_path: Path) -> None:
    """A row each, the same in JSON and CSV; questions from a file; those that name no turn are remarked on."""
    chat, asked, sheet = tmp_path / "chat.jsonl", tmp_path / "questions.jsonl", tmp_path / "rows.csv"
    said = [
        line
        for n in range(12)
        for line in (
            {"role": "user", "content": f"Gate {n} opens at {n + 7}."},
            {"role": "assistant", "content": "Noted."},
        )
    ]
    chat.write_text("\n".join(map(json.dumps, said)))
    questions = [
        {"question": "When does gate 1 open?", "evidence": "Gate 1 opens at 8."},
        {"question": "Who?", "evidence": ["x9"]},
    ]
    asked.write_text("\n".join(map(json.dumps, questions)))
    result = run(
        "replay", chat, "--questions", asked, "--budget", 120, "--budget", 4_000, "--memory", "lean", "--strategy",
        "SlidingWindow(turns=2)", "--json", "--csv", sheet,
    )  # fmt: skip
    rows = json.loads(result.stdout)
    assert [(row["strategy"], row["budget"]) for row in rows] == [
        (name, budget) for budget in (120, 4_000) for name in ("SlidingWindow(turns=2)", "memory='lean'")
    ]
    assert rows[0]["evidence"] == 0.0 and rows[3]["evidence"] == 1.0
    assert "'x9'" in result.stderr and "names no turn" in result.stderr
    assert [float(row["dollars"]) for row in csv.DictReader(sheet.read_text().splitlines())] == [
        row["dollars"] for row in rows
    ]
    unasked = run("replay", chat, "--questions", "own", "--strategy", "Economic", "--json")
    assert "evidence" not in json.loads(unasked.stdout)[0] and "--questions FILE" in unasked.stderr
    (tmp_path / "bad.jsonl").write_text('{"question": "Who?"}')
    assert "name turns by their ids" in run("replay", chat, "--questions", tmp_path / "bad.jsonl").stderr
    assert "prices" in run("replay", chat, "--model", "gpt-9").stderr
